"""A GitHub workflow -> the cron entries of its `on.schedule`.

docs.github.com, "Events that trigger workflows", schedule: five fields of POSIX cron, in UTC, unless an entry has a
`timezone`.
"""

from typing import Any

from qstash_jobs.document import Document, read_document
from qstash_jobs.entries.entry import Entry, LeftOut, Reading, UnreadableEntriesError, explain_cron
from qstash_jobs.problem import Severity

_RUNS = "it runs the workflow, and QStash calls a URL: say which with --url"


def read_workflow(content: bytes, *, file: str, url: str | None) -> Reading:
    """Read the entries; `url` is what a schedule calls instead of running the workflow."""
    document = read_document(content, file=file)
    for problem in document.problems:
        if problem.severity is Severity.ERROR:
            raise UnreadableEntriesError(f"line {problem.location.line}: {problem.message}")
    events = document.data.get("on") if isinstance(document.data, dict) else None
    if events is None:
        raise UnreadableEntriesError("it has no `on`, as a workflow has")
    entries = events.get("schedule") if isinstance(events, dict) else None
    if not isinstance(entries, list):
        return Reading(entries=())
    name = document.data.get("name")
    stem = file.replace("\\", "/").rpartition("/")[2].partition(".")[0]
    return Reading(
        entries=tuple(
            _read_entry(document, number, given, name if isinstance(name, str) and name else stem, url)
            for number, given in enumerate(entries)
        )
    )


def _read_entry(document: Document, number: int, given: Any, name: str, url: str | None) -> Entry | LeftOut:
    line = document.locate(("on", "schedule", number)).line
    cron, timezone = (given.get(key) if isinstance(given, dict) else None for key in ("cron", "timezone"))
    source = f"cron: {cron}" if isinstance(cron, str) else "an entry without cron"
    reason = _find_fault(cron, timezone, url)
    if reason is not None or url is None or not isinstance(cron, str):
        return LeftOut(source=source, line=line, reason=reason or _RUNS)
    return Entry(
        name=name,
        source=source,
        line=line,
        cron=" ".join(cron.split()),
        url=url,
        method="POST",
        timezone=timezone,
    )


def _find_fault(cron: Any, timezone: Any, url: str | None) -> str | None:
    if not isinstance(cron, str):
        return "an entry of on.schedule has a `cron`, a text in quotes"
    if timezone is not None and not isinstance(timezone, str):
        return "its `timezone` is no text"
    return explain_cron(cron) or (_RUNS if url is None else None)
