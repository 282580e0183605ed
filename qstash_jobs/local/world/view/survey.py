"""Messages -> what a person is shown of them, however large they are, with what is redacted hidden."""

import base64

from qstash_jobs.local.world.callbacks import group_headers
from qstash_jobs.local.world.message import Event, Message, Stage
from qstash_jobs.local.world.redaction import redact
from qstash_jobs.local.world.survey import group_of
from qstash_jobs.local.world.view.settings import Fields, show_headers

SHOWN_BYTES = 64 * 1024
"""Of a body; a person reads no more."""


def show_line(message: Message) -> Fields:
    """Show a message in a line."""
    settings = message.settings
    fields: Fields = {
        "messageId": message.id,
        "group": group_of(message),
        "kind": message.kind,
        "method": settings.method,
        "url": message.url,
        "createdAt": message.created_ms,
        "notBefore": message.due_ms,
        "retried": message.retried,
        "maxRetries": message.max_retries,
        "labels": list(settings.labels),
        "isSettled": message.stage is Stage.SETTLED,
    }
    answered = next((event.answer for event in reversed(message.events) if event.answer is not None), None)
    if answered is not None:
        fields["responseStatus"] = answered.status or 0
    places = {
        "queueName": message.queue.name if message.queue is not None else None,
        "topicName": message.topic,
        "scheduleId": message.schedule_id,
        "flowControlKey": settings.flow_key,
        "dlqId": message.dead_letter if message.dead_letter in message.account.dead else None,
    }
    return fields | {name: value for name, value in places.items() if value is not None}


def show_whole(message: Message) -> Fields:
    """Show a message with what happened to it, oldest first."""
    settings = message.settings
    fields = show_line(message) | {
        "header": show_headers(settings, settings.headers),
        "bodyBytes": len(message.body),
        "events": [_show_event(event) for event in message.events],
    }
    if settings.timeout_s is not None:
        fields["timeoutSeconds"] = settings.timeout_s
    if message.retry_delay is not None:
        fields["retryDelay"] = message.retry_delay.text
    for name, callback in (("callback", settings.callback), ("failureCallback", settings.failure_callback)):
        if callback is not None:
            fields[name] = callback.url
    if settings.redaction is not None and settings.redaction.body:
        return fields | {"body": {"text": redact(message.body), "isWhole": True}}
    return fields | {"body": _show_bytes(message.body)}


def _show_event(event: Event) -> Fields:
    fields: Fields = {"time": event.time_ms, "state": event.state.value}
    if event.error is not None:
        fields["error"] = event.error
    if event.next_ms is not None:
        fields["nextDeliveryTime"] = event.next_ms
    if event.answer is not None and event.answer.status is not None:
        fields["responseStatus"] = event.answer.status
        fields["responseHeader"] = group_headers(event.answer.headers)
        fields["responseBody"] = _show_bytes(event.answer.body)
    return fields


def _show_bytes(data: bytes) -> Fields:
    """Show the beginning of bytes as text, or in base64 where they are none."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {
            "base64": base64.b64encode(data[:SHOWN_BYTES]).decode(),
            "isWhole": len(data) <= SHOWN_BYTES,
        }
    return {"text": text[:SHOWN_BYTES], "isWhole": len(text) <= SHOWN_BYTES}
