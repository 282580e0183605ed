"""How something is to be delivered -> the fields that show it, with what is redacted hidden."""

import base64
from typing import Any

from qstash_jobs.local.world.callbacks import group_headers
from qstash_jobs.local.world.redaction import redact
from qstash_jobs.local.world.settings import Pairs, Settings

Fields = dict[str, Any]


def show_settings(settings: Settings) -> Fields:
    """Show what messages and schedules have in common: callbacks, retry delay, flow control."""
    fields: Fields = {}
    for name, callback in (("callback", settings.callback), ("failureCallback", settings.failure_callback)):
        if callback is not None:
            fields[name] = callback.url
            headers = show_headers(settings, callback.headers)
            # wire contract 8 and 12: singular in messages, plural in events
            fields[f"{name}Header"] = fields[f"{name}Headers"] = headers
    if settings.retry_delay is not None:
        fields["retryDelayExpression"] = settings.retry_delay.text
    if settings.flow_key is not None:
        fields["flowControlKey"] = settings.flow_key
    if settings.flow is not None:
        fields["parallelism"] = settings.flow.parallelism
        fields["rate"] = settings.flow.rate
        fields["period"] = settings.flow.period_s
    if settings.labels:
        # wire contract 4.9: `label` is the first one, deprecated
        fields["label"] = settings.labels[0]
        fields["labels"] = list(settings.labels)
    return fields


def show_headers(settings: Settings, pairs: Pairs) -> dict[str, list[str]]:
    """Show headers, each name with the list of its values."""
    hidden = settings.redaction
    if hidden is None:
        return group_headers(pairs)
    return group_headers(
        tuple(
            (name, redact(value.encode("utf-8", "surrogateescape")) if hidden.hides(name) else value)
            for name, value in pairs
        )
    )


def show_body(settings: Settings, body: bytes) -> Fields:
    """Show a body as text, or in base64 where it is none."""
    if settings.redaction is not None and settings.redaction.body:
        return {"body": redact(body)}
    return show_bytes(body, "body")


def show_bytes(data: bytes, name: str) -> Fields:
    """Show bytes under a name, or in base64 under one that says so."""
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {f"{name}Base64": base64.b64encode(data).decode()}
