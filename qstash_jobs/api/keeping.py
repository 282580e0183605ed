"""A ledger -> all that it holds, line by line, as `ledger export` writes it; and how much that is."""

from collections.abc import Iterator
from itertools import groupby

from qstash_jobs.api.finding import add_evidence
from qstash_jobs.boundary import Ledger
from qstash_jobs.errors import LedgerError
from qstash_jobs.report.keeping import write_export_message, write_export_run, write_export_window
from qstash_jobs.state import DOUBTFUL


def export(ledger: Ledger) -> Iterator[str]:
    """Write runs, messages and windows as JSON lines; a line for each, in that order."""
    yield from map(write_export_run, ledger.runs())
    keys = {opened.number: opened for opened in ledger.run_keys()}
    for number, records in groupby(ledger.messages(), key=lambda record: record.slot.key):
        if number not in keys:
            raise LedgerError(f"the ledger has lost the run key {number}; see qstash-jobs ledger check")
        for known in add_evidence(ledger, records):
            yield write_export_message(known, keys[number])
    yield from map(write_export_window, ledger.windows())


def count_messages(ledger: Ledger) -> tuple[int, int]:
    """Count the messages of a ledger, and those of them that may have been accepted."""
    messages = doubtful = 0
    for record in ledger.messages():
        messages += 1
        doubtful += record.state in DOUBTFUL
    return messages, doubtful
