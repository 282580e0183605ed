"""A question about messages -> what QStash itself knows of them: by its log, and by the messages that wait.

The log is eventually consistent (the SDKs' own tests poll it for a minute): what it lists has happened, and what it
does not list may have happened just now.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial

from qstash_jobs.boundary import Clock, Line
from qstash_jobs.errors import AuthenticationError, ServiceError, StopError
from qstash_jobs.outcome import Endpoint, Misconfigured, Rejected, Throttled
from qstash_jobs.record import Listed
from qstash_jobs.value import dataclass
from qstash_jobs.wire.http import Request
from qstash_jobs.wire.logs import Event, EventPage, ask_events, read_events
from qstash_jobs.wire.messages import PendingMessage, ask_message, read_message

FIRST_PAUSE_S = 0.1
PATIENCE = 5
"""Questions in a row that may come to nothing."""

LONGEST_PAUSE_S = 10.0
"""How long the log may ask to wait before it is asked again."""

IDS_A_QUESTION = 40
"""Message ids in one question, so that its address stays under 4 KiB."""

MESSAGE_LABEL = "qj-m-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What the log says of one message now."""

    endpoints: tuple[Endpoint, ...]
    """QStash's messages with its label; none where it lists none."""
    at: datetime | None = None
    """When QStash took it."""
    answered_at: datetime | None = None
    """When the log answered, by QStash's own clock."""


class Inquiry:
    """Asks on a line of its own, which is opened with the first question. What cannot be read is a ServiceError.

    Once the log could not be read it is not asked again: it would cost each message its patience.
    """

    def __init__(self, open_line: Callable[[], Line], clock: Clock) -> None:
        self._open_line = open_line
        self._clock = clock
        self._line: Line | None = None
        self._failure: StopError | None = None

    def close(self) -> None:
        if self._line is not None:
            self._line.close()

    def find(self, label: str) -> Sighting:
        """Look for one message by its label."""
        events: list[Event] = []
        answered_at = None
        for page in self._read(lambda cursor: ask_events(label=label, cursor=cursor)):
            # whether the label was heeded is for the entries to say
            events += [event for event in page.events if label in event.labels]
            answered_at = page.answered_at
        first = min(events, key=_when, default=None)
        return Sighting(endpoints=_gather(events), at=first.at if first else None, answered_at=answered_at)

    def list_messages(self, label: str, *, most: int) -> list[Listed]:
        """List the messages with a label that all messages of a run share, by their own labels.

        Raises OverlongError where the log has more entries than `most`.
        """
        by_label: dict[str, list[Event]] = {}
        entries = 0
        for page in self._read(lambda cursor: ask_events(label=label, cursor=cursor)):
            entries += len(page.events)
            if entries > most:
                raise OverlongError
            for event in page.events:
                own = next((one for one in event.labels if one.startswith(MESSAGE_LABEL)), None)
                if own is not None and label in event.labels:
                    by_label.setdefault(own, []).append(event)
        now = self._clock.now()
        return [
            Listed(label=own, endpoints=_gather(events), at=min(events, key=_when).at or now)
            for own, events in by_label.items()
        ]

    def find_labels(self, message_ids: Sequence[str]) -> dict[str, frozenset[str]]:
        """Look up the labels of QStash's messages in its log; those that it does not list are left out."""
        labels: dict[str, frozenset[str]] = {}
        for start in range(0, len(message_ids), IDS_A_QUESTION):
            group = message_ids[start : start + IDS_A_QUESTION]
            for page in self._read(partial(_ask_of, group)):
                for event in page.events:
                    labels[event.message_id] = labels.get(event.message_id, frozenset()) | set(event.labels)
        return labels

    def ask_pending(self, message_id: str) -> frozenset[str] | None:
        """Ask for the labels of a message that may wait yet; None where QStash has it no more, or does not say."""
        line = self._connected()
        answer = line.connect() or line.send(ask_message(message_id), may_send=lambda: True)
        message = read_message(answer, now=self._clock.now())
        return frozenset(message.labels) if isinstance(message, PendingMessage) else None

    def _read(self, ask: Callable[[str | None], Request]) -> Iterator[EventPage]:
        if self._failure is not None:
            raise self._failure
        try:
            yield from read_log(ask, line=self._connected(), clock=self._clock, most_pause_s=LONGEST_PAUSE_S)
        except (ServiceError, AuthenticationError) as error:
            self._failure = error
            raise

    def _connected(self) -> Line:
        if self._line is None:
            self._line = self._open_line()
        return self._line


class OverlongError(StopError):
    """QStash's log has more entries than are read"""


def read_log(
    ask: Callable[[str | None], Request], *, line: Line, clock: Clock, most_pause_s: float
) -> Iterator[EventPage]:
    """Read the log page by page, newest first; `ask` makes the question from a cursor.

    A page that cannot be had is asked for again, after a pause of `most_pause_s` at most. Raises AuthenticationError
    and ServiceError where the log cannot be read.
    """
    cursor: str | None = None
    cursors: set[str | None] = set()
    while cursor not in cursors:
        cursors.add(cursor)
        page = _read_page(ask(cursor), line, clock, most_pause_s)
        yield page
        cursor = page.cursor
        if cursor is None:
            return


def _read_page(question: Request, line: Line, clock: Clock, most_pause_s: float) -> EventPage:
    failures = 0
    while True:
        answer = line.connect() or line.send(question, may_send=lambda: True)
        page = read_events(answer, now=clock.now())
        match page:
            case EventPage():
                return page
            case Misconfigured():
                raise (AuthenticationError if page.exit_code == 4 else ServiceError)(page.error)
            case Rejected():
                raise ServiceError(f"QStash's log cannot be read: {page.error}")
            case Throttled():
                reason, pause_s = page.error or "too many requests", page.wait_s
            case _:
                reason, pause_s = page.reason, None
        failures += 1
        pause_s = FIRST_PAUSE_S * 2**failures if pause_s is None else pause_s
        if failures == PATIENCE or pause_s > most_pause_s:
            raise ServiceError(f"QStash's log cannot be read: {reason}")
        clock.sleep(pause_s)


def _ask_of(message_ids: Sequence[str], cursor: str | None) -> Request:
    return ask_events(message_ids=message_ids, cursor=cursor)


def _gather(events: Iterable[Event]) -> tuple[Endpoint, ...]:
    """Name the messages that events are of: the first one, and of a URL group the first for each address.

    A dead letter that was sent again is another message with the same labels.
    """
    ordered = sorted(events, key=_when)
    if not ordered:
        return ()
    group = ordered[0].group
    if group is None:
        return (Endpoint(message_id=ordered[0].message_id),)
    first: dict[str | None, Event] = {}
    for event in ordered:
        if event.group == group:
            first.setdefault(event.url, event)
    return tuple(Endpoint(message_id=event.message_id, url=url) for url, event in first.items())


def _when(event: Event) -> float:
    return event.at.timestamp() if event.at is not None else float("inf")
