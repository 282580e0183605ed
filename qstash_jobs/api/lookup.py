"""The URL groups and queues that jobs name -> what the account says of them, before anything is sent."""

from collections.abc import Callable, Mapping, Sequence

from qstash_jobs.api.tasks import Named
from qstash_jobs.api.world import Service
from qstash_jobs.boundary import Clock
from qstash_jobs.grammar import nearest
from qstash_jobs.outcome import Misconfigured, NotSent, Rejected, Throttled, Unknown
from qstash_jobs.problem import Location, Problem, Severity
from qstash_jobs.report.escape import quote_shell
from qstash_jobs.resources import Resources
from qstash_jobs.wire.http import Request
from qstash_jobs.wire.refusal import Failure
from qstash_jobs.wire.resources.lists import ask_groups, ask_queues, read_names


def look_up(named: Named, resources: Resources, service: Service, clock: Clock) -> list[Problem]:
    """Hold names against the account.

    An unknown URL group is an error: QStash would take its name for a broken URL. An unknown queue is a warning,
    because QStash makes it. Where the account can't be asked, a warning says so.
    """
    line = service.open_line()

    def ask(question: Request) -> frozenset[str] | Failure:
        answer = line.connect() or line.send(question, may_send=lambda: True)
        return read_names(answer, now=clock.now())

    try:
        return [
            *_check(named.groups, ask_groups, ask, _unknown_group(resources)),
            *_check(named.queues, ask_queues, ask, _unknown_queue(resources)),
        ]
    finally:
        line.close()


def _check(
    names: Mapping[str, Location],
    question: Callable[[], Request],
    ask: Callable[[Request], frozenset[str] | Failure],
    unknown: Callable[[str, Location, frozenset[str]], Problem],
) -> list[Problem]:
    if not names:
        return []
    known = ask(question())
    if not isinstance(known, frozenset):
        return [_not_asked(next(iter(names.values())), known)]
    return [unknown(name, where, known) for name, where in names.items() if name not in known]


_LISTED = 10


def _list(names: Sequence[str]) -> str:
    """List names, as far as anybody would read them."""
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _unapplied(file: str) -> str:
    return f"it is declared and was never made; type: qstash-jobs apply {quote_shell(file)}"


def _unknown_group(resources: Resources) -> Callable[[str, Location, frozenset[str]], Problem]:
    declared = {group.name: group.location.file for group in resources.of("url_group")}

    def unknown(name: str, where: Location, known: frozenset[str]) -> Problem:
        likely = nearest(name, sorted(known))
        hint = (
            f"did you mean {likely}?" if likely else f"the account has {_list(sorted(known)) or 'no groups'}"
        )
        if name in declared:
            hint = _unapplied(declared[name])
        return Problem(
            location=where,
            rule="url-group-unknown",
            message=f"the account has no URL group {name}",
            hint=hint,
            path=("url_group",),
        )

    return unknown


def _unknown_queue(resources: Resources) -> Callable[[str, Location, frozenset[str]], Problem]:
    declared = {queue.name: queue.location.file for queue in resources.of("queue")}

    def unknown(name: str, where: Location, known: frozenset[str]) -> Problem:
        if name in declared:
            return Problem(
                location=where,
                rule="queue-unknown",
                message=f"the account has no queue {name}, and QStash would make another than these files declare",
                hint=_unapplied(declared[name]),
                path=("queue",),
            )
        likely = nearest(name, sorted(known))
        return Problem(
            location=where,
            rule="queue-unknown",
            message=f"the account has no queue {name}; QStash makes it, with one delivery at a time",
            hint=f"did you mean {likely}?" if likely else None,
            path=("queue",),
            severity=Severity.WARNING,
        )

    return unknown


def _not_asked(where: Location, failure: Failure) -> Problem:
    match failure:
        case NotSent() | Unknown():
            reason = failure.reason
        case Misconfigured() | Rejected() | Throttled():
            reason = failure.error
    return Problem(
        location=where,
        rule="account-unasked",
        message=f"the account could not be asked whether it has this: {reason}",
        severity=Severity.WARNING,
    )
