"""A schedule as declared and as observed -> the Change between them. Pure; settings are always sent whole."""

from collections.abc import Iterator
from typing import Literal

from qstash_jobs.plan.changes import Change, Comparison, FieldChange, Step
from qstash_jobs.plan.ownership import Owner
from qstash_jobs.plan.schedule_fields import (
    DeclaredSchedule,
    compare_fields,
    describe_fields,
    digest_unseen,
    is_url,
)
from qstash_jobs.wire.resources.schedules import (
    ObservedSchedule,
    pause_schedule,
    put_schedule,
    remove_schedule,
)


def plan_schedule(declared: DeclaredSchedule, observed: ObservedSchedule | None, owner: Owner) -> Change:
    """Plan what makes a schedule as declared: nothing, a pause, or all of its settings anew under the same id."""
    digest = digest_unseen(declared.message)
    labels = (*declared.message.labels, owner.write_label(digest))
    put = Step(
        request=put_schedule(declared.message, id_=declared.id, labels=labels), does="write its settings"
    )
    if observed is None:
        pause = [_pause(declared.id, paused=True)] if declared.paused else []
        fields = tuple(describe_fields(declared))
        return _change(declared, "create", fields, (put, *pause))
    fields = compare_fields(declared, observed, owner, digest)
    is_paused = observed.paused if declared.paused is None else declared.paused
    rewrites = any(one.field != "enabled" for one in fields)
    steps = [put] if rewrites else []
    # what an overwrite does to a pause is not documented, so it is said again
    if is_paused != observed.paused or (rewrites and is_paused):
        steps.append(_pause(declared.id, paused=is_paused))
    notes = tuple(_note(declared, observed))
    return _change(declared, "update" if fields else "unchanged", fields, tuple(steps), notes)


def plan_removal(observed: ObservedSchedule) -> Change:
    """Plan that a schedule goes; of its settings, those by which people know it."""
    found = Comparison()
    # nobody compares it any more, so what may be secret behind a `?` need not be shown at all
    place = observed.destination.partition("?")[0]
    found.add("url" if is_url(observed) else "url_group", place, None)
    found.add("cron", observed.cron, None)
    found.add("timezone", observed.timezone, None)
    step = Step(request=remove_schedule(observed.id), does="remove it", may_be_gone=True)
    return Change(
        kind="schedule",
        key=observed.id,
        name=observed.id,
        action="delete",
        fields=tuple(found.changes),
        steps=(step,),
    )


def _note(declared: DeclaredSchedule, observed: ObservedSchedule) -> Iterator[str]:
    """Say what the fields do not show."""
    unknown = sorted(name for name in declared.message.secrets if declared.is_unknown(name))
    if unknown:
        yield f"not compared, since a secret in it is not known here: {', '.join(unknown)}"
    if observed.paused and declared.paused is None:
        yield "paused in the account, and stays so; `enabled: true` in the file resumes it"


def _change(
    declared: DeclaredSchedule,
    action: Literal["create", "update", "unchanged"],
    fields: tuple[FieldChange, ...],
    steps: tuple[Step, ...],
    notes: tuple[str, ...] = (),
) -> Change:
    return Change(
        kind="schedule",
        key=declared.key,
        name=declared.id,
        action=action,
        fields=fields,
        location=declared.location,
        steps=steps,
        notes=notes,
    )


def _pause(id_: str, *, paused: bool) -> Step:
    request, otherwise = pause_schedule(id_, paused=paused)
    return Step(request=request, otherwise=otherwise, does="pause it" if paused else "resume it")
