"""An Envelope and what will be done with it -> a PlannedMessage: everything that `plan` shows of one message."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from qstash_jobs.envelope import Envelope
from qstash_jobs.grammar import show_seconds
from qstash_jobs.mask import Mask
from qstash_jobs.message import Callback, Dedup, DedupKind, FlowControl, Message, Redaction
from qstash_jobs.value import dataclass
from qstash_jobs.wire.calls import batch_request
from qstash_jobs.wire.http import Request

Action = Literal["publish", "skip", "wait"]
Via = Literal["publish", "enqueue", "batch"]
Facts = tuple[tuple[str, str], ...]
"""What a message says, as labels and values for people, in the order of reading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMessage:
    """What a run would do with one message."""

    id: str
    """`qj-` and 40 hex digits."""
    name: str
    job: str
    """The job's full name; the message's own adds the row."""
    row: int = 0
    """A row's number from 1; 0 for a job without rows."""
    file: str
    line: int
    action: Action
    reason: str | None = None
    """Why it is skipped or waits."""
    via: Via
    request: Request
    """The single form, complete but for Authorization, whatever `via` says."""
    batch: Request | None = None
    """What has to go out instead, where QStash would misread the single form."""
    dedup_id: str | None
    facts: Facts = ()
    notes: tuple[str, ...] = ()
    """What a reader should know before the run."""


def plan_message(
    envelope: Envelope, *, action: Action = "publish", reason: str | None = None, batched: bool
) -> PlannedMessage:
    """Plan one message; `batched` says whether a run puts messages in batches at all."""
    message = envelope.message
    return PlannedMessage(
        id=envelope.id,
        name=message.name,
        job=message.job.name,
        row=envelope.slot.row,
        file=message.job.file,
        line=message.job.line,
        action=action,
        reason=reason,
        via=_choose_way(envelope, batched=batched),
        request=envelope.request,
        batch=batch_request([envelope.batch_item]) if envelope.must_batch else None,
        dedup_id=envelope.dedup_id,
        facts=describe(message),
        notes=tuple(_note(envelope)),
    )


def hide_secrets(planned: PlannedMessage, mask: Mask) -> PlannedMessage:
    """Mask a planned message throughout. To be done before anything of it is cut or laid out anew."""
    return replace(
        planned,
        name=mask.hide(planned.name),
        reason=None if planned.reason is None else mask.hide(planned.reason),
        request=_hide_in_request(planned.request, mask),
        batch=None if planned.batch is None else _hide_in_request(planned.batch, mask),
        dedup_id=None if planned.dedup_id is None else mask.hide(planned.dedup_id),
        facts=tuple((label, mask.hide(value)) for label, value in planned.facts),
    )


def describe(message: Message) -> Facts:
    """Say for people where a message goes and how; its body is not among it."""
    return tuple(_describe(message))


def _hide_in_request(request: Request, mask: Mask) -> Request:
    return replace(
        request,
        target=mask.hide(request.target),
        headers=tuple((name, mask.hide(value)) for name, value in request.headers),
        body=mask.hide_bytes(request.body),
    )


def _choose_way(envelope: Envelope, *, batched: bool) -> Via:
    if envelope.must_batch or (batched and not envelope.alone):
        return "batch"
    return "publish" if envelope.message.queue is None else "enqueue"


def _note(envelope: Envelope) -> Iterator[str]:
    if not envelope.may_repeat:
        yield "it has no deduplication id: a retry may publish it twice"
    if envelope.must_batch:
        yield "it goes in a batch: QStash would take part of its url's query for settings of its own"


def _describe(message: Message) -> Iterator[tuple[str, str]]:
    where = message.url or f"URL group {message.url_group}"
    yield "to", f"{message.method or 'POST'} {where}"
    if message.queue is not None:
        yield "queue", message.queue
    yield from _describe_timing(message)
    yield from _describe_callback("callback", message.callback)
    yield from _describe_callback("on failure", message.failure_callback)
    yield from _describe_dedup(message.dedup)
    yield from _describe_flow_control(message.flow_control)
    if message.labels:
        yield "labels", ", ".join(message.labels)
    yield from _describe_redaction(message.redaction)
    for name, value in message.headers:
        yield "header", f"{name}: {value}"


def _describe_timing(message: Message) -> Iterator[tuple[str, str]]:
    if message.delay_s is not None:
        yield "delay", show_seconds(message.delay_s)
    if message.not_before is not None:
        yield "not before", f"{message.not_before:%Y-%m-%d %H:%M:%S} UTC"
    if message.retries is not None:
        yield "retries", f"{message.retries:,}"
    if message.retry_delay is not None:
        yield "retry delay", f"{message.retry_delay}, in ms"
    if message.timeout_s is not None:
        yield "timeout", show_seconds(message.timeout_s)


def _describe_callback(label: str, callback: Callback | None) -> Iterator[tuple[str, str]]:
    if callback is None:
        return
    facts = [f"{callback.method or 'POST'} {callback.url}"]
    if callback.retries is not None:
        facts.append(f"retries {callback.retries:,}")
    if callback.retry_delay is not None:
        facts.append(f"retry delay {callback.retry_delay} in ms")
    if callback.timeout_s is not None:
        facts.append(f"timeout {show_seconds(callback.timeout_s)}")
    facts += [f"header {name}: {value}" for name, value in callback.headers]
    yield label, ", ".join(facts)


def _describe_dedup(dedup: Dedup) -> Iterator[tuple[str, str]]:
    match dedup.kind:
        case DedupKind.PER_RUN:
            return
        case DedupKind.CONTENT:
            yield "once per", "content"
        case DedupKind.NONE:
            yield "once per", "nothing"
        case DedupKind.KEY:
            yield "once per", f"key {dedup.value}, {_show_window(dedup.window_s)}"
        case DedupKind.ID:
            yield "once per", f"id {dedup.value}, {_show_window(dedup.window_s)}"


def _show_window(window_s: float) -> str:
    return "forever" if window_s == float("inf") else f"for {show_seconds(int(window_s))}"


def _describe_flow_control(flow_control: FlowControl | None) -> Iterator[tuple[str, str]]:
    if flow_control is None:
        return
    limits = [flow_control.key]
    if flow_control.parallelism is not None:
        limits.append(f"{flow_control.parallelism:,} at once")
    if flow_control.rate is not None:
        # qstash-py, tests of flow control: a period that is not said is read back as one second
        period = "1s" if flow_control.period_s is None else show_seconds(flow_control.period_s)
        limits.append(f"{flow_control.rate:,} per {period}")
    yield "flow control", ", ".join(limits)


def _describe_redaction(redaction: Redaction) -> Iterator[tuple[str, str]]:
    hidden = ["the body"] if redaction.body else []
    hidden += ["all headers"] if redaction.all_headers else [f"header {name}" for name in redaction.headers]
    if hidden:
        yield "redacted", ", ".join(hidden)
