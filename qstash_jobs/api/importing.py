"""Cron entries of other programs -> the Draft of a job file, with what could not be taken over as its omissions."""

from collections.abc import Mapping
from typing import Any, Literal

from qstash_jobs.entries import (
    Entry,
    LeftOut,
    Reading,
    UnreadableEntriesError,
    read_crontab,
    read_vercel,
    read_workflow,
)
from qstash_jobs.errors import UsageError
from qstash_jobs.report.job_file import Draft, Drafted, Omission, escape_expressions
from qstash_jobs.report.keys import Keys
from qstash_jobs.value import dataclass

Source = Literal["crontab", "vercel", "github"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was said of a file of cron entries."""

    source: Source
    file: str
    """As it is shown."""
    content: bytes
    url: str | None = None
    base_url: str | None = None
    timezone: str | None = None


def draft_entries(wanted: Wanted) -> Draft:
    """Draft a schedule for each cron entry of a file; UsageError where it is no such file."""
    try:
        reading = _read(wanted)
    except UnreadableEntriesError as error:
        raise UsageError(f"{wanted.file} cannot be read as {_KINDS[wanted.source]}: {error}") from error
    keys = Keys()
    return Draft(
        schedules=tuple(_draft(one, keys) for one in reading.entries if isinstance(one, Entry)),
        omissions=tuple(_omit(one) for one in reading.entries if isinstance(one, LeftOut)),
        remarks=(f"The cron entries of {wanted.file}, as schedules that QStash keeps", *reading.remarks),
    )


_KINDS: Mapping[Source, str] = {"crontab": "a crontab", "vercel": "a vercel.json", "github": "a workflow"}


def _read(wanted: Wanted) -> Reading:
    match wanted.source:
        case "crontab":
            try:
                text = wanted.content.decode("utf-8-sig")
            except UnicodeDecodeError as error:
                raise UnreadableEntriesError("it is not UTF-8") from error
            return read_crontab(text, url=wanted.url, timezone=wanted.timezone)
        case "vercel":
            if wanted.base_url is None:
                raise UsageError(
                    "the entries of a vercel.json are paths: say whose with --base-url https://…"
                )
            return read_vercel(wanted.content, base_url=wanted.base_url)
        case "github":
            return read_workflow(wanted.content, file=wanted.file, url=wanted.url)


def _draft(entry: Entry, keys: Keys) -> Drafted:
    fields: dict[str, Any] = {"cron": entry.cron}
    if entry.timezone is not None:
        fields["timezone"] = entry.timezone
    fields["url"] = escape_expressions(entry.url)
    if entry.method != "POST":
        fields["method"] = entry.method
    return Drafted(key=keys.make(entry.name), fields=fields, source=_place(entry.line) + entry.source)


def _omit(entry: LeftOut) -> Omission:
    return Omission(what=_place(entry.line) + entry.source, reason=entry.reason)


def _place(line: int) -> str:
    return f"line {line}: " if line else ""
