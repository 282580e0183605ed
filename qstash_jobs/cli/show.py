"""`qstash-jobs show`."""

from typing import TYPE_CHECKING, Any

import click

from qstash_jobs.cli import options
from qstash_jobs.cli.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from qstash_jobs.record import Record, Run
    from qstash_jobs.report.messages import Known


@click.command("show")
@click.argument("what", metavar="RUN|MESSAGE")
@options.ledger
@options.environment
@options.env_file
@click.option("--run", "run", metavar="RUN", help="The run that the message's name belongs to.")
@options.choosing
@options.history_format
def command(**given: Any) -> int:
    """Show one run with its messages, or one message, as the ledger knows it.

    RUN is a run's id or its beginning. MESSAGE is a msg_… id of QStash, our qj-… id or its beginning, a name, or the
    bare id of a job.
    --state and --job choose among the messages of a run.
    """
    from qstash_jobs.api.finding import add_evidence, find_known_run, find_run
    from qstash_jobs.api.history import find_messages
    from qstash_jobs.api.world import project_here, reading_ledger
    from qstash_jobs.cli.choosing import read_message_filter
    from qstash_jobs.cli.inputs import check_text
    from qstash_jobs.errors import UsageError

    what, format_ = given["what"], given["format_"]
    check_text("RUN|MESSAGE", what)
    wanted = read_message_filter(given)
    terminal = Terminal()
    with reading_ledger(given["ledger"], project_here(given["environment"])) as ledger:
        run = None if given["run"] else find_run(ledger, what)
        if run is not None:
            records = find_messages(ledger, run.id, wanted)
            terminal.results(_write_run(run, add_evidence(ledger, records), format_, terminal))
            return 0
        if wanted.is_narrow:
            raise UsageError(f"--state and --job choose among the messages of a run, and no run is {what}")
        within = find_known_run(ledger, given["run"]) if given["run"] else None
        found = ledger.find_messages(what, run=within.id if within else None)
        if not found:
            raise UsageError(f"the ledger knows no run and no message {what}; see qstash-jobs runs")
        terminal.results(_write_messages(list(add_evidence(ledger, found)), format_, terminal))
    return 0


def _write_run(run: "Run", known: "Iterator[Known]", format_: str, terminal: Terminal) -> "Iterable[str]":
    from qstash_jobs.report import messages, runs

    match format_:
        case "text":
            return runs.write_run(run, _records(known), now=_now(), colour=terminal.colour)
        case "json":
            return [runs.write_run_json(run, known)]
        case "jsonl":
            return messages.write_records_jsonl(known)
        case "csv":
            from qstash_jobs.report.spreadsheet import write_records_csv

            return write_records_csv(known)
        case "junit":
            from qstash_jobs.report.verdicts import write_run_junit

            return [write_run_junit(run, _records(known))]
        case _:
            from qstash_jobs.cli.sheets import write_sheets
            from qstash_jobs.report.history import sheet_of_run

            return write_sheets([sheet_of_run(run, _records(known))], format_)


def _write_messages(known: "list[Known]", format_: str, terminal: Terminal) -> "Iterable[str]":
    from qstash_jobs.report import messages

    match format_:
        case "text":
            return messages.write_records(known, now=_now(), colour=terminal.colour)
        case "json":
            return [messages.write_records_json(known)]
        case "jsonl":
            return messages.write_records_jsonl(known)
        case "csv":
            from qstash_jobs.report.spreadsheet import write_records_csv

            return write_records_csv(known)
        case "junit":
            from qstash_jobs.report.verdicts import write_messages_junit

            return [write_messages_junit(_records(known))]
        case _:
            from qstash_jobs.cli.sheets import write_sheets
            from qstash_jobs.report.history import sheets_of_messages

            return write_sheets(list(sheets_of_messages(known)), format_)


def _now() -> "datetime":
    from qstash_jobs.api.world import system_clock

    return system_clock().now()


def _records(known: "Iterable[Known]") -> "Iterator[Record]":
    return (record for record, _ in known)
