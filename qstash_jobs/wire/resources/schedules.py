"""Schedules: what the account has -> ObservedSchedules, and what it should have -> Requests.

The fields: upstash/docs, qstash/openapi.yaml, and qstash-py's schedule.py for those that openapi.yaml leaves out.
"""

from base64 import b64decode
from binascii import Error
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from qstash_jobs.message import FlowControl, Message
from qstash_jobs.value import dataclass
from qstash_jobs.wire.calls import destination
from qstash_jobs.wire.headers import HeaderWriter
from qstash_jobs.wire.http import Request
from qstash_jobs.wire.resources.fields import (
    Redacted,
    Value,
    read_duration,
    read_headers,
    read_text,
    read_value,
    read_whole,
)

CRON_ZONE = ("CRON_TZ=", "TZ=")
"""robfig/cron v3, parser.go: what a zone in front of the five fields begins with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedSchedule:
    """A schedule as the account has it. `None` means that the answer does not say."""

    id: str
    destination: str
    """A URL, or a URL group's name."""
    cron: str
    """The five fields, one blank between them."""
    timezone: str | None = None
    """None is UTC."""
    method: str = "POST"
    body: bytes | Redacted = b""
    headers: tuple[tuple[str, Value], ...] = ()
    """Forwarded ones, less the content type; names as the service writes them."""
    content_type: Value | None = None
    delay_s: int | None = None
    retries: int | None = None
    retry_delay: str | None = None
    timeout_s: int | None = None
    callback: str | None = None
    callback_headers: tuple[tuple[str, Value], ...] = ()
    """Forwarded to the callback; its other settings are not given back."""
    failure_callback: str | None = None
    failure_callback_headers: tuple[tuple[str, Value], ...] = ()
    flow_control: FlowControl | None = None
    labels: tuple[str, ...] = ()
    queue: str | None = None
    paused: bool = False


def read_schedule(entry: dict[str, Any]) -> ObservedSchedule | None:
    """Read one entry of the list; None where it cannot be told what it is."""
    id_, destination_ = read_text(entry, "scheduleId"), read_text(entry, "destination")
    headers = read_headers(entry.get("header") or {})
    body = _read_body(entry)
    if id_ is None or destination_ is None or headers is None or body is None:
        return None
    timezone, cron = split_cron(read_text(entry, "cron") or "")
    return ObservedSchedule(
        id=id_,
        destination=destination_,
        cron=cron,
        timezone=timezone,
        method=read_text(entry, "method") or "POST",
        body=body,
        # qstash-py, live tests: the content type is given back among the headers
        headers=tuple(pair for pair in headers if pair[0].lower() != "content-type"),
        content_type=next((value for name, value in headers if name.lower() == "content-type"), None),
        delay_s=read_duration(entry, "delay"),
        retries=read_whole(entry, "retries"),
        retry_delay=read_text(entry, "retryDelayExpression"),
        timeout_s=read_duration(entry, "timeout"),
        callback=read_text(entry, "callback"),
        # qstash-py, schedule.py; openapi.yaml leaves both out
        callback_headers=read_headers(entry.get("callbackHeader") or {}) or (),
        failure_callback=read_text(entry, "failureCallback"),
        failure_callback_headers=read_headers(entry.get("failureCallbackHeader") or {}) or (),
        flow_control=_read_flow_control(entry),
        labels=_read_labels(entry),
        queue=read_text(entry, "queueName"),
        paused=entry.get("isPaused") is True,
    )


def split_cron(text: str) -> tuple[str | None, str]:
    """Split a cron text into its zone, None for UTC, and its five fields."""
    fields = text.split()
    if fields and fields[0].startswith(CRON_ZONE):
        zone = fields.pop(0).partition("=")[2]
        return (None if zone in UTC else zone), " ".join(fields)
    return None, " ".join(fields)


UTC = frozenset({"", "UTC", "Etc/UTC"})
"""Names of the zone that counts where none is named."""


def put_schedule(message: Message, *, id_: str, labels: Sequence[str]) -> Request:
    """Write the request that makes a schedule, or replaces all settings of the one with that id.

    It never has a deduplication id: a repeated one was answered with the id of a deleted schedule, and made nothing
    (upstash/qstash-js issue 39).
    """
    zone = None if message.timezone in UTC else message.timezone
    cron = message.cron or ""
    own = [
        ("Upstash-Cron", cron if zone is None else f"CRON_TZ={zone} {cron}"),
        ("Upstash-Schedule-Id", id_),
    ]
    if message.queue is not None:
        # both SDKs send it; openapi.yaml leaves it out
        own.append(("Upstash-Queue-Name", message.queue))
    settings = HeaderWriter().write(message).pairs(None, ",".join(labels) or None)
    target = f"/v2/schedules/{destination(message)}"
    return Request(method="POST", target=target, headers=(*own, *settings), body=message.body)


def pause_schedule(id_: str, *, paused: bool) -> tuple[Request, Request]:
    """Write the request that pauses or resumes, and the one to send where the first is answered with 404 or 405.

    openapi.yaml has POST; both SDKs send PATCH, and their live tests pass.
    """
    target = f"/v2/schedules/{quote(id_, safe='')}/{'pause' if paused else 'resume'}"
    return Request(method="PATCH", target=target), Request(method="POST", target=target)


def remove_schedule(id_: str) -> Request:
    """Write the request that removes a schedule."""
    return Request(method="DELETE", target=f"/v2/schedules/{quote(id_, safe='')}")


def _read_body(entry: dict[str, Any]) -> bytes | Redacted | None:
    encoded = entry.get("bodyBase64")
    if isinstance(encoded, str) and encoded:
        try:
            return b64decode(encoded, validate=True)
        except (Error, ValueError):
            return None
    text = entry.get("body") or ""
    if not isinstance(text, str):
        return None
    value = read_value(text)
    return value if isinstance(value, Redacted) else value.encode("utf-8", "surrogatepass")


def _read_flow_control(entry: dict[str, Any]) -> FlowControl | None:
    key = read_text(entry, "flowControlKey")
    if key is None:
        return None
    return FlowControl(
        key=key,
        parallelism=read_whole(entry, "parallelism") or None,
        rate=read_whole(entry, "rate") or None,
        period_s=read_duration(entry, "period") or None,
    )


def _read_labels(entry: dict[str, Any]) -> tuple[str, ...]:
    labels = entry.get("labels")
    if isinstance(labels, list):
        return tuple(label for label in labels if isinstance(label, str))
    # qstash-py: `label` is the first one, and deprecated; as it was sent, it may hold several
    return tuple(label for label in (read_text(entry, "label") or "").split(",") if label)
