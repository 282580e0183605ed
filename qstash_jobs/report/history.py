"""Runs, and the messages that the ledger knows -> Sheets. A document is read later: it tells moments, not ages."""

from collections.abc import Iterable, Iterator

from qstash_jobs.record import Record, Run
from qstash_jobs.report.layout import Style
from qstash_jobs.report.messages import Known, describe_known
from qstash_jobs.report.records import STATE_STYLES, ResultLine
from qstash_jobs.report.runs import describe_run, name_place, show_exit, show_messages
from qstash_jobs.report.sheet import Row, Sheet
from qstash_jobs.report.wording import name_state, show_moment

STATES: dict[str, Style] = {name_state(state): style for state, style in STATE_STYLES.items()}

MESSAGE_COLUMNS = ("state", "message", "QStash's id", "answer", "stands in")


def sheet_of_runs(runs: Iterable[Run]) -> Sheet:
    """Show runs, a row for each."""
    return Sheet(
        title="runs",
        columns=("exit code", "run", "started", "messages", "project", "run key"),
        rows=map(_write_run, runs),
        styles={"0": "good", "not ended": "warn"},
        noun="run",
    )


def sheet_of_run(run: Run, records: Iterable[Record]) -> Sheet:
    """Show one run with its messages."""
    return Sheet(
        title=f"run {run.id}",
        facts=tuple(describe_run(run, None)),
        columns=MESSAGE_COLUMNS,
        rows=(write_row(read_result(record)) for record in records),
        styles=STATES,
    )


def sheets_of_messages(known: Iterable[Known]) -> Iterator[Sheet]:
    """Show messages one by one, with all that is known of each."""
    for record, evidence in known:
        facts = tuple(describe_known(record, evidence, None))
        yield Sheet(title=f"message {record.name}", facts=facts, styles=STATES)


def read_result(record: Record) -> ResultLine:
    """Say of a message in the ledger what a run would say of it."""
    return ResultLine(
        id=record.id,
        name=record.name,
        file=record.file,
        line=record.line,
        run=record.run,
        state=record.state.value,
        endpoints=record.endpoints,
        dedup_id=record.dedup_id,
        status=record.status,
        error=record.error,
        attempts=record.attempt,
        row=record.slot.row,
    )


def write_row(result: ResultLine) -> Row:
    """Write a message's row."""
    answer = f"{result.status or ''} {result.error}" if result.error else result.reason or ""
    ids = ", ".join(result.message_ids)
    return name_state(result.state), result.name, ids, answer.strip(), f"{result.file}:{result.line}"


def _write_run(run: Run) -> Row:
    keys = ", ".join(key for key in run.keys if key != run.id)
    return (show_exit(run), run.id, show_moment(run.started_at), show_messages(run), name_place(run), keys)
