"""One message that QStash still has: its id -> a Request, and the answer -> what it is, or that it is gone."""

from datetime import datetime
from urllib.parse import quote

from qstash_jobs.outcome import Rejected, Unknown
from qstash_jobs.value import dataclass
from qstash_jobs.wire.content import read_json
from qstash_jobs.wire.http import Answer, Reply, Request
from qstash_jobs.wire.logs import PAGE_BYTES, read_labels, read_moment, read_text
from qstash_jobs.wire.refusal import Failure, read_loss, read_refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingMessage:
    """A message that waits for its delivery, or for another try."""

    message_id: str
    url: str | None = None
    labels: tuple[str, ...] = ()
    queue: str | None = None
    group: str | None = None
    schedule: str | None = None
    created_at: datetime | None = None
    """Aware, UTC."""
    not_before: datetime | None = None
    """Aware, UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """QStash has no such message any more: delivered, failed, cancelled, or never there. The log can tell."""


def ask_message(message_id: str) -> Request:
    """Ask for one message. An empty id is refused: the address without one means all messages."""
    if not message_id:
        raise ValueError("a message id must not be empty")
    return Request(method="GET", target=f"/v2/messages/{quote(message_id, safe='')}", answer_bytes=PAGE_BYTES)


def read_message(answer: Answer, *, now: datetime) -> PendingMessage | Gone | Failure:
    """Read the answer about one message; `Unknown` where it cannot be understood."""
    if not isinstance(answer, Reply):
        return read_loss(answer)
    if not 200 <= answer.status < 300:
        failure = read_refusal(answer, now=now)
        return Gone() if isinstance(failure, Rejected) and failure.status == 404 else failure
    try:
        value = read_json(answer.body)
    except ValueError:
        value = None
    message_id = read_text(value, "messageId") if isinstance(value, dict) else None
    if message_id is None:
        return Unknown(
            reason=f"answered {answer.status} with something that is not a message", status=answer.status
        )
    return PendingMessage(
        message_id=message_id,
        url=read_text(value, "url"),
        labels=read_labels(value),
        queue=read_text(value, "queueName"),
        group=read_text(value, "topicName"),
        schedule=read_text(value, "scheduleId"),
        created_at=read_moment(value, "createdAt"),
        not_before=read_moment(value, "notBefore"),
    )
