"""`qstash-jobs runs`."""

from typing import TYPE_CHECKING, Any

import click

from qstash_jobs.cli import options
from qstash_jobs.cli.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from qstash_jobs.api.history import RunFilter
    from qstash_jobs.record import Run


@click.command("runs")
@options.ledger
@options.environment
@options.env_file
@options.choosing
@click.option(
    "--outcome",
    type=click.Choice(["ok", "failed", "unended"]),
    help="Only runs that ended with exit code 0, with another, or not at all.",
)
@click.option(
    "--since", metavar="WHEN", help="Started then or later: 2026-01-31, 2026-01-31T09:00Z, or 2d ago."
)
@click.option("--until", metavar="WHEN", help="Started before then.")
@click.option("--run-key", metavar="KEY", help="Only runs with this key.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    envvar="QSTASH_JOBS_LIMIT",
    metavar="N",
    help="At most.",
)
@options.history_format
def command(**given: Any) -> int:
    """List the runs of the ledger, newest first."""
    from qstash_jobs.api.history import find_runs
    from qstash_jobs.api.world import project_here, reading_ledger, system_clock

    terminal = Terminal()
    now = system_clock().now()
    wanted = _read_filter(given, now)
    with reading_ledger(given["ledger"], project_here(given["environment"])) as ledger:
        runs = find_runs(ledger, wanted, limit=given["limit"])
        if given["format_"] != "text":
            terminal.results(_write(runs, given["format_"]))
            return 0
        from qstash_jobs.report.runs import write_runs

        known = list(runs)
        terminal.results(write_runs(known, now=now, width=terminal.width, colour=terminal.colour))
        if not known:
            terminal.note("no such runs" if wanted.is_narrow else "no runs yet")
    return 0


def _read_filter(given: dict[str, Any], now: "datetime") -> "RunFilter":
    from qstash_jobs.api.history import RunFilter
    from qstash_jobs.cli.choosing import read_message_filter, read_moment
    from qstash_jobs.cli.inputs import check_text

    check_text("--run-key", given["run_key"])
    return RunFilter(
        messages=read_message_filter(given),
        outcome=given["outcome"],
        since=read_moment("--since", given["since"], now),
        until=read_moment("--until", given["until"], now),
        run_key=given["run_key"],
    )


def _write(runs: "Iterator[Run]", format_: str) -> "Iterable[str]":
    from qstash_jobs.report.runs import write_runs_json, write_runs_jsonl

    match format_:
        case "json":
            return [write_runs_json(runs)]
        case "jsonl":
            return write_runs_jsonl(runs)
        case "csv":
            from qstash_jobs.report.spreadsheet import write_runs_csv

            return write_runs_csv(runs)
        case "junit":
            from qstash_jobs.report.verdicts import write_runs_junit

            return [write_runs_junit(runs)]
        case _:
            from qstash_jobs.cli.sheets import write_sheets
            from qstash_jobs.report.history import sheet_of_runs

            return write_sheets([sheet_of_runs(runs)], format_)
