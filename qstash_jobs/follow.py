"""Published messages -> what QStash did with them since, by its log.

The log is eventually consistent (the SDKs' own tests poll it for a minute), so a message that it does not know yet
is waiting, not lost.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from qstash_jobs.boundary import Clock, Line
from qstash_jobs.errors import AuthenticationError, ServiceError
from qstash_jobs.outcome import Misconfigured, Rejected, Throttled
from qstash_jobs.wire.logs import Event, EventPage, EventState, ask_events, read_events

FIRST_LOOK_S = 0.1
LONGEST_LOOK_S = 5.0
IDS_A_QUESTION = 40
"""Message ids in one question, so that its address stays under 4 KiB."""
PATIENCE = 5
"""Questions in a row that may come to nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A message to follow: one of QStash's ids, and what it is to us."""

    message_id: str
    name: str
    id: str
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What the log says of a message: its latest event, and how many deliveries were tried."""

    target: Target
    latest: Event | None = None
    """None while the log does not know it."""
    created_at: datetime | None = None
    """When QStash took it."""
    attempts: int = 0

    @property
    def is_over(self) -> bool:
        return self.latest is not None and self.latest.is_terminal


@dataclass(slots=True)
class _Seen:
    latest: Event
    created_at: datetime | None = None
    attempts: set[datetime | None] = field(default_factory=set)


def follow(targets: Iterable[Target], *, line: Line, clock: Clock, wait_s: float) -> Iterator[Progress]:
    """Ask until every message is delivered or has failed, or the time is over; yield each as it ends, then the rest.

    With `wait_s` 0 each message is asked about once. Raises AuthenticationError and ServiceError where the log
    cannot be read.
    """
    pending = {target.message_id: target for target in targets}
    seen: dict[str, _Seen] = {}
    ends_s = clock.monotonic_s() + wait_s
    pause_s = FIRST_LOOK_S
    while pending:
        for events in _read_log(list(pending), line, clock):
            _take(events, seen)
        for message_id, target in list(pending.items()):
            progress = _progress(target, seen)
            if progress.is_over:
                del pending[message_id]
                yield progress
        left_s = ends_s - clock.monotonic_s()
        if left_s <= 0:
            break
        clock.sleep(min(pause_s, left_s) if pending else 0)
        pause_s = min(pause_s * 1.5, LONGEST_LOOK_S)
    for target in pending.values():
        yield _progress(target, seen)


def _progress(target: Target, seen: dict[str, _Seen]) -> Progress:
    known = seen.get(target.message_id)
    if known is None:
        return Progress(target=target)
    return Progress(
        target=target, latest=known.latest, created_at=known.created_at, attempts=len(known.attempts)
    )


def _take(events: Iterable[Event], seen: dict[str, _Seen]) -> None:
    for event in events:
        known = seen.setdefault(event.message_id, _Seen(latest=event))
        if event.state == EventState.CREATED:
            known.created_at = event.at
        if event.state == EventState.ACTIVE:
            known.attempts.add(event.at)
        if _rank(event) > _rank(known.latest):
            known.latest = event


def _rank(event: Event) -> tuple[bool, float]:
    """What ended a message outranks what came before it, whatever the order of the log within a millisecond."""
    return event.is_terminal, event.at.timestamp() if event.at is not None else 0.0


def _read_log(message_ids: list[str], line: Line, clock: Clock) -> Iterator[tuple[Event, ...]]:
    ids = iter(message_ids)
    while group := list(islice(ids, IDS_A_QUESTION)):
        cursor: str | None = None
        while True:
            page = _read_page(group, cursor, line, clock)
            yield page.events
            cursor = page.cursor
            if cursor is None:
                break


def _read_page(message_ids: list[str], cursor: str | None, line: Line, clock: Clock) -> EventPage:
    question = ask_events(message_ids=message_ids, cursor=cursor)
    reason = ""
    for failures in range(1, PATIENCE + 1):
        answer = line.connect() or line.send(question, may_send=lambda: True)
        page = read_events(answer, now=clock.now())
        match page:
            case EventPage():
                return page
            case Misconfigured():
                raise (AuthenticationError if page.exit_code == 4 else ServiceError)(page.error)
            case Throttled():
                reason = page.error or "too many requests"
                clock.sleep(page.wait_s or FIRST_LOOK_S * 2**failures)
            case Rejected():
                raise ServiceError(f"QStash's log cannot be read: {page.error}")
            case _:
                reason = page.reason
                clock.sleep(FIRST_LOOK_S * 2**failures)
    raise ServiceError(f"QStash's log cannot be read: {reason}")
