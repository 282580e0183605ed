"""`qstash-jobs schedules next`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from qstash_jobs.cli import options
from qstash_jobs.cli.terminal import Terminal

if TYPE_CHECKING:
    from qstash_jobs.api.upcoming import Upcoming


@click.group("schedules")
def command() -> None:
    """Look at the schedules that job files declare, offline."""


@command.command("next")
@options.reading
@click.option(
    "--count",
    type=click.IntRange(1, 1000),
    default=5,
    show_default=True,
    envvar="QSTASH_JOBS_COUNT",
    metavar="N",
    help="Times of each schedule.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "jsonl", "markdown"]),
    default="text",
    show_default=True,
    envvar="QSTASH_JOBS_FORMAT",
    help="For people; a JSON line for each time; for a pull request.",
)
def next_(**given: Any) -> int:
    """Say when each schedule fires next, in its zone and in UTC, and what all of them ask of the plan.

    A time that a clock change skips or doubles is named. --job chooses schedules. PATH is jobs/ where none is given;
    nothing is asked of QStash.
    """
    from qstash_jobs.api.upcoming import look_ahead
    from qstash_jobs.api.world import system_clock
    from qstash_jobs.cli.inputs import read_inputs
    from qstash_jobs.settings import environment

    terminal = Terminal()
    inputs = read_inputs(given, default="jobs/")
    ahead = look_ahead(inputs, environment(), count=given["count"], now=system_clock().now())
    terminal.problems(list(ahead.problems), files=ahead.files)
    if ahead.has_errors:
        return 2
    terminal.results(_write(ahead, given["format_"]))
    _sum_up(ahead, terminal)
    return 0


def _write(ahead: "Upcoming", format_: str) -> Iterator[str]:
    from qstash_jobs.report import upcoming

    match format_:
        case "jsonl":
            return upcoming.write_firings_jsonl(ahead.firings)
        case "markdown":
            return upcoming.write_firings_markdown(ahead.firings)
        case _:
            return upcoming.write_firings(ahead.firings)


def _sum_up(ahead: "Upcoming", terminal: Terminal) -> None:
    from qstash_jobs.report.upcoming import summarise_burden
    from qstash_jobs.report.wording import count

    if ahead.disabled:
        terminal.note(f"{count(ahead.disabled, 'schedule')} disabled, and not counted")
    if ahead.burden is None:
        terminal.note(
            "no schedule fires in the days that are counted" if ahead.firings else "no schedule fires"
        )
        return
    for line in summarise_burden(ahead.burden):
        terminal.note(line)
