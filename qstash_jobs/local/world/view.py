"""Messages, events and dead letters -> the fields that the service shows, with what is redacted hidden."""

import base64
from typing import Any

from qstash_jobs.local.world.account import Account
from qstash_jobs.local.world.callbacks import group_headers
from qstash_jobs.local.world.flow import FlowKey
from qstash_jobs.local.world.groups import Group
from qstash_jobs.local.world.message import Answer, DeadLetter, Event, Message, State
from qstash_jobs.local.world.queues import Queue
from qstash_jobs.local.world.redaction import redact
from qstash_jobs.local.world.settings import Pairs
from qstash_jobs.local.world.world import World

Fields = dict[str, Any]


def show_message(message: Message) -> Fields:
    """Show a message (wire contract, section 11)."""
    return _origin(message) | _delivery(message) | _show_body(message)


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


def show_queue(queue: Queue) -> Fields:
    """Show a queue (wire contract, section 10)."""
    return {
        "name": queue.name,
        "parallelism": queue.parallelism,
        "createdAt": queue.created_ms,
        "updatedAt": queue.updated_ms,
        "lag": queue.lag,
        "paused": queue.paused,
    }


def show_group(group: Group) -> Fields:
    """Show a URL group (wire contract, section 9)."""
    fields: Fields = {
        "name": group.name,
        "createdAt": group.created_ms,
        "updatedAt": group.updated_ms,
        "endpoints": [
            {"url": one.url} if one.name is None else {"name": one.name, "url": one.url}
            for one in group.endpoints
        ],
    }
    if group.headers:
        fields["headers"] = group_headers(group.headers)
    return fields


def show_flow(key: FlowKey) -> Fields:
    """Show a flow-control key (wire contract, section 14)."""
    return {
        "flowControlKey": key.name,
        "waitListSize": sum(1 for message in key.waiting if message.stage == "waiting"),
        "parallelismMax": key.limit.parallelism,
        "parallelismCount": key.active,
        "rateMax": key.limit.rate,
        "rateCount": key.started,
        "ratePeriod": key.limit.period_s,
        "ratePeriodStart": key.period_start_ms // 1000,
        "isPaused": key.paused,
        "isPinnedParallelism": key.pinned_parallelism,
        "isPinnedRate": key.pinned_rate,
    }


def show_keys(account: Account) -> Fields:
    """Show the signing keys."""
    return {"current": account.current_key, "next": account.next_key}


def _origin(message: Message) -> Fields:
    fields: Fields = {"messageId": message.id, "url": message.url}
    if message.topic is not None:
        fields["topicName"] = message.topic
    if message.endpoint is not None:
        fields["endpointName"] = message.endpoint
    if message.queue is not None:
        fields["queueName"] = message.queue.name
    if message.settings.labels:
        # wire contract 4.9: `label` is the first one, deprecated
        fields["label"] = message.settings.labels[0]
        fields["labels"] = list(message.settings.labels)
    return fields


def _delivery(message: Message) -> Fields:
    settings = message.settings
    fields: Fields = {
        "method": settings.method,
        "header": _show_headers(message, settings.headers),
        "maxRetries": message.max_retries,
        "notBefore": message.due_ms,
        "createdAt": message.created_ms,
        # wire contract D18: both spellings
        "callerIP": "127.0.0.1",
        "callerIp": "127.0.0.1",
    }
    for name, callback in (("callback", settings.callback), ("failureCallback", settings.failure_callback)):
        if callback is not None:
            fields[name] = callback.url
            headers = _show_headers(message, callback.headers)
            # wire contract 8 and 12: singular in messages, plural in events
            fields[f"{name}Header"] = fields[f"{name}Headers"] = headers
    if settings.timeout_s is not None:
        fields["timeout"] = settings.timeout_s * 1000
    if message.retry_delay is not None:
        fields["retryDelayExpression"] = message.retry_delay.text
    if settings.flow_key is not None:
        fields["flowControlKey"] = settings.flow_key
    if settings.flow is not None:
        fields["parallelism"] = settings.flow.parallelism
        fields["rate"] = settings.flow.rate
        fields["period"] = settings.flow.period_s
    return fields


def _show_headers(message: Message, pairs: Pairs) -> dict[str, list[str]]:
    hidden = message.settings.redaction
    if hidden is None:
        return group_headers(pairs)
    return group_headers(
        tuple(
            (name, redact(value.encode("utf-8", "surrogateescape")) if hidden.hides(name) else value)
            for name, value in pairs
        )
    )


def _show_body(message: Message) -> Fields:
    if message.settings.redaction is not None and message.settings.redaction.body:
        return {"body": redact(message.body)}
    return _as_text(message.body, "body")


def _show_body_base64(message: Message) -> str:
    if message.settings.redaction is not None and message.settings.redaction.body:
        return redact(message.body)
    return base64.b64encode(message.body).decode()


def _show_answer(answer: Answer) -> Fields:
    fields: Fields = {"responseStatus": answer.status or 0, "responseHeader": group_headers(answer.headers)}
    body = answer.body if answer.status is not None else (answer.error or "").encode()
    return fields | _as_text(body, "responseBody")


def _as_text(body: bytes, name: str) -> Fields:
    try:
        return {name: body.decode()}
    except UnicodeDecodeError:
        return {f"{name}Base64": base64.b64encode(body).decode()}
