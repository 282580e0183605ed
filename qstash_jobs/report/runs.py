"""The ledger's runs -> a list of them, or one with its messages; for people and programs."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from qstash_jobs.record import Record, Run
from qstash_jobs.report.escape import escape, write_json
from qstash_jobs.report.layout import align, pad, paint
from qstash_jobs.report.messages import Known, collect_known, write_record_line
from qstash_jobs.report.records import shorten_run
from qstash_jobs.report.wording import (
    count,
    show_age,
    show_duration,
    show_moment,
    show_when,
    write_moment,
    write_totals,
)

LABEL_WIDTH = 13

EXIT_CODES: Mapping[int, str] = {
    0: "all went well",
    1: "something was rejected",
    2: "the command line, the settings or the job files were wrong",
    3: "something may have been accepted",
    4: "QStash did not accept the token",
    5: "stopped early by a limit, or because QStash could not be reached",
    6: "the ledger could not be read or written",
    7: "another run held the lock",
    9: "time ran out before everything was delivered",
    70: "a fault of qstash-jobs",
    129: "hung up: the terminal was closed",
    130: "interrupted",
    143: "terminated",
}
"""What a run's exit code means, as its history tells it."""


def write_runs(
    runs: Iterable[Run], *, now: datetime, width: int | None = None, colour: bool = False
) -> Iterator[str]:
    """Write a table of runs, a line for each."""
    table = [
        (
            shorten_run(run.id),
            show_age(run.started_at, now),
            show_exit(run),
            show_messages(run),
            escape(name_place(run)),
        )
        for run in runs
    ]
    if not table:
        return
    header, *lines = align([("run", "started", "exit", "messages", "project"), *table], width=width)
    yield paint(header, "bold", colour=colour)
    yield from lines


def write_runs_jsonl(runs: Iterable[Run]) -> Iterator[str]:
    """Write a JSON line for each run."""
    for run in runs:
        yield write_json(collect_run(run))


def write_runs_json(runs: Iterable[Run]) -> str:
    """Write runs as one JSON document."""
    return write_json({"runs": [collect_run(run) for run in runs]})


def write_run(run: Run, records: Iterable[Record], *, now: datetime, colour: bool = False) -> Iterator[str]:
    """Write a run's facts, and a line for each of its messages."""
    yield f"{paint('run', 'bold', colour=colour)} {escape(run.id)}"
    for label, value in describe_run(run, now):
        yield f"  {pad(label, LABEL_WIDTH)} {escape(value)}"
    for number, record in enumerate(records):
        if not number:
            yield ""
        yield write_record_line(record, colour=colour)


def write_run_json(run: Run, known: Iterable[Known]) -> str:
    """Write a run and its messages as one JSON document."""
    return write_json({**collect_run(run), "messages": [collect_known(*one) for one in known]})


def name_place(run: Run) -> str:
    """Name a run's project and environment."""
    return ", ".join(filter(None, (run.project, run.environment)))


def show_exit(run: Run) -> str:
    """Write a run's exit code."""
    return "not ended" if run.exit_code is None else str(run.exit_code)


def show_messages(run: Run) -> str:
    """Write how many messages a run had, by state once that is known."""
    if run.totals is None:
        return count(run.expected, "message")
    return write_totals(run.totals)


def describe_run(run: Run, now: datetime | None) -> Iterator[tuple[str, str]]:
    """Say what is known of a run, as labels and values; how long ago something was only where `now` is known."""
    yield "project", run.project
    if run.environment:
        yield "environment", run.environment
    yield "to", run.target
    for key in run.keys:
        if key != run.id:
            yield "run key", key
    for path in run.paths:
        yield "path", path
    if run.options.get("generation") and run.options.get("by"):
        yield "once more by", str(run.options["by"])
    yield "started", show_when(run.started_at, now)
    if run.ended_at is None or run.exit_code is None:
        yield "ended", "not yet, or it was killed"
    else:
        took = show_duration((run.ended_at - run.started_at).total_seconds())
        yield "ended", f"{show_moment(run.ended_at)}, after {took}"
        meaning = EXIT_CODES.get(run.exit_code)
        yield "exit code", f"{run.exit_code}: {meaning}" if meaning else str(run.exit_code)
    yield "messages", show_messages(run)


def collect_run(run: Run) -> dict[str, object]:
    """Give a run as machines read it."""
    return {
        "id": run.id,
        "project": run.project,
        "environment": run.environment,
        "target": run.target,
        "keys": list(run.keys),
        "paths": list(run.paths),
        "started_at": write_moment(run.started_at),
        "ended_at": write_moment(run.ended_at),
        "exit_code": run.exit_code,
        "expected": run.expected,
        "totals": run.totals,
        "by": run.options.get("by"),
    }
