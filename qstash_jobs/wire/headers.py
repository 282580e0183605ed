"""A Message -> the headers that QStash configures it by, in a fixed order.

The names and their values: upstash/docs, qstash/openapi.yaml, and the official SDKs where it is silent.
"""

from collections.abc import Iterator
from functools import cached_property
from operator import attrgetter

import orjson

from qstash_jobs.message import Callback, DedupKind, FlowControl, Message, Redaction
from qstash_jobs.wire.http import Headers

ID, LABEL = "Upstash-Deduplication-Id", "Upstash-Label"


class Letterhead:
    """The headers that the messages of a job share, written once, with room for the two that each has of its own."""

    def __init__(self, before_id: Headers, before_label: Headers = (), after_label: Headers = ()) -> None:
        self._before_id = Block(before_id)
        self._before_label = Block(before_label)
        self._after_label = Block(after_label)

    @property
    def shared(self) -> tuple[str, str, str]:
        """What is shared, as lines: equal exactly where it is equal."""
        return self._before_id.lines, self._before_label.lines, self._after_label.lines

    def pairs(self, dedup_id: str | None, label: str | None) -> Headers:
        """Give a message's headers; what is None has none."""
        id_: Headers = () if dedup_id is None else ((ID, dedup_id),)
        labels: Headers = () if label is None else ((LABEL, label),)
        return (*self._before_id.pairs, *id_, *self._before_label.pairs, *labels, *self._after_label.pairs)

    def json(self, dedup_id: str | None, label: str | None) -> bytes:
        """Write the same headers as a JSON object."""
        id_ = b"" if dedup_id is None else _ID_JSON + orjson.dumps(dedup_id)
        labels = b"" if label is None else _LABEL_JSON + orjson.dumps(label)
        blocks = (self._before_id.json, id_, self._before_label.json, labels, self._after_label.json)
        return b"{" + b"".join(blocks)[1:] + b"}"

    def size(self, dedup_id: str | None, label: str | None) -> int:
        """Return about how many bytes they take as JSON."""
        own = (0 if dedup_id is None else _ID_SIZE + len(dedup_id)) + (
            0 if label is None else _LABEL_SIZE + len(label)
        )
        return self._before_id.size + self._before_label.size + self._after_label.size + own


class Block:
    """Headers in every form in which they are needed, each made once."""

    def __init__(self, pairs: Headers) -> None:
        self.pairs = pairs
        self.lines = "".join([f"{name}:{value}\n" for name, value in pairs])
        self.size = sum(len(name) + len(value) + _QUOTES for name, value in pairs)

    @cached_property
    def json(self) -> bytes:
        return b"".join([_write_name(name) + orjson.dumps(value) for name, value in self.pairs])


def _write_name(name: str) -> bytes:
    return b",%b:" % orjson.dumps(name)


_QUOTES = 6
"""What JSON puts around a name and its value."""

_ID_JSON, _LABEL_JSON = _write_name(ID), _write_name(LABEL)
_ID_SIZE, _LABEL_SIZE = len(ID) + _QUOTES, len(LABEL) + _QUOTES


class HeaderWriter:
    """Writes every setting that a message states; what it leaves open is left to the account.

    Settings that are those of the message before, as a job's mostly are, are not written again.
    """

    def __init__(self) -> None:
        self._settings: tuple[object, ...] = ()
        self._written = Letterhead(())

    def write(self, message: Message) -> Letterhead:
        """Write one message's headers, less its id and its label."""
        settings = _settings(message)
        if settings != self._settings:
            self._written = Letterhead(
                tuple(_write_before_id(message)),
                tuple(_write_before_label(message)),
                tuple(_write_after_label(message)),
            )
            self._settings = settings
        return self._written


_settings = attrgetter(
    "content_type",
    "method",
    "delay_s",
    "not_before",
    "retries",
    "retry_delay",
    "timeout_s",
    "callback",
    "failure_callback",
    "dedup.kind",
    "flow_control",
    "redaction",
    "headers",
)
"""All that the headers are written from, less ids and labels."""


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
