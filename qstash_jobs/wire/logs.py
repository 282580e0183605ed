"""QStash's log of what happened to messages: a question -> a Request, and its answer -> a page of Events.

upstash/docs, qstash/openapi.yaml, and the official SDKs where they differ: the path, the name of the list, the
spelling of a cancelled state. Every form is read.
"""

import binascii
from base64 import b64decode
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from urllib.parse import urlencode

from qstash_jobs.outcome import Unknown
from qstash_jobs.value import dataclass
from qstash_jobs.wire.content import read_json
from qstash_jobs.wire.http import Answer, Reply, Request, read_date
from qstash_jobs.wire.refusal import Failure, read_loss, read_refusal

COUNT = 100
"""Events that one page asks for: the documented maximum, though the Python SDK says 1,000."""

PAGE_BYTES = 12 * 1024 * 1024
"""Events carry the bodies of messages and of answers."""

_TEXT_LENGTH = 2000


class EventState(StrEnum):
    CREATED = "CREATED"
    ACTIVE = "ACTIVE"
    RETRY = "RETRY"
    ERROR = "ERROR"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    CANCELLED = "CANCELLED"


TERMINAL = frozenset({EventState.DELIVERED, EventState.FAILED, EventState.CANCELLED})
"""Nothing more happens to a message after these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to one message."""

    message_id: str
    state: str
    """An EventState, or a word that QStash has come to use since."""
    at: datetime | None = None
    """Aware, UTC."""
    url: str | None = None
    error: str | None = None
    next_delivery_at: datetime | None = None
    labels: tuple[str, ...] = ()
    queue: str | None = None
    group: str | None = None
    schedule: str | None = None
    response_status: int | None = None
    response_body: str | None = None
    """The beginning of what the destination answered."""

    @property
    def is_terminal(self) -> bool:
        """Say whether nothing more will happen to the message."""
        return self.state in TERMINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """Some events, newest first."""

    events: tuple[Event, ...]
    cursor: str | None = None
    """What to ask with for the page after this one; None at the end."""
    answered_at: datetime | None = None
    """When the service wrote it, by its own clock; aware, None where it does not say."""


def ask_events(
    *,
    label: str | None = None,
    message_ids: Sequence[str] = (),
    cursor: str | None = None,
    count: int = COUNT,
) -> Request:
    """Ask for a page of the log, of messages with this label, or of these messages."""
    query = [("count", str(count))]
    if label is not None:
        query.append(("label", label))
    query += [("messageIds", message_id) for message_id in message_ids]
    if cursor is not None:
        query.append(("cursor", cursor))
    return Request(method="GET", target=f"/v2/events?{urlencode(query)}", answer_bytes=PAGE_BYTES)


def read_events(answer: Answer, *, now: datetime) -> EventPage | Failure:
    """Read a page; `Unknown` where the answer is not one. Entries that name no message are left out."""
    if not isinstance(answer, Reply):
        return read_loss(answer)
    if not 200 <= answer.status < 300:
        return read_refusal(answer, now=now)
    try:
        value = read_json(answer.body)
    except ValueError:
        value = None
    entries = value.get("events", value.get("logs")) if isinstance(value, dict) else None
    if not isinstance(entries, list):
        return Unknown(
            reason=f"answered {answer.status} with something that is not a log", status=answer.status
        )
    events = (read_event(entry) for entry in entries if isinstance(entry, dict))
    cursor = value.get("cursor")
    return EventPage(
        events=tuple(event for event in events if event is not None),
        cursor=str(cursor) if isinstance(cursor, str | int) and cursor else None,
        answered_at=read_date(answer.header("Date")),
    )


def read_event(entry: dict[str, object]) -> Event | None:
    """Read one entry of the log, or None where it names no message."""
    message_id = read_text(entry, "messageId")
    if message_id is None:
        return None
    state = (read_text(entry, "state") or "").upper()
    status = entry.get("responseStatus")
    return Event(
        message_id=message_id,
        # openapi.yaml writes CANCELLED, both SDKs CANCELED
        state=EventState.CANCELLED if state == "CANCELED" else state,
        at=read_moment(entry, "time"),
        url=read_text(entry, "url"),
        error=read_text(entry, "error"),
        next_delivery_at=read_moment(entry, "nextDeliveryTime"),
        labels=read_labels(entry),
        queue=read_text(entry, "queueName"),
        group=read_text(entry, "topicName"),
        schedule=read_text(entry, "scheduleId"),
        response_status=status if type(status) is int and status else None,
        response_body=_read_body(read_text(entry, "responseBody")),
    )


def read_text(entry: dict[str, object], name: str) -> str | None:
    """Read a text that is not empty."""
    value = entry.get(name)
    return value if isinstance(value, str) and value else None


def read_moment(entry: dict[str, object], name: str) -> datetime | None:
    """Read Unix milliseconds, as number or text; 0 is how the service writes "none"."""
    value = entry.get(name)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value:
        return None
    try:
        return datetime.fromtimestamp(value / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def read_labels(entry: dict[str, object]) -> tuple[str, ...]:
    """Read `labels`, or `label`, which holds the first one or all of them with commas."""
    value = entry.get("labels") or entry.get("label")
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list):
        return ()
    return tuple(label.strip() for label in value if isinstance(label, str) and label.strip())


def _read_body(text: str | None) -> str | None:
    """Decode the beginning of a body in base64; one that is not base64 stays as it came."""
    if text is None:
        return None
    try:
        beginning = b64decode(text[: 4 * _TEXT_LENGTH], validate=True)
    except (binascii.Error, ValueError):
        return text[:_TEXT_LENGTH]
    return beginning.decode(errors="replace")[:_TEXT_LENGTH]
