"""Messages, events and dead letters -> the fields that the service shows, with what is redacted hidden."""

import base64

from qstash_jobs.local.world.callbacks import group_headers
from qstash_jobs.local.world.message import Answer, DeadLetter, Event, Message, State
from qstash_jobs.local.world.redaction import redact
from qstash_jobs.local.world.view.settings import Fields, show_body, show_bytes, show_headers, show_settings
from qstash_jobs.local.world.world import World


def show_message(message: Message) -> Fields:
    """Show a message (wire contract, section 11)."""
    return _origin(message) | _delivery(message) | show_body(message.settings, message.body)


def show_event(world: World, event: Event) -> Fields:
    """Show a line of the log (wire contract, section 12)."""
    message = event.message
    fields = {
        "time": event.time_ms,
        "state": world.switches.cancelled if event.state is State.CANCELLED else event.state.value,
        "body": _show_body_base64(message),
        **_origin(message),
        **_delivery(message),
    }
    if event.error is not None:
        fields["error"] = event.error
    if event.next_ms is not None:
        fields["nextDeliveryTime"] = event.next_ms
    if message.retry_delay is not None:
        # wire contract D13: the Python SDK reads this name
        fields["retryDelayExpr"] = message.retry_delay.text
    if event.answer is not None and event.answer.status is not None:
        headers = group_headers(event.answer.headers)
        fields |= {
            "responseStatus": event.answer.status,
            "responseBody": base64.b64encode(event.answer.body).decode(),
            # wire contract D13: one in OpenAPI, the other in the Python SDK
            "responseHeaders": headers,
            "responseHeader": headers,
        }
    return fields


def show_dead_letter(letter: DeadLetter) -> Fields:
    """Show an entry of the DLQ (wire contract, section 13)."""
    return show_message(letter.message) | {"dlqId": letter.id} | _show_answer(letter.answer)


def _origin(message: Message) -> Fields:
    fields: Fields = {"messageId": message.id, "url": message.url}
    if message.topic is not None:
        fields["topicName"] = message.topic
    if message.endpoint is not None:
        fields["endpointName"] = message.endpoint
    if message.queue is not None:
        fields["queueName"] = message.queue.name
    if message.schedule_id is not None:
        fields["scheduleId"] = message.schedule_id
    return fields


def _delivery(message: Message) -> Fields:
    settings = message.settings
    fields: Fields = {
        "method": settings.method,
        "header": show_headers(settings, settings.headers),
        "maxRetries": message.max_retries,
        "notBefore": message.due_ms,
        "createdAt": message.created_ms,
        # wire contract D18: both spellings
        "callerIP": message.caller_ip,
        "callerIp": message.caller_ip,
    }
    if settings.timeout_s is not None:
        fields["timeout"] = settings.timeout_s * 1000
    fields |= show_settings(settings)
    if message.retry_delay is not None:
        fields["retryDelayExpression"] = message.retry_delay.text
    return fields


def _show_body_base64(message: Message) -> str:
    if message.settings.redaction is not None and message.settings.redaction.body:
        return redact(message.body)
    return base64.b64encode(message.body).decode()


def _show_answer(answer: Answer) -> Fields:
    fields: Fields = {"responseStatus": answer.status or 0, "responseHeader": group_headers(answer.headers)}
    body = answer.body if answer.status is not None else (answer.error or "").encode()
    return fields | show_bytes(body, "responseBody")
