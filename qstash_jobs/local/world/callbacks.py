"""An attempt and its answer -> the body of the message that reports it (wire contract, section 17)."""

import base64
from typing import Any

from qstash_jobs.local.world.compact import write_compact
from qstash_jobs.local.world.message import Answer, Attempt
from qstash_jobs.local.world.settings import Pairs


def write_callback(attempt: Attempt, answer: Answer) -> bytes:
    """Write what a callback is told."""
    return write_compact(_describe(attempt, answer))


def write_failure_callback(attempt: Attempt, answer: Answer, *, dlq_id: str) -> bytes:
    """Write what a failure callback is told."""
    return write_compact(_describe(attempt, answer) | {"dlqId": dlq_id})


def group_headers(pairs: Pairs) -> dict[str, list[str]]:
    """Write headers as the service does: each name with the list of its values."""
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return grouped


def _describe(attempt: Attempt, answer: Answer) -> dict[str, Any]:
    message = attempt.message
    body = answer.body if answer.status is not None else (answer.error or "").encode()
    known: dict[str, Any] = {
        "status": answer.status or 0,
        "header": group_headers(answer.headers),
        "body": base64.b64encode(body).decode(),
        "retried": attempt.number,
        "maxRetries": message.max_retries,
        "sourceMessageId": message.id,
        "url": message.url,
        "method": message.settings.method,
        "sourceHeader": group_headers(message.settings.headers),
        "sourceBody": base64.b64encode(message.body).decode(),
        "notBefore": message.due_ms,
        "createdAt": message.created_ms,
        "callerIP": message.caller_ip,
    }
    if message.topic is not None:
        known["topicName"] = message.topic
    if message.endpoint is not None:
        known["endpointName"] = message.endpoint
    if message.schedule_id is not None:
        known["scheduleId"] = message.schedule_id
    return known
