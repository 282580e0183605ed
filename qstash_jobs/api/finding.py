"""What a person types to mean a run or a message -> the one that it means."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from qstash_jobs.boundary import Ledger
from qstash_jobs.errors import LedgerError, UsageError
from qstash_jobs.record import Evidence, OpenKey, Record, Run
from qstash_jobs.state import DOUBTFUL

_CHUNK = 500


def find_run(ledger: Ledger, text: str) -> Run | None:
    """Find the run whose id begins so, None where there is none; UsageError where several do."""
    found = ledger.find_runs(text)
    if len(found) > 1:
        raise UsageError(f"{len(found)} runs begin with {text}; give more of its id")
    return found[0] if found else None


def find_known_run(ledger: Ledger, text: str) -> Run:
    """Find the run whose id begins so; UsageError where none does, or several do."""
    run = find_run(ledger, text)
    if run is None:
        raise UsageError(f"no run begins with {text}; see qstash-jobs runs")
    return run


def find_doubt(ledger: Ledger, text: str, *, run: str | None) -> Record:
    """Find the one message in doubt that a text means; UsageError where it means none, or several."""
    found = ledger.find_messages(text, run=run)
    if not found:
        raise UsageError(f"the ledger knows no message {text}; see qstash-jobs runs")
    doubts = [record for record in found if record.state in DOUBTFUL]
    if len(doubts) > 1:
        raise UsageError(
            f"{text} can mean {len(doubts)} messages in doubt: {_list(doubts)}; give the id of one, or --run"
        )
    if not doubts:
        raise UsageError(f"{_describe(found)}, and only a doubt can be settled")
    return doubts[0]


def find_key(ledger: Ledger, number: int) -> OpenKey:
    """Find the run key that a message belongs to."""
    for opened in ledger.run_keys():
        if opened.number == number:
            return opened
    raise LedgerError(f"the ledger has lost the run key {number}; see qstash-jobs ledger check")


def add_evidence(ledger: Ledger, records: Iterable[Record]) -> Iterator[tuple[Record, tuple[Evidence, ...]]]:
    """Give messages with what others than QStash's answers said of each."""
    waiting = iter(records)
    while chunk := list(islice(waiting, _CHUNK)):
        yield from zip(chunk, ledger.find_evidence([record.slot for record in chunk]), strict=True)


def _describe(records: Sequence[Record]) -> str:
    if len(records) == 1:
        return f"{records[0].name} is {records[0].state}"
    return f"none of the {len(records)} messages that this can mean is in doubt"


def _list(records: Sequence[Record]) -> str:
    return ", ".join(f"{record.id[:11]} ({record.name})" for record in records)
