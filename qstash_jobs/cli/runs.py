"""`qstash-jobs runs`."""

from typing import Any

import click

from qstash_jobs.cli import options
from qstash_jobs.cli.terminal import Terminal


@click.command("runs")
@options.ledger
@options.environment
@options.env_file
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, metavar="N", help="At most."
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "jsonl"]),
    default="text",
    show_default=True,
    help="For people, or a JSON line for each run.",
)
def command(**given: Any) -> int:
    """List the runs of the ledger, newest first."""
    from qstash_jobs.api.world import project_here, reading_ledger, system_clock
    from qstash_jobs.report.runs import write_runs, write_runs_jsonl

    terminal = Terminal()
    with reading_ledger(given["ledger"], project_here(given["environment"])) as ledger:
        runs = ledger.runs(limit=given["limit"])
        if given["format_"] == "jsonl":
            terminal.results(write_runs_jsonl(runs))
            return 0
        known = list(runs)
        now = system_clock().now()
        terminal.results(write_runs(known, now=now, width=terminal.width, colour=terminal.colour))
        if not known:
            terminal.note("no runs yet")
    return 0
