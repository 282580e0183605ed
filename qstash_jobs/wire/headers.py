"""A Message -> the headers that QStash configures it by, in a fixed order.

The names and their values: upstash/docs, qstash/openapi.yaml, and the official SDKs where it is silent.
"""

from collections.abc import Iterator

from qstash_jobs.message import Callback, DedupKind, FlowControl, Message, Redaction
from qstash_jobs.wire.http import Headers


class HeaderWriter:
    """Writes every setting that a message states; what it leaves open is left to the account.

    Settings that are those of the message before, as a job's mostly are, are not written again.
    """

    def __init__(self) -> None:
        self._settings: tuple[object, ...] = ()
        self._before_id: Headers = ()
        self._before_label: Headers = ()
        self._after_label: Headers = ()

    def write(self, message: Message, *, dedup_id: str | None, labels: tuple[str, ...]) -> Headers:
        """Write one message's headers; `labels` are put behind its own."""
        settings = _settings(message)
        if settings != self._settings:
            self._before_id = tuple(_write_before_id(message))
            self._before_label = tuple(_write_before_label(message))
            self._after_label = tuple(_write_after_label(message))
            self._settings = settings
        id_: Headers = () if dedup_id is None else (("Upstash-Deduplication-Id", dedup_id),)
        labels = (*message.labels, *labels)
        label: Headers = (("Upstash-Label", ",".join(labels)),) if labels else ()
        return (*self._before_id, *id_, *self._before_label, *label, *self._after_label)


def _settings(message: Message) -> tuple[object, ...]:
    """Gather all that the headers are written from, less ids and labels."""
    return (
        message.content_type,
        message.method,
        message.delay_s,
        message.not_before,
        message.retries,
        message.retry_delay,
        message.timeout_s,
        message.callback,
        message.failure_callback,
        message.dedup,
        message.flow_control,
        message.redaction,
        message.headers,
    )


def _write_before_id(message: Message) -> Iterator[tuple[str, str]]:
    if message.content_type is not None:
        yield "Content-Type", message.content_type
    if message.method is not None:
        yield "Upstash-Method", message.method
    yield from _write_timing(message)
    yield from _write_callback("Upstash-Callback", message.callback)
    yield from _write_callback("Upstash-Failure-Callback", message.failure_callback)


def _write_before_label(message: Message) -> Iterator[tuple[str, str]]:
    if message.dedup.kind is DedupKind.CONTENT:
        # Python's SDK writes True and False; only `true` is documented (upstash docs, features/deduplication)
        yield "Upstash-Content-Based-Deduplication", "true"
    yield from write_flow_control(message.flow_control)


def _write_after_label(message: Message) -> Iterator[tuple[str, str]]:
    yield from write_redaction(message.redaction)
    for name, value in message.headers:
        yield f"Upstash-Forward-{name}", value


def _write_timing(message: Message) -> Iterator[tuple[str, str]]:
    if message.delay_s is not None:
        yield "Upstash-Delay", write_duration(message.delay_s)
    if message.not_before is not None:
        yield "Upstash-Not-Before", str(int(message.not_before.timestamp()))
    if message.retries is not None:
        yield "Upstash-Retries", str(message.retries)
    if message.retry_delay is not None:
        yield "Upstash-Retry-Delay", message.retry_delay
    if message.timeout_s is not None:
        yield "Upstash-Timeout", write_duration(message.timeout_s)


def write_duration(seconds: int) -> str:
    """Write whole seconds: the one form that every duration field takes (openapi.yaml)."""
    return f"{seconds}s"


def _write_callback(prefix: str, callback: Callback | None) -> Iterator[tuple[str, str]]:
    if callback is None:
        return
    yield prefix, callback.url
    if callback.method is not None:
        yield f"{prefix}-Method", callback.method
    if callback.retries is not None:
        yield f"{prefix}-Retries", str(callback.retries)
    if callback.retry_delay is not None:
        yield f"{prefix}-Retry-Delay", callback.retry_delay
    if callback.timeout_s is not None:
        yield f"{prefix}-Timeout", write_duration(callback.timeout_s)
    for name, value in callback.headers:
        # without `Forward` it would be configuration and reach nobody (qstash-py, message.py prepare_headers)
        yield f"{prefix}-Forward-{name}", value


def write_flow_control(flow_control: FlowControl | None) -> Iterator[tuple[str, str]]:
    """Write a flow control's key, and its limits in the order that both SDKs use."""
    if flow_control is None:
        return
    limits = [
        f"parallelism={flow_control.parallelism}" if flow_control.parallelism is not None else None,
        f"rate={flow_control.rate}" if flow_control.rate is not None else None,
        f"period={write_duration(flow_control.period_s)}" if flow_control.period_s is not None else None,
    ]
    yield "Upstash-Flow-Control-Key", flow_control.key
    yield "Upstash-Flow-Control-Value", ", ".join(limit for limit in limits if limit is not None)


def write_redaction(redaction: Redaction) -> Iterator[tuple[str, str]]:
    """Write the fields that QStash's log and API hide."""
    fields = ["body"] if redaction.body else []
    if redaction.all_headers:
        # the docs print `headers`, both SDKs send `header`, and qstash-js's live test shows that it is honoured
        fields.append("header")
    else:
        fields += [f"header[{name}]" for name in redaction.headers]
    if fields:
        yield "Upstash-Redact-Fields", ",".join(fields)
