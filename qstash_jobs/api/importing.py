"""Cron entries of other programs -> a job file that is in order, with what could not be taken over as its comments."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from qstash_jobs.api.validate import keys_of, look_at
from qstash_jobs.api.workspace import STDIN, Inputs, load
from qstash_jobs.document import read_document
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
from qstash_jobs.problem import Problem, Severity
from qstash_jobs.report.job_file import Draft, Drafted, Omission, escape_expressions, write_job_file
from qstash_jobs.value import dataclass

Source = Literal["crontab", "vercel", "github"]

LONGEST_KEY = 40


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
    name = key_maker()
    return Draft(
        schedules=tuple(_draft(one, name) for one in reading.entries if isinstance(one, Entry)),
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


def key_maker() -> Callable[[str], str]:
    """Make what makes keys of names: legal ones, each once."""
    taken: set[str] = set()

    def make(name: str) -> str:
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:LONGEST_KEY] or "schedule"
        key, number = stem, 1
        while key in taken:
            number += 1
            key = f"{stem}-{number}"
        taken.add(key)
        return key

    return make


def _draft(entry: Entry, name: Callable[[str], str]) -> Drafted:
    fields: dict[str, Any] = {"cron": entry.cron}
    if entry.timezone is not None:
        fields["timezone"] = entry.timezone
    fields["url"] = escape_expressions(entry.url)
    if entry.method != "POST":
        fields["method"] = entry.method
    return Drafted(key=name(entry.name), fields=fields, comments=(_place(entry.line) + entry.source,))


def _omit(entry: LeftOut) -> Omission:
    return Omission(what=_place(entry.line) + entry.source, reason=entry.reason)


def _place(line: int) -> str:
    return f"line {line}: " if line else ""


def keep_valid(draft: Draft, *, here: Path, environment: str, env: Mapping[str, str]) -> Draft:
    """Leave out what `validate` would refuse, each with the reason: what is written has to be in order."""
    while len(draft):
        refused = _find_refused(draft, here=here, environment=environment, env=env)
        if not refused:
            return draft
        omissions = (*draft.omissions, *_omit_refused(draft, refused))
        draft = replace(draft.without(refused), omissions=omissions)
    return draft


def _find_refused(
    draft: Draft, *, here: Path, environment: str, env: Mapping[str, str]
) -> Mapping[tuple[str, str], str]:
    """Find what is not in order: where it stands in the draft, and why."""
    text = write_job_file(draft).encode()
    workspace = load(Inputs(paths=(STDIN,), here=here, environment=environment, stdin=text))
    session = look_at(workspace, env, {}, keys=keys_of(workspace))
    errors = [problem for problem in session.check() if problem.severity is Severity.ERROR]
    document = read_document(text, file="stdin")
    places = sorted(
        (document.locate((section, one.key), key=True).line, section, one.key)
        for section, drafted in draft.sections()
        for one in drafted
    )
    refused: dict[tuple[str, str], str] = {}
    for problem in errors:
        index = bisect_right(places, problem.location.line, key=lambda place: place[0]) - 1
        if problem.location.file != "stdin" or index < 0:
            place = f"{problem.location.file}:{problem.location.line}"
            raise UsageError(f"{place}: {problem.message}; mend that first")
        refused.setdefault(places[index][1:], _explain(problem))
    return refused


def _explain(problem: Problem) -> str:
    hint = f"; {problem.hint}" if problem.hint else ""
    return f"{problem.message}{hint} ({problem.rule})"


def _omit_refused(draft: Draft, refused: Mapping[tuple[str, str], str]) -> Iterator[Omission]:
    for section, drafted in draft.sections():
        for one in drafted:
            reason = refused.get((section, one.key))
            if reason is not None:
                what = " ".join((*one.comments[-1:], *_name(section, one)))
                yield Omission(what=what, reason=reason)


def _name(section: str, drafted: Drafted) -> Iterable[str]:
    return () if drafted.comments else (section, drafted.key)
