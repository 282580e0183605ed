"""`qstash-jobs show`."""

from typing import TYPE_CHECKING, Any

import click

from qstash_jobs.cli import options
from qstash_jobs.cli.terminal import Terminal

if TYPE_CHECKING:
    from qstash_jobs.boundary import Ledger
    from qstash_jobs.record import Run


@click.command("show")
@click.argument("what", metavar="RUN|MESSAGE")
@options.ledger
@options.environment
@options.env_file
@click.option("--run", "run", metavar="RUN", help="The run that the message's name belongs to.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "jsonl"]),
    default="text",
    show_default=True,
    help="For people, one JSON document, or a JSON line for each message.",
)
def command(**given: Any) -> int:
    """Show one run with its messages, or one message, as the ledger knows it.

    RUN is a run's id or its beginning. MESSAGE is a msg_… id of QStash, our qj-… id or its beginning, or a name.
    """
    from qstash_jobs.api.finding import find_known_run, find_run
    from qstash_jobs.api.world import project_here, reading_ledger
    from qstash_jobs.cli.inputs import check_text

    check_text("RUN|MESSAGE", given["what"])
    with reading_ledger(given["ledger"], project_here(given["environment"])) as ledger:
        run = None if given["run"] else find_run(ledger, given["what"])
        if run is not None:
            _show_run(ledger, run, given["format_"])
            return 0
        within = find_known_run(ledger, given["run"]) if given["run"] else None
        _show_message(ledger, given["what"], within.id if within else None, given["format_"])
    return 0


def _show_run(ledger: "Ledger", run: "Run", format_: str) -> None:
    from qstash_jobs.api.finding import add_evidence
    from qstash_jobs.api.world import system_clock
    from qstash_jobs.report.runs import write_records_jsonl, write_run, write_run_json

    terminal = Terminal()
    records = ledger.messages(run=run.id)
    if format_ == "json":
        terminal.result(write_run_json(run, add_evidence(ledger, records)))
    elif format_ == "jsonl":
        terminal.results(write_records_jsonl(add_evidence(ledger, records)))
    else:
        terminal.results(write_run(run, records, now=system_clock().now(), colour=terminal.colour))


def _show_message(ledger: "Ledger", text: str, run: str | None, format_: str) -> None:
    from qstash_jobs.api.world import system_clock
    from qstash_jobs.errors import UsageError
    from qstash_jobs.report.runs import write_record, write_record_json

    found = ledger.find_messages(text, run=run)
    if not found:
        raise UsageError(f"the ledger knows no run and no message {text}; see qstash-jobs runs")
    terminal = Terminal()
    for number, record in enumerate(found):
        (evidence,) = ledger.find_evidence([record.slot])
        if format_ != "text":
            terminal.result(write_record_json(record, evidence))
            continue
        if number:
            terminal.result("")
        now = system_clock().now()
        terminal.results(write_record(record, evidence, now=now, colour=terminal.colour))
