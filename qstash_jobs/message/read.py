"""Rendered fields of a job -> a Message."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from qstash_jobs.grammar import GrammarError, read_seconds, read_window
from qstash_jobs.job import Job
from qstash_jobs.message.content import NO_TYPE, ReadFile, read_content
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
from qstash_jobs.value import vary

Fields = Mapping[str, Any]

Part = tuple[frozenset[str], Callable[[Fields], Mapping[str, Any]]]
"""Fields of a job that are read together, and what is read from them: attributes of its messages."""


class MessageReader:
    """Reads the rendered fields of a job, row after row; what no row changes is read once.

    `changing` names the fields that rows change. A secret body and the headers named in `secret_headers` are redacted
    without asking. `secrets` and `outside` are what the messages say of themselves. `group_names` gives the account's
    names of the groups that files declare.
    """

    def __init__(
        self,
        job: Job,
        *,
        read_file: ReadFile,
        changing: frozenset[str] = frozenset(),
        secret_headers: tuple[str, ...] = (),
        secrets: Mapping[str, frozenset[str]],
        outside: Mapping[str, frozenset[str]],
        group_names: Mapping[str, str] | None = None,
    ) -> None:
        redacted = Redaction(body="body" in secrets, headers=secret_headers)
        parts: tuple[Part, ...] = (
            (_CONTENT, lambda fields: _read_body(fields, read_file)),
            (_GROUP, lambda fields: _read_group(fields, group_names or {})),
            (_REDACTION, lambda fields: {"redaction": _read_redaction(fields.get("redact"), redacted)}),
            *_PARTS,
        )
        self._parts = [read for _, read in parts]
        self._changing = [read for fields, read in parts if fields & changing]
        self._whole: dict[str, Any] = {"job": job, "secrets": secrets, "outside": outside}
        self._first: Message | None = None

    def read(self, fields: Fields, *, row: Row | None, row_key: str | None = None) -> Message:
        """Read fields that the concrete schema has found in order.

        Raises UnreadableError for what only a look at the value can tell.
        """
        read: dict[str, Any] = {"row": row, "row_key": row_key}
        for read_part in self._parts if self._first is None else self._changing:
            read.update(read_part(fields))
        if self._first is not None:
            return vary(self._first, read)
        self._first = Message(**self._whole, **read)
        return self._first


def _read_body(fields: Fields, read_file: ReadFile) -> Mapping[str, Any]:
    body, type_, binary = read_content(fields, read_file)
    type_ = fields.get("content_type") or type_
    return {"body": body, "binary": binary, "content_type": None if type_ == NO_TYPE else type_}


def _read_group(fields: Fields, names: Mapping[str, str]) -> Mapping[str, Any]:
    name = fields.get("url_group")
    return {"url_group": None if name is None else names.get(name, name)}


def _read_not_before(fields: Fields) -> Mapping[str, Any]:
    return {
        "not_before": read_not_before(fields) if "not_before" in fields else None,
        "timezone": fields.get("timezone"),
    }


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


def _read_redaction(value: Any, always: Redaction) -> Redaction:
    asked = value or {}
    headers = asked.get("headers")
    named = tuple(headers) if isinstance(headers, list) else ()
    known = {name.lower() for name in named}
    return Redaction(
        body=bool(asked.get("body")) or always.body,
        all_headers=headers is True,
        headers=(*named, *(name for name in always.headers if name.lower() not in known)),
    )


def _part(field: str, attribute: str, read: Callable[[Any], Any] = lambda value: value) -> Part:
    """Read one field as one attribute; None is read where the job does not say."""
    return frozenset((field,)), lambda fields: {attribute: read(fields.get(field))}


_CONTENT = frozenset(("body", "body_file", "body_base64", "content_type"))
_GROUP = frozenset(("url_group",))
_REDACTION = frozenset(("redact",))

_PARTS: tuple[Part, ...] = (
    _part("url", "url"),
    _part("queue", "queue"),
    _part("method", "method"),
    _part("headers", "headers", _read_headers),
    _part("delay", "delay_s", lambda value: _read_duration(value, ("delay",))),
    (frozenset(("not_before", "timezone")), _read_not_before),
    _part("retries", "retries", _whole),
    _part("retry_delay", "retry_delay", _read_expression),
    _part("timeout", "timeout_s", lambda value: _read_duration(value, ("timeout",))),
    _part("callback", "callback", lambda value: _read_callback(value, "callback")),
    _part("failure_callback", "failure_callback", lambda value: _read_callback(value, "failure_callback")),
    _part("dedup", "dedup", _read_dedup),
    _part("flow_control", "flow_control", _read_flow_control),
    _part("labels", "labels", lambda value: tuple(value or ())),
    _part("run_labels", "run_labels", lambda value: value is not False),
    _part("cron", "cron"),
    _part("schedule_id", "schedule_id"),
)
