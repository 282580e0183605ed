"""Rendered fields of a job -> a Message."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Generic, TypeVar

from qstash_jobs.grammar import GrammarError, read_seconds, read_window
from qstash_jobs.job import Job
from qstash_jobs.message.content import ReadFile, read_content
from qstash_jobs.message.moment import read_not_before
from qstash_jobs.message.types import (
    Callback,
    Dedup,
    DedupKind,
    FlowControl,
    Message,
    Redaction,
    UnreadableError,
)
from qstash_jobs.problem import Finding, Path
from qstash_jobs.rows import Row

T = TypeVar("T")


def read_message(
    job: Job,
    fields: Mapping[str, Any],
    *,
    name: str,
    row: Row | None,
    read_file: ReadFile,
    secrets: Mapping[str, frozenset[str]],
    outside: Mapping[str, frozenset[str]],
) -> Message:
    """Read one message, as a MessageReader reads many."""
    reader = MessageReader(job, read_file=read_file, secret_body="body" in secrets)
    return reader.read(fields, name=name, row=row, secrets=secrets, outside=outside)


class MessageReader:
    """Reads the rendered fields of a job, row after row; what no row changes is read once.

    A secret body and the headers named in `secret_headers` are redacted without asking. `group_names` gives the
    account's names of the groups that files declare.
    """

    def __init__(
        self,
        job: Job,
        *,
        read_file: ReadFile,
        secret_body: bool = False,
        secret_headers: tuple[str, ...] = (),
        group_names: Mapping[str, str] | None = None,
    ) -> None:
        self._job = job
        self._read_file = read_file
        self._group_names = group_names or {}
        self._headers = Known(_read_headers)
        self._callback = Known(lambda value: _read_callback(value, "callback"))
        self._failure_callback = Known(lambda value: _read_callback(value, "failure_callback"))
        self._dedup = Known(_read_dedup)
        self._flow_control = Known(_read_flow_control)
        self._redaction = Known(lambda value: _read_redaction(value, secret_headers, body=secret_body))

    def read(
        self,
        fields: Mapping[str, Any],
        *,
        name: str,
        row: Row | None,
        secrets: Mapping[str, frozenset[str]],
        outside: Mapping[str, frozenset[str]],
    ) -> Message:
        """Read fields that the concrete schema has found in order.

        Raises UnreadableError for what only a look at the value can tell.
        """
        get = fields.get
        content = read_content(fields, self._read_file)
        return Message(
            job=self._job,
            row=row,
            name=name,
            url=get("url"),
            url_group=self._read_group(get("url_group")),
            queue=get("queue"),
            method=get("method"),
            body=content.body,
            binary=content.binary,
            content_type=get("content_type") or content.content_type,
            headers=self._headers.of(get("headers")),
            delay_s=_read_duration(get("delay"), ("delay",)),
            not_before=read_not_before(fields) if "not_before" in fields else None,
            retries=_whole(get("retries")),
            retry_delay=_read_expression(get("retry_delay")),
            timeout_s=_read_duration(get("timeout"), ("timeout",)),
            callback=self._callback.of(get("callback")),
            failure_callback=self._failure_callback.of(get("failure_callback")),
            dedup=self._dedup.of(get("dedup")),
            flow_control=self._flow_control.of(get("flow_control")),
            labels=tuple(get("labels", ())),
            redaction=self._redaction.of(get("redact")),
            run_labels=get("run_labels", True),
            cron=get("cron"),
            timezone=get("timezone"),
            secrets=secrets,
            outside=outside,
        )

    def _read_group(self, name: str | None) -> str | None:
        return None if name is None else self._group_names.get(name, name)


class Known(Generic[T]):
    """Reads a value, unless it is the very one that was read last: rendering shares what no row changes."""

    def __init__(self, read: Callable[[Any], T]) -> None:
        self._read = read
        self._value: object = self
        self._result: T

    def of(self, value: Any) -> T:
        if value is not self._value:
            self._result = self._read(value)
            self._value = value
        return self._result


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def _read_headers(headers: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...]:
    return tuple((name, _header_text(value)) for name, value in (headers or {}).items())


def _header_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _read_expression(value: Any) -> str | None:
    return None if value is None else str(value).strip()


def _read_duration(value: Any, path: Path) -> int | None:
    if value is None:
        return None
    try:
        return read_seconds(_plain(value))
    except GrammarError as error:
        raise UnreadableError(
            Finding(path=path, rule="schema-duration", message=str(error), hint=error.hint)
        ) from error


def _plain(value: Any) -> Any:
    """Take `3.0` for 3: to the schema it is a whole number too, and its digits are kept until here."""
    return int(value) if isinstance(value, Decimal) else value


def _read_callback(value: Any, key: str) -> Callback | None:
    if value is None or isinstance(value, str):
        return None if value is None else Callback(url=value)
    return Callback(
        url=value["url"],
        method=value.get("method"),
        headers=_read_headers(value.get("headers")),
        retries=_whole(value.get("retries")),
        retry_delay=_read_expression(value.get("retry_delay")),
        timeout_s=_read_duration(value.get("timeout"), (key, "timeout")),
    )


_DEDUP_KINDS = {"per_run": DedupKind.PER_RUN, "content": DedupKind.CONTENT, "none": DedupKind.NONE}


def _read_dedup(value: Any) -> Dedup:
    if value is None or isinstance(value, str):
        return Dedup(kind=_DEDUP_KINDS[value or "per_run"])
    kind = DedupKind.KEY if "key" in value else DedupKind.ID
    try:
        window_s = read_window(_plain(value["window"])) if "window" in value else Dedup().window_s
    except GrammarError as error:
        raise UnreadableError(
            Finding(path=("dedup", "window"), rule="schema-duration", message=str(error), hint=error.hint)
        ) from error
    return Dedup(kind=kind, value=_header_text(value.get("key", value.get("id"))), window_s=window_s)


def _read_flow_control(value: Any) -> FlowControl | None:
    if value is None:
        return None
    return FlowControl(
        key=_header_text(value["key"]),
        parallelism=_whole(value.get("parallelism")),
        rate=_whole(value.get("rate")),
        period_s=_read_duration(value.get("period"), ("flow_control", "period")),
    )


def _read_redaction(value: Any, secret_headers: tuple[str, ...], *, body: bool) -> Redaction:
    asked = value or {}
    headers = asked.get("headers")
    named = tuple(headers) if isinstance(headers, list) else ()
    known = {name.lower() for name in named}
    return Redaction(
        body=bool(asked.get("body")) or body,
        all_headers=headers is True,
        headers=(*named, *(name for name in secret_headers if name.lower() not in known)),
    )
