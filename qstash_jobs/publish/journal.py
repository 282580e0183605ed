"""Claims and results -> the ledger, durably; and only then the word to the user.

The order of writes is the promise: a claim is on the disk before its first byte goes out, a result before anybody is
told. Results and the next claims share one transaction.
"""

from collections.abc import Iterable, Iterator, Sequence, Set
from datetime import datetime
from itertools import groupby

from qstash_jobs.boundary import Identity, Ledger
from qstash_jobs.publish.admission import refuse
from qstash_jobs.publish.aside import Aside
from qstash_jobs.publish.queues import Queues
from qstash_jobs.publish.results import withdraw, write_result
from qstash_jobs.publish.settlement import Settlement, Tell
from qstash_jobs.publish.work import Batch, Try
from qstash_jobs.record import Instant, Record, Result, State, Window

_HOLDS_WINDOW = frozenset({State.PUBLISHED, State.DEDUPLICATED, State.PARTIAL, State.IN_DOUBT})
"""What keeps a deduplication id taken; everything else gives it back."""

_STOPS_QUEUE = frozenset({State.PLANNED, State.REJECTED, State.IN_DOUBT})
"""What the rest of a queue may not overtake."""


class Journal:
    """Keeps what is to be written until the ledger has it, and what is to be told until it is told."""

    def __init__(self, ledger: Ledger, *, run: str, tell: Tell, queues: Queues, aside: Aside) -> None:
        self._ledger = ledger
        self._run = run
        self._tell = tell
        self._queues = queues
        self._aside = aside
        self._results: list[Result] = []
        self._released: list[str] = []
        self._refused: list[Record] = []
        self._written: list[Try] = []
        """Those that the results and refusals are of."""
        self._untold: list[Settlement] = []

    @property
    def untold(self) -> list[Settlement]:
        """What is settled and nobody knows yet."""
        return list(self._untold)

    def admit(self, batches: Sequence[Batch], now: Instant) -> list[Batch]:
        """Leave out what may not go after all, and settle it."""
        windows = self._find_windows([batch for batch in batches if batch.needs_admission])
        admitted = []
        for batch in batches:
            if not batch.needs_admission:
                admitted.append(batch)
                continue
            tries = [item for item in batch.tries if self._admits(item, windows, now)]
            if (kept := batch.keep(tries)) is not None:
                admitted.append(kept)
        return admitted

    def record(self, item: Try, left: Settlement, at: datetime, *, goes_again: bool = False) -> None:
        """Take down where an attempt has left its message, and whether this run makes another."""
        self._results.append(write_result(item, left, at, goes_again=goes_again))
        self._written.append(item)
        if left.state not in _HOLDS_WINDOW and (dedup_id := _held_id(item)) is not None:
            self._released.append(dedup_id)

    def settle(self, settlement: Settlement) -> None:
        """Take down that the run is done with a message; a queue stops behind one that did not get through."""
        self._untold.append(settlement)
        if settlement.state in _STOPS_QUEUE:
            self._queues.stop(settlement.envelope.message)

    def leave(self, item: Try, settlement: Settlement, at: datetime) -> None:
        """Settle a message that was to be sent, and is not: what waited for another attempt waits no more."""
        self.settle(settlement)
        if item.before is State.WAITING and settlement.state is not State.REJECTED:
            self._results.append(withdraw(item, at))
            self._written.append(item)

    def write(self, claimed: Sequence[Batch] = (), now: Instant | None = None) -> list[Batch]:
        """Write results, and claims made at `now`, in one transaction; return what was claimed."""
        intents, windows, queues = list(self._refused), [], frozenset[tuple[int, str]]()
        if now is not None:
            intents += self._intents([item for batch in claimed for item in batch.tries], now)
            with_ids = [item for batch in claimed if batch.needs_admission for item in batch.tries]
            windows = [window for item in with_ids if (window := item.window(now)) is not None]
            queues = frozenset(_queues_of(claimed))
        kept = list(claimed)
        if self._results or intents:
            outrun = self._ledger.write(
                results=self._results,
                intents=intents,
                windows=windows,
                released=self._released,
                queues=queues,
            )
            if outrun.claims or outrun.results:
                self._yield(outrun.claims | outrun.results)
                kept = list(self._without(claimed, outrun.claims))
        self._results, self._released, self._refused, self._written = [], [], [], []
        return kept

    def _yield(self, outrun: Set[Identity]) -> None:
        """Tell nothing of messages that another runner has taken over: what becomes of them has to be seen."""
        untold = {one.envelope.slot.identity for one in self._untold} & outrun
        if untold:
            self._untold = [one for one in self._untold if one.envelope.slot.identity not in untold]
            for item in self._written:
                if item.envelope.slot.identity in untold:
                    self._aside.put(item.place, item.envelope)

    def _without(self, claimed: Sequence[Batch], outrun: Set[Identity]) -> Iterator[Batch]:
        """Let those stand aside whose claims another runner was before."""
        for batch in claimed:
            tries = []
            for item in batch.tries:
                if item.envelope.slot.identity in outrun:
                    self._aside.put(item.place, item.envelope)
                else:
                    tries.append(item)
            if (kept := batch.keep(tries)) is not None:
                yield kept

    def tell(self) -> None:
        """Tell of everything that is settled; it has to be written before."""
        untold, self._untold = self._untold, []
        for settlement in untold:
            self._tell(settlement)

    def _find_windows(self, batches: Sequence[Batch]) -> dict[str, Window]:
        ids = (_held_id(item) for batch in batches for item in batch.tries)
        held = [dedup_id for dedup_id in ids if dedup_id is not None]
        return self._ledger.find_windows(held) if held else {}

    def _intents(self, tries: Sequence[Try], now: Instant) -> Iterator[Record]:
        """Write the claims; where a job stands is looked up once for its messages in a row."""
        for job, same_job in groupby(tries, key=lambda item: item.envelope.message.job):
            line = job.line
            yield from (item.intent(self._run, now, line=line) for item in same_job)

    def _admits(self, item: Try, windows: dict[str, Window], now: Instant) -> bool:
        if self._aside.takes(item):
            return False
        mine = item.window(now)
        known = windows.get(mine.dedup_id) if mine is not None else None
        settlement = self._queues.hold_back(item) or refuse(item, known, now)
        if settlement is None:
            if mine is not None:
                windows[mine.dedup_id] = mine
            return True
        self.leave(item, settlement, now.wall)
        if settlement.state is State.REJECTED:
            self._refused.append(item.refusal(self._run, now, settlement.error or ""))
            self._written.append(item)
        return False


def _held_id(item: Try) -> str | None:
    """Return the deduplication id that the ledger itself holds for a message, if it does."""
    return item.envelope.dedup_id if item.envelope.is_held_by_ledger else None


def _queues_of(batches: Iterable[Batch]) -> Iterator[tuple[int, str]]:
    for batch in batches:
        if batch.queues:
            for item in batch.tries:
                if item.envelope.message.queue is not None:
                    yield item.envelope.slot.key, item.envelope.message.queue
