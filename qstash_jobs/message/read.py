"""Rendered fields of a job -> a Message."""

from collections.abc import Mapping
from typing import Any

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
from qstash_jobs.problem import Finding
from qstash_jobs.rows import Row


def read_message(
    job: Job,
    fields: Mapping[str, Any],
    *,
    name: str,
    row: Row | None,
    read_file: ReadFile,
    secrets: Mapping[str, frozenset[str]],
    outside: Mapping[str, frozenset[str]],
    secret_headers: tuple[str, ...] = (),
    group_names: Mapping[str, str] | None = None,
) -> Message:
    """Read rendered fields that the concrete schema has found in order.

    `secret_headers` names the headers that hold a secret: they, and a body that holds one, are redacted
    without asking. `group_names` gives the account's names of the groups that files declare.

    Raises UnreadableError for what only a look at the value can tell.
    """
    content = read_content(fields, read_file)
    return Message(
        job=job,
        row=row,
        name=name,
        url=fields.get("url"),
        url_group=_read_group(fields.get("url_group"), group_names or {}),
        queue=fields.get("queue"),
        method=fields.get("method"),
        body=content.body,
        binary=content.binary,
        content_type=fields.get("content_type") or content.content_type,
        headers=_read_headers(fields.get("headers")),
        delay_s=_read_duration(fields, "delay"),
        not_before=read_not_before(fields) if "not_before" in fields else None,
        retries=_whole(fields.get("retries")),
        retry_delay=_read_expression(fields.get("retry_delay")),
        timeout_s=_read_duration(fields, "timeout"),
        callback=_read_callback(fields, "callback"),
        failure_callback=_read_callback(fields, "failure_callback"),
        dedup=_read_dedup(fields.get("dedup")),
        flow_control=_read_flow_control(fields),
        labels=tuple(fields.get("labels", ())),
        redaction=_read_redaction(fields.get("redact"), "body" in secrets, secret_headers),
        run_labels=fields.get("run_labels", True),
        cron=fields.get("cron"),
        timezone=fields.get("timezone"),
        secrets=secrets,
        outside=outside,
    )


def _read_group(name: str | None, group_names: Mapping[str, str]) -> str | None:
    return None if name is None else group_names.get(name, name)


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


def _read_duration(fields: Mapping[str, Any], *path: str) -> int | None:
    value: Any = fields
    for key in path:
        value = value.get(key)
        if value is None:
            return None
    try:
        return read_seconds(value)
    except GrammarError as error:
        raise UnreadableError(
            Finding(path=path, rule="schema-duration", message=str(error), hint=error.hint)
        ) from error


def _read_callback(fields: Mapping[str, Any], key: str) -> Callback | None:
    value = fields.get(key)
    if value is None or isinstance(value, str):
        return None if value is None else Callback(url=value)
    return Callback(
        url=value["url"],
        method=value.get("method"),
        headers=_read_headers(value.get("headers")),
        retries=_whole(value.get("retries")),
        retry_delay=_read_expression(value.get("retry_delay")),
        timeout_s=_read_duration(fields, key, "timeout"),
    )


_DEDUP_KINDS = {"per_run": DedupKind.PER_RUN, "content": DedupKind.CONTENT, "none": DedupKind.NONE}


def _read_dedup(value: Any) -> Dedup:
    if value is None or isinstance(value, str):
        return Dedup(kind=_DEDUP_KINDS[value or "per_run"])
    kind = DedupKind.KEY if "key" in value else DedupKind.ID
    try:
        window_s = read_window(value["window"]) if "window" in value else Dedup().window_s
    except GrammarError as error:
        raise UnreadableError(
            Finding(path=("dedup", "window"), rule="schema-duration", message=str(error), hint=error.hint)
        ) from error
    return Dedup(kind=kind, value=_header_text(value.get("key", value.get("id"))), window_s=window_s)


def _read_flow_control(fields: Mapping[str, Any]) -> FlowControl | None:
    value = fields.get("flow_control")
    if value is None:
        return None
    return FlowControl(
        key=_header_text(value["key"]),
        parallelism=_whole(value.get("parallelism")),
        rate=_whole(value.get("rate")),
        period_s=_read_duration(fields, "flow_control", "period"),
    )


def _read_redaction(value: Any, secret_body: bool, secret_headers: tuple[str, ...]) -> Redaction:  # noqa: FBT001
    asked = value or {}
    headers = asked.get("headers")
    named = tuple(headers) if isinstance(headers, list) else ()
    known = {name.lower() for name in named}
    return Redaction(
        body=bool(asked.get("body")) or secret_body,
        all_headers=headers is True,
        headers=(*named, *(name for name in secret_headers if name.lower() not in known)),
    )
