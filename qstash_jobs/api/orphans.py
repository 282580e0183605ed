"""Doubts that earlier runs left -> those that no message of this run stands for any more, so that somebody is told."""

from collections.abc import Iterable

from qstash_jobs.api.keys import Keys
from qstash_jobs.api.session import Session
from qstash_jobs.boundary import Ledger
from qstash_jobs.publish import Settlement
from qstash_jobs.record import Record


class Orphans:
    """Messages in doubt that a run has not come by: their rows or jobs are gone from the files, or disabled."""

    def __init__(self, doubts: Iterable[Record]) -> None:
        self._left = {record.slot.identity: record for record in doubts}

    def see(self, settlement: Settlement) -> None:
        """Take note that a run has come by a message, whatever became of it."""
        if self._left:
            self._left.pop(settlement.envelope.slot.identity, None)

    @property
    def left(self) -> tuple[Record, ...]:
        """Return those that no run of these files will ever settle."""
        return tuple(self._left.values())


def find_orphans(session: Session, keys: Keys, ledger: Ledger, generation: int) -> Orphans:
    """Find what earlier runs of the session's files left in doubt under its keys, before it publishes anything.

    Where only some jobs were chosen, the others are not missed.
    """
    inputs = session.workspace.inputs
    if inputs.jobs or inputs.schedules:
        return Orphans(())
    files: dict[str, set[str]] = {}
    for file, text in session.keys_by_file.items():
        files.setdefault(text, set()).add(file)
    return Orphans(
        record
        for text, names in files.items()
        if (key := keys.find(text)) is not None
        for record in ledger.doubts(key.number)
        # a job's name is its file's, a colon, and its id, which holds none
        if record.slot.job.rpartition(":")[0] in names
        and record.slot.generation == generation
        and not record.is_held
    )
