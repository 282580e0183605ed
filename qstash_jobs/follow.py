"""Published messages -> what QStash did with them since, by its log.

The log is eventually consistent (the SDKs' own tests poll it for a minute), so a message that it does not know yet
is waiting, not lost.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from datetime import datetime
from itertools import islice

from qstash_jobs.boundary import Clock, Line
from qstash_jobs.inquiry import IDS_A_QUESTION, read_log
from qstash_jobs.value import dataclass
from qstash_jobs.wire.logs import Event, EventState, ask_events

FIRST_LOOK_S = 0.1
LONGEST_LOOK_S = 5.0
"""The longest pause between two looks; also how long a look may go on when the time is over."""

PAGES_A_QUESTION = 100
"""Pages that are read of one answer; the newest events come first."""


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
class Seen:
    """What the log has said of one of QStash's ids so far."""

    latest: Event | None = None
    created_at: datetime | None = None
    attempts: set[datetime | None] = field(default_factory=set)

    def take(self, event: Event) -> None:
        if event.state == EventState.CREATED:
            self.created_at = event.at
        if event.state == EventState.ACTIVE:
            self.attempts.add(event.at)
        if self.latest is None or _rank(event) > _rank(self.latest):
            self.latest = event

    def progress(self, target: Target) -> Progress:
        return Progress(
            target=target, latest=self.latest, created_at=self.created_at, attempts=len(self.attempts)
        )


def follow(targets: Iterable[Target], *, line: Line, clock: Clock, wait_s: float) -> Iterator[Progress]:
    """Ask until every message is delivered or has failed, or the time is over; yield each as it ends, then the rest.

    With `wait_s` 0 each message is asked about once. Raises AuthenticationError and ServiceError where the log
    cannot be read.
    """
    pending: dict[str, list[Target]] = {}
    for target in targets:
        pending.setdefault(target.message_id, []).append(target)
    seen = {message_id: Seen() for message_id in pending}
    ends_s = clock.monotonic_s() + wait_s
    pause_s = FIRST_LOOK_S
    is_first = True
    while pending:
        for message_ids in _groups(list(pending)):
            if not is_first and clock.monotonic_s() > ends_s + LONGEST_LOOK_S:
                break
            for event in _read_events(message_ids, line, clock, ends_s):
                if event.message_id in seen:
                    seen[event.message_id].take(event)
            yield from _ended(message_ids, pending, seen)
        left_s = ends_s - clock.monotonic_s()
        if left_s <= 0 or not pending:
            break
        clock.sleep(min(pause_s, left_s))
        pause_s, is_first = min(pause_s * 1.5, LONGEST_LOOK_S), False
    for message_id, same_id in pending.items():
        yield from map(seen[message_id].progress, same_id)


def _groups(message_ids: Sequence[str]) -> Iterator[list[str]]:
    waiting = iter(message_ids)
    while group := list(islice(waiting, IDS_A_QUESTION)):
        yield group


def _ended(
    message_ids: Iterable[str], pending: dict[str, list[Target]], seen: dict[str, Seen]
) -> Iterator[Progress]:
    """Take out what has ended."""
    for message_id in message_ids:
        latest = seen[message_id].latest
        if latest is not None and latest.is_terminal:
            yield from map(seen[message_id].progress, pending.pop(message_id))


def _rank(event: Event) -> tuple[bool, float]:
    """What ended a message outranks what came before it, whatever the order of the log within a millisecond."""
    return event.is_terminal, event.at.timestamp() if event.at is not None else 0.0


def _read_events(message_ids: Sequence[str], line: Line, clock: Clock, ends_s: float) -> Iterator[Event]:
    """Read the log of some messages; it is not asked for longer than there is time, or than for a look."""
    look_s = max(LONGEST_LOOK_S, ends_s - clock.monotonic_s())
    pages = read_log(
        lambda cursor: ask_events(message_ids=message_ids, cursor=cursor),
        line=line,
        clock=clock,
        most_pause_s=look_s,
    )
    for page in islice(pages, PAGES_A_QUESTION):
        yield from page.events
