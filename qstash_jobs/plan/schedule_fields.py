"""What a schedule is declared to be, beside what the account shows of it: field by field, and a digest of the rest."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import orjson

from qstash_jobs.grammar import show_seconds
from qstash_jobs.identity import settings_digest
from qstash_jobs.mask import MASKED
from qstash_jobs.message import Callback, Message
from qstash_jobs.plan.changes import Comparison, FieldChange, is_telling, show_value
from qstash_jobs.plan.ownership import Owner, is_mark
from qstash_jobs.problem import Location
from qstash_jobs.value import dataclass
from qstash_jobs.wire.resources.fields import Redacted, Value
from qstash_jobs.wire.resources.schedules import (
    UTC,
    ObservedSchedule,
)

UNSEEN = "not_given_back"
"""The field that stands for the settings that QStash keeps to itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredSchedule:
    """A schedule as the files want it."""

    key: str
    id: str
    """In the account."""
    is_adopted: bool
    """The file names the id itself: whoever made it, it is this project's to change."""
    message: Message
    paused: bool | None
    """None where the file does not say: then it stays as it is."""
    location: Location
    missing_secrets: frozenset[str] = frozenset()
    """Secrets that are not known here, so that what they went into cannot be compared."""

    def is_unknown(self, field: str) -> bool:
        """Say whether a field holds a secret that is not known here."""
        return bool(self.message.secrets.get(field, frozenset()) & self.missing_secrets)


def compare_fields(
    declared: DeclaredSchedule, observed: ObservedSchedule, owner: Owner, digest: str
) -> tuple[FieldChange, ...]:
    """Compare all that is compared of a schedule: what differs, in the order in which a file says it."""
    message, found = declared.message, Comparison()
    secret = frozenset(message.secrets)

    def add(field: str, old: str | int | None, new: str | int | None) -> None:
        if not declared.is_unknown(field.partition(".")[0]):
            found.add(field, old, new, is_secret=field.partition(".")[0] in secret)

    for field, old, new in _pair(message, observed):
        add(field, old, new)
    _compare_content(declared, observed, found)
    if declared.paused is not None:
        found.add("enabled", not observed.paused, not declared.paused)
    known = owner.read_digest(observed.labels)
    if known is not None and not any(map(declared.is_unknown, ("callback", "failure_callback", "queue"))):
        found.add(UNSEEN, known, digest)
    return tuple(found.changes)


def _pair(
    message: Message, observed: ObservedSchedule
) -> Iterator[tuple[str, str | int | None, str | int | None]]:
    """Yield the fields that can be compared as they are. One that the file does not say is as the account has it."""
    at_url = is_url(observed)
    yield "url", observed.destination if at_url else None, message.url
    yield "url_group", None if at_url else observed.destination, message.url_group
    yield "cron", observed.cron, " ".join((message.cron or "").split())
    yield "timezone", observed.timezone, None if message.timezone in UTC else message.timezone
    yield "method", observed.method, message.method or "POST"
    yield "delay", _show(observed.delay_s), _show(message.delay_s)
    if message.retries is not None:
        yield "retries", observed.retries or 0, message.retries
    if message.retry_delay is not None:
        yield "retry_delay", observed.retry_delay, message.retry_delay
    if message.timeout_s is not None and observed.timeout_s is not None:
        yield "timeout", _show(observed.timeout_s), _show(message.timeout_s)
    if message.queue is None or observed.queue is not None:
        yield "queue", observed.queue, message.queue
    yield "callback", observed.callback, message.callback.url if message.callback else None
    failed = message.failure_callback
    yield "failure_callback", observed.failure_callback, failed.url if failed else None
    yield from _pair_flow_controls(message, observed)
    yield "labels", _join_labels(observed.labels), _join_labels(message.labels)


def _join_labels(labels: Iterable[str]) -> str | None:
    """Join labels less marks: whose a schedule is does not change what it is."""
    return ", ".join(sorted({label for label in labels if not is_mark(label)})) or None


def is_url(observed: ObservedSchedule) -> bool:
    """Say whether a schedule goes to a URL, and not to a URL group."""
    return observed.destination.startswith(("http://", "https://"))


def _pair_flow_controls(
    message: Message, observed: ObservedSchedule
) -> Iterator[tuple[str, str | int | None, str | int | None]]:
    old, new = observed.flow_control, message.flow_control
    yield "flow_control.key", old.key if old else None, new.key if new else None
    yield (
        "flow_control.parallelism",
        old.parallelism if old else None,
        (new.parallelism or None) if new else None,
    )
    yield "flow_control.rate", old.rate if old else None, (new.rate or None) if new else None
    # qstash-py, live test: a period that is not said is read back as one second; without a rate it means nothing
    periods = ((one.period_s or 1) if one is not None and one.rate else None for one in (old, new))
    old_s, new_s = periods
    yield "flow_control.period", _show(old_s), _show(new_s)


