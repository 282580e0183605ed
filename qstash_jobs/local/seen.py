"""Messages as tests look at them: what was published, and what became of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from qstash_jobs.local.sink import EPOCH, LATEST_MS
from qstash_jobs.local.world.message import Kind, Message, State


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenMessage:
    """One message to one destination; nothing is redacted."""

    message_id: str
    url: str
    method: str
    headers: tuple[tuple[str, str], ...]
    """Those that are forwarded."""
    body: bytes
    state: str
    """That of its last line in the log: `CREATED`, `DELIVERED`, `FAILED` …"""
    retried: int
    """How many retries there were."""
    created_at: datetime
    due_at: datetime
    """When it is delivered next, or was last. Both are virtual time, UTC."""
    labels: tuple[str, ...]
    queue: str | None
    group: str | None
    """The URL group it was published to."""
    schedule_id: str | None
    kind: Kind


def describe_message(message: Message) -> SeenMessage:
    """Describe a message for people and tests."""
    settings = message.settings
    return SeenMessage(
        message_id=message.id,
        url=message.url,
        method=settings.method,
        headers=settings.headers,
        body=message.body,
        state=(message.events[-1].state if message.events else State.CREATED).value,
        retried=message.retried,
        created_at=_read_moment(message.created_ms),
        due_at=_read_moment(message.due_ms),
        labels=settings.labels,
        queue=message.queue.name if message.queue is not None else None,
        group=message.topic,
        schedule_id=message.schedule_id,
        kind=message.kind,
    )


def _read_moment(at_ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=min(at_ms, LATEST_MS))
