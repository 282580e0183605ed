"""What is to be sent, and what is to be sent again -> the batches that go next, and when."""

from collections.abc import Callable, Iterator
from dataclasses import field
from datetime import datetime

from qstash_jobs.boundary import Clock
from qstash_jobs.publish.backlog import Backlog
from qstash_jobs.publish.health import Health
from qstash_jobs.publish.pace import Pace
from qstash_jobs.publish.queues import Queues
from qstash_jobs.publish.settlement import Settlement
from qstash_jobs.publish.source import Source
from qstash_jobs.publish.work import Batch, Try
from qstash_jobs.value import dataclass

GROUP_S = 0.02
"""How long batches are gathered for one commit; the answers of those that are out wait meanwhile."""

Busy = frozenset[str]
"""Queues of which a batch is on the wire."""


@dataclass(slots=True, kw_only=True)
class Schedule:
    """Lines batches up: those that go again before new ones, queues in their order, at the pace."""

    source: Source
    queues: Queues
    pace: Pace
    health: Health
    clock: Clock
    leave: Callable[[Try, Settlement, datetime], None]
    next: Batch | None = None
    """Waiting for a sender, or for its time."""
    backlog: Backlog = field(default_factory=Backlog)

    @property
    def has_more(self) -> bool:
        return self.next is not None or bool(self.backlog) or not self.source.is_empty

    def choose(self, room: int, busy: Busy) -> list[Batch]:
        """Take out as many batches as there is room for, and may go now; what goes next is known afterwards."""
        now_s = self.clock.monotonic_s()
        chosen: list[Batch] = []
        while True:
            self.next = self.next or self._pull(now_s, busy)
            if self.next is None or len(chosen) >= room or self.pace.wait_s(now_s) > 0:
                return chosen
            if chosen and self.clock.monotonic_s() - now_s > GROUP_S:
                return chosen
            self.pace.take(len(self.next.tries), now_s)
            chosen.append(self.next)
            busy |= self.next.queues
            self.next = None

    def prepare(self) -> bool:
        """Make something ready that goes later; False where enough is."""
        return self.source.prepare()

    def put_back(self, *batches: Batch, wait_s: float = 0) -> None:
        """Line up batches that were on the wire once more."""
        self.backlog.put_back(*batches, at_s=self.clock.monotonic_s() + wait_s)

    def wait_s(self, busy: Busy) -> float | None:
        """Return how long it is until something may go; None where that hangs on an answer."""
        now_s = self.clock.monotonic_s()
        due_s = now_s if self.next is not None else self.backlog.next_s(busy)
        if due_s is None:
            return None
        return max(due_s - now_s, self.pace.wait_s(now_s), self.health.wait_s(now_s))

    def unfinished(self) -> Iterator[Try]:
        """Give what was sent in this run, or may have been in another, and waits for another try."""
        ahead = (self.next,) if self.next is not None else ()
        for batch in (*ahead, *self.backlog, *self.source.read):
            yield from (
                item for item in batch.tries if item.left is not None or item.doubtful_since is not None
            )

    def _pull(self, now_s: float, busy: Busy) -> Batch | None:
        """Find the next batch; in trouble a new one only where none waits for another try."""
        while True:
            batch = self.backlog.take(now_s, busy)
            if batch is None and (self.health.is_well or not self.backlog):
                batch = self.source.next(busy | self.backlog.queues)
            if batch is None:
                return None
            if (kept := self._without_held_back(batch)) is not None:
                return kept

    def _without_held_back(self, batch: Batch) -> Batch | None:
        """Leave out messages whose queues have stopped."""
        if not batch.queues:
            return batch
        held = [(item, self.queues.hold_back(item)) for item in batch.tries]
        for item, settlement in held:
            if settlement is not None:
                self.leave(item, settlement, self.clock.now())
        return batch.keep([item for item, settlement in held if settlement is None])