def _show(seconds: int | None) -> str | None:
    return show_seconds(seconds) if seconds else None


def _compare_content(declared: DeclaredSchedule, observed: ObservedSchedule, found: Comparison) -> None:
    message, redaction = declared.message, declared.message.redaction
    hidden = {name.lower() for name in redaction.headers}

    def is_secret(name: str) -> bool:
        return redaction.all_headers or name.lower() in hidden or is_telling(name)

    found.add_headers(
        "headers",
        observed.headers,
        message.headers,
        is_secret=is_secret,
        skips=lambda value: declared.is_unknown("headers") and MASKED in value,
    )
    if message.content_type is not None and not _is_type(observed.content_type, message.content_type):
        found.put("content_type", show_value(observed.content_type), message.content_type)
    if not declared.is_unknown("body") and not _is_body(observed.body, message.body):
        found.put(
            "body",
            _show_body(observed.body),
            _show_body(message.body),
            is_secret=redaction.body or "body" in message.secrets,
        )
    _compare_redaction(message, observed, found)


def _compare_redaction(message: Message, observed: ObservedSchedule, found: Comparison) -> None:
    """Note where the account shows what should be hidden, or hides what should be shown."""
    redaction = message.redaction
    named = {name.lower() for name in redaction.headers}
    if observed.body and isinstance(observed.body, Redacted) != redaction.body:
        found.put("redact.body", not redaction.body, redaction.body)
    for name, value in observed.headers:
        wanted = redaction.all_headers or name.lower() in named
        if isinstance(value, Redacted) != wanted and any(
            name.lower() == own.lower() for own, _ in message.headers
        ):
            found.put(f"redact.headers.{name}", not wanted, wanted)


def _is_type(old: Value | None, new: str) -> bool:
    return old.hides(new.encode()) if isinstance(old, Redacted) else old == new


def _is_body(old: bytes | Redacted, new: bytes) -> bool:
    return old.hides(new) if isinstance(old, Redacted) else old == new


def _show_body(body: bytes | Redacted) -> str | None:
    if isinstance(body, Redacted):
        return MASKED
    if not body:
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return f"{len(body):,} bytes that are no text, {settings_digest(body.hex())}"


def describe_fields(declared: DeclaredSchedule) -> Iterator[FieldChange]:
    """Yield what a new schedule is given, secrets that are not known here included."""
    declared = replace(declared, missing_secrets=frozenset())
    nothing = ObservedSchedule(id=declared.id, destination="", cron="", method="", body=b"")
    found = Comparison()
    for field, _, new in _pair(declared.message, nothing):
        if field != "method" or declared.message.method is not None:
            found.add(field, None, new, is_secret=field in declared.message.secrets)
    if declared.message.queue is not None:
        found.add("queue", None, declared.message.queue)
    if declared.message.timeout_s is not None:
        found.add("timeout", None, _show(declared.message.timeout_s))
    _compare_content(declared, nothing, found)
    if declared.paused is not None:
        found.add("enabled", None, not declared.paused)
    yield from found.changes


def digest_unseen(message: Message) -> str:
    """Digest what QStash does not give back of a schedule, or not surely.

    openapi.yaml leaves out timeout, queue, and what callbacks have beside their URL; redaction shows in what it
    hides only; and of a setting that is not said, the account's own is given back.
    """
    redaction = message.redaction
    # where all are hidden, names beside that say nothing and are not sent
    named = [] if redaction.all_headers else sorted(name.lower() for name in redaction.headers)
    unseen = {
        "queue": message.queue,
        "timeout": message.timeout_s,
        "redact": [redaction.body, redaction.all_headers, named],
        "callback": _list_callback(message.callback),
        "failure_callback": _list_callback(message.failure_callback),
        "said": [
            message.retries is not None,
            message.retry_delay is not None,
            message.content_type is not None,
        ],
    }
    return settings_digest(orjson.dumps(unseen, option=orjson.OPT_SORT_KEYS).decode())


def _list_callback(callback: Callback | None) -> list[object] | None:
    if callback is None:
        return None
    headers = sorted([name.lower(), value] for name, value in callback.headers)
    return [callback.method, headers, callback.retries, callback.retry_delay, callback.timeout_s]
