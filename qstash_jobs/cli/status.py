"""`qstash-jobs status`."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from qstash_jobs.cli import options
from qstash_jobs.cli.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qstash_jobs.boundary import Ledger
    from qstash_jobs.follow import Target
    from qstash_jobs.record import Record, Run


@click.command("status")
@click.argument("what", metavar="[RUN|MESSAGE]", default="")
@options.ledger
@options.environment
@options.env_file
@click.option(
    "--wait",
    envvar="QSTASH_JOBS_WAIT",
    metavar="DURATION",
    help="Ask until all are delivered or have failed, so long at most.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "jsonl"]),
    default="text",
    show_default=True,
    envvar="QSTASH_JOBS_FORMAT",
    help="For people, or a JSON line for each message.",
)
def command(**given: Any) -> int:
    """Ask QStash whether messages were delivered: those of the last run, of RUN, or MESSAGE.

    \b
    Exit codes:
      0  all were delivered
      1  a delivery failed for good, or was cancelled, or a message was rejected
      9  some are not delivered yet
    """
    from qstash_jobs.api.following import describe, follow_messages
    from qstash_jobs.api.world import find_service, project_here, reading_ledger, system_clock
    from qstash_jobs.cli.inputs import check_text, read_duration
    from qstash_jobs.mask import Mask
    from qstash_jobs.report.deliveries import summarise_deliveries, write_followed, write_followed_json
    from qstash_jobs.settings import environment

    check_text("RUN|MESSAGE", given["what"] or None)
    wait_s = read_duration("--wait", given["wait"])
    terminal = Terminal()
    clock = system_clock()
    project = project_here(given["environment"])
    service, warnings = find_service(environment(), project)
    for warning in warnings:
        terminal.warn(f"warning: {warning}")
    terminal.mask = Mask({"QSTASH_TOKEN": service.token})
    states: Counter[str] = Counter()
    with reading_ledger(given["ledger"], project) as ledger:
        targets = _targets(ledger, given["what"], states)
        for progress in follow_messages(targets, service, clock, wait_s=wait_s):
            followed = describe(progress)
            states[followed.state] += 1
            if given["format_"] == "jsonl":
                terminal.result(write_followed_json(followed))
            else:
                line = write_followed(followed, now=clock.now(), width=terminal.width, colour=terminal.colour)
                terminal.result(line)
        idle = None if states else _explain_nothing(ledger, given["what"])
    terminal.note(idle or summarise_deliveries(states))
    if states.keys() & {"failed", "cancelled", "rejected", "refused"}:
        return 1
    return 0 if set(states) <= {"delivered"} else 9


def _explain_nothing(ledger: "Ledger", text: str) -> str | None:
    """Say what a run did that published nothing: what it skipped, another one had published."""
    from qstash_jobs.report.records import shorten_run
    from qstash_jobs.report.wording import write_totals

    runs = ledger.find_runs(text)
    if not runs:
        return None
    return f"the run {shorten_run(runs[0].id)} published nothing: {write_totals(runs[0].totals or {})}"


def _targets(ledger: "Ledger", text: str, states: "Counter[str]") -> "Iterator[Target]":
    from qstash_jobs.errors import UsageError
    from qstash_jobs.follow import Target

    runs = ledger.find_runs(text)
    if runs and (not text or len(runs) == 1):
        _count_unreached(ledger, runs[0], states)
        return _published(ledger.messages(run=runs[0].id), states)
    if len(runs) > 1:
        raise UsageError(f"{len(runs)} runs begin with {text}; give more of its id")
    records = ledger.find_messages(text) if text else []
    if records:
        return _published(records, states)
    if text.startswith("msg_"):
        return iter([Target(message_id=text, name=text, id="", url=None)])
    raise UsageError(f"the ledger knows no run and no message {text}".rstrip() + "; see qstash-jobs runs")


def _count_unreached(ledger: "Ledger", run: "Run", states: "Counter[str]") -> None:
    """Count what the last run never came to: the ledger has no line for it. Of older runs another may have sent it."""
    from qstash_jobs.record import State

    if next(ledger.runs(limit=1)).id == run.id:
        planned = sum(record.state is State.PLANNED for record in ledger.messages(run=run.id))
        unreached = (run.totals or {}).get(State.PLANNED, 0) - planned
        states.update({State.PLANNED: unreached} if unreached > 0 else {})


def _published(records: "Iterable[Record]", states: "Counter[str]") -> "Iterator[Target]":
    """Name what QStash can be asked about; count what it never accepted, which will not be delivered either."""
    from qstash_jobs.api.following import targets_of
    from qstash_jobs.record import State
    from qstash_jobs.report.wording import name_state

    for record in records:
        yield from targets_of([record])
        if not record.message_ids and record.state is not State.ABANDONED:
            states[name_state(record.state)] += 1
        elif len(record.message_ids) < len(record.endpoints):
            states["refused"] += len(record.endpoints) - len(record.message_ids)
