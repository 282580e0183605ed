"""A queue as declared and as observed -> the Change between them; what the file does not say stays as it is."""

from qstash_jobs.plan.changes import Change, Comparison, FieldChange, Step
from qstash_jobs.resources import Resource
from qstash_jobs.wire.resources.queues import ObservedQueue, put_queue, remove_queue


def plan_queue(declared: Resource, observed: ObservedQueue | None) -> Change:
    """Plan what makes a queue as declared."""
    parallelism, paused = declared.fields.get("parallelism"), declared.fields.get("paused")
    found = Comparison()
    if parallelism is not None:
        found.add("parallelism", observed.parallelism if observed else None, int(parallelism))
    if paused is not None:
        found.add("paused", observed.paused if observed else None, bool(paused))
    # upstash/docs, features/queues: a queue that nobody said anything of delivers one at a time
    had = observed or ObservedQueue(name=declared.name, parallelism=1)
    request = put_queue(
        declared.name,
        parallelism=had.parallelism if parallelism is None else int(parallelism),
        paused=had.paused if paused is None else bool(paused),
    )
    changes = observed is None or bool(found.changes)
    return Change(
        kind="queue",
        key=declared.key,
        name=declared.name,
        action="create" if observed is None else "update" if changes else "unchanged",
        fields=tuple(found.changes),
        location=declared.location,
        steps=(Step(request=request, does="write its settings"),) if changes else (),
    )


def plan_queue_removal(observed: ObservedQueue, *, why_force: str) -> Change:
    """Plan that a queue goes, and what waits in it."""
    holds = f"; {observed.lag:,} messages that wait in it go too" if observed.lag else ""
    return Change(
        kind="queue",
        key=observed.name,
        name=observed.name,
        action="delete",
        fields=(FieldChange(field="parallelism", old=observed.parallelism, new=None),),
        steps=(Step(request=remove_queue(observed.name), does="remove it", may_be_gone=True),),
        needs_force=why_force + holds,
    )
