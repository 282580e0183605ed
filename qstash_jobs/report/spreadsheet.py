"""Runs and messages of the ledger -> CSV (RFC 4180), every fact in a column of its own.

Spreadsheets take a cell that begins with = + - @ for a formula, whatever its quotes; such a text gets a `'` in front.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO

from qstash_jobs.record import Evidence, Record, Run
from qstash_jobs.report.escape import escape
from qstash_jobs.report.messages import Known, collect_known, describe_evidence
from qstash_jobs.report.runs import collect_run
from qstash_jobs.report.wording import STATE_ORDER

# owasp.org, "CSV Injection"; the wide forms are read as the narrow ones in East Asian settings
_FORMULA = re.compile("[ '\"]*[=+@\uff1d\uff0b\uff0d\uff20-]|'")

RUN_COLUMNS = (
    "id",
    "project",
    "environment",
    "target",
    "keys",
    "paths",
    "started_at",
    "ended_at",
    "exit_code",
    "expected",
    "by",
    *STATE_ORDER,
)

RECORD_COLUMNS = (
    "id",
    "name",
    "file",
    "line",
    "run",
    "state",
    "message_ids",
    "endpoints",
    "dedup_id",
    "status",
    "error",
    "attempts",
    "generation",
    "target",
    "first_maybe_sent_at",
    "settled_at",
    "evidence",
)


def write_runs_csv(runs: Iterable[Run]) -> Iterator[str]:
    """Write a header and a line for each run, with a column for the messages of each state."""
    facts = (collect_run(run) | _count_states(run) for run in runs)
    return _write_lines(RUN_COLUMNS, facts)


def write_records_csv(known: Iterable[Known]) -> Iterator[str]:
    """Write a header and a line for each message."""
    return _write_lines(RECORD_COLUMNS, (_collect(*one) for one in known))


def _count_states(run: Run) -> dict[str, object]:
    totals = run.totals
    return {state: None if totals is None else totals.get(state, 0) for state in STATE_ORDER}


def _collect(record: Record, evidence: Sequence[Evidence]) -> dict[str, object]:
    urls = [endpoint.url for endpoint in record.endpoints if endpoint.url is not None]
    said = "; ".join(text for _, text in describe_evidence(evidence))
    return collect_known(record, evidence) | {"endpoints": urls, "evidence": said}


def _write_lines(columns: tuple[str, ...], facts: Iterable[Mapping[str, object]]) -> Iterator[str]:
    yield ",".join(columns)
    for each in facts:
        line = StringIO()
        csv.writer(line, lineterminator="").writerow(_write_cell(each[column]) for column in columns)
        yield line.getvalue()


def _write_cell(value: object) -> str:
    if isinstance(value, int):
        return str(value)
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value or "")
    shown = escape(text)
    return f"'{shown}" if _FORMULA.match(shown) else shown
