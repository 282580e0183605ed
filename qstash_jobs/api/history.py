"""What is asked for of the ledger -> its runs and messages."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from itertools import islice
from typing import Literal

from qstash_jobs.boundary import Ledger
from qstash_jobs.record import Record, Run, State
from qstash_jobs.value import dataclass

_SHOWN: Mapping[str, str] = {State.SENDING: State.IN_DOUBT}
"""What was being sent when its run died may have arrived."""

Outcome = Literal["ok", "failed", "unended"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFilter:
    """Which messages are meant: all that are in one of the states, and of a job that one of the patterns means."""

    states: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    """Patterns of full names or ids."""

    @property
    def is_narrow(self) -> bool:
        """Whether anything is asked for."""
        return bool(self.states or self.jobs)

    def takes(self, record: Record) -> bool:
        """Say whether a message is meant."""
        return self._takes_state(record.state) and self.takes_job(record.slot.job)

    def takes_job(self, name: str) -> bool:
        """Say whether a job is meant."""
        names = (name, name.rpartition(":")[2])
        return not self.jobs or any(fnmatchcase(one, pattern) for pattern in self.jobs for one in names)

    def _takes_state(self, state: State) -> bool:
        return not self.states or _SHOWN.get(state, state) in self.states


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs are meant: those for which all of it holds."""

    messages: MessageFilter = MessageFilter()
    """What a run has at least one message of."""
    outcome: Outcome | None = None
    since: datetime | None = None
    until: datetime | None = None
    run_key: str | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether anything is asked for."""
        return self != RunFilter()

    def takes(self, run: Run) -> bool:
        """Say whether a run is meant, as far as that is known without its messages."""
        return (
            (self.outcome is None or self.outcome == _name_outcome(run))
            and (self.since is None or run.started_at >= self.since)
            and (self.until is None or run.started_at < self.until)
            and (self.run_key is None or self.run_key in run.keys)
            and (not self.messages.states or _has_state(run, self.messages.states))
        )


def find_runs(ledger: Ledger, wanted: RunFilter, *, limit: int) -> Iterator[Run]:
    """Find runs, newest first; where jobs are asked for, the messages that a run wrote last are read."""
    runs = (run for run in ledger.runs() if wanted.takes(run))
    if wanted.messages.jobs:
        runs = (run for run in runs if _has_job(ledger, run, wanted.messages))
    return islice(runs, limit)


def find_messages(ledger: Ledger, run: str, wanted: MessageFilter) -> Iterator[Record]:
    """Find the messages of a run, in the order of its jobs and rows."""
    return (record for record in ledger.messages(run=run) if wanted.takes(record))


def _name_outcome(run: Run) -> Outcome:
    if run.exit_code is None:
        return "unended"
    return "failed" if run.exit_code else "ok"


def _has_state(run: Run, states: tuple[str, ...]) -> bool:
    totals = run.totals or {}
    shown = [_SHOWN.get(state, state) for state, number in totals.items() if number]
    return bool(set(shown) & set(states))


def _has_job(ledger: Ledger, run: Run, wanted: MessageFilter) -> bool:
    return any(wanted.takes_job(record.slot.job) for record in ledger.messages(run=run.id))
