"""`qstash-jobs show`."""

from typing import TYPE_CHECKING, Any

import click

from qstash_jobs.cli import options
from qstash_jobs.cli.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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

    RUN is a run's id or its beginning. MESSAGE is a msg_… id of QStash, our qj-… id or its beginning, or a name.
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
    from qstash_jobs import __version__
    from qstash_jobs.api.world import system_clock
    from qstash_jobs.report import history, messages, page, runs, sheet, spreadsheet, verdicts

    match format_:
        case "json":
            return [runs.write_run_json(run, known)]
        case "jsonl":
            return messages.write_records_jsonl(known)
        case "csv":
            return spreadsheet.write_records_csv(known)
        case "markdown":
            return sheet.write_markdown(
                [history.sheet_of_run(run, _records(known))], most=sheet.MARKDOWN_ROWS
            )
        case "html":
            sheets = [history.sheet_of_run(run, _records(known))]
            return page.write_page(sheets, most=page.ROWS, version=__version__)
        case "junit":
            return [verdicts.write_run_junit(run, _records(known))]
        case _:
            now = system_clock().now()
            return runs.write_run(run, _records(known), now=now, colour=terminal.colour)


def _records(known: "Iterable[Known]") -> "Iterator[Record]":
    return (record for record, _ in known)


def _write_messages(known: "list[Known]", format_: str, terminal: Terminal) -> "Iterable[str]":
    from qstash_jobs import __version__
    from qstash_jobs.api.world import system_clock
    from qstash_jobs.report import history, messages, page, sheet, spreadsheet, verdicts

    match format_:
        case "json":
            return [messages.write_records_json(known)]
        case "jsonl":
            return messages.write_records_jsonl(known)
        case "csv":
            return spreadsheet.write_records_csv(known)
        case "markdown":
            return sheet.write_markdown(list(history.sheets_of_messages(known)), most=sheet.MARKDOWN_ROWS)
        case "html":
            sheets = list(history.sheets_of_messages(known))
            return page.write_page(sheets, most=page.ROWS, version=__version__)
        case "junit":
            return [verdicts.write_messages_junit(_records(known))]
        case _:
            return messages.write_records(known, now=system_clock().now(), colour=terminal.colour)
