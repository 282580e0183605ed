"""Messages in their order -> batches that may go now: what the ledger knows is skipped, queues keep their order."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from qstash_jobs.boundary import Clock, Ledger
from qstash_jobs.envelope import Envelope
from qstash_jobs.publish.decide import ABANDONED, Hold, Send, Skip, decide, look_up
from qstash_jobs.publish.queues import Queues
from qstash_jobs.publish.settlement import SettledState, Settlement, Tell
from qstash_jobs.publish.work import Batch, Try, gather
from qstash_jobs.record import SETTLED, Instant, Record, State

LOOK_UP = 50
"""Messages that the ledger is asked about at once; answers wait while they are made."""

AHEAD = 100
"""Messages that are made ready while there is nothing else to do."""

PARKED = 8
"""Batches that may wait for their queue; past that the source itself waits."""


class Source:
    """Hands out batches whose queues are free, and parks the others."""

    def __init__(
        self,
        envelopes: Iterable[Envelope],
        *,
        run: str,
        ledger: Ledger,
        clock: Clock,
        tell: Tell,
        most: int,
        skip: frozenset[str] = frozenset(),
    ) -> None:
        self._run = run
        self._skip = skip
        self._ledger = ledger
        self._clock = clock
        self._tell = tell
        self._held = Queues()
        self._batches = gather(self._sendable(envelopes), most=most)
        self._parked: deque[Batch] = deque()
        self._ahead: deque[Batch] = deque()
        self._most_ahead = max(1, AHEAD // most)
        self._is_exhausted = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to hand out, now or later."""
        return self._is_exhausted and not self._parked and not self._ahead

    @property
    def read(self) -> Iterator[Batch]:
        """What was read, and waits for its queue or its turn."""
        return chain(self._parked, self._ahead)

    def prepare(self) -> bool:
        """Make another batch ready; False where enough are, or none is left."""
        if self._is_exhausted or len(self._ahead) >= self._most_ahead:
            return False
        pulled = self._pull()
        if pulled is not None:
            self._ahead.append(pulled)
        return pulled is not None

    def next(self, busy: frozenset[str]) -> Batch | None:
        """Return the first batch that needs none of the busy queues, or None while there is none."""
        passed = set(busy)
        for index, batch in enumerate(self._parked):
            if passed.isdisjoint(batch.queues):
                del self._parked[index]
                return batch
            passed |= batch.queues
        while len(self._parked) < PARKED:
            pulled = self._ahead.popleft() if self._ahead else self._pull()
            if pulled is None:
                return None
            if passed.isdisjoint(pulled.queues):
                return pulled
            self._parked.append(pulled)
            passed |= pulled.queues
        return None

    def _pull(self) -> Batch | None:
        pulled = next(self._batches, None)
        self._is_exhausted = pulled is None
        return pulled

    def _sendable(self, envelopes: Iterable[Envelope]) -> Iterator[Try]:
        waiting = iter(envelopes)
        while chunk := list(islice(waiting, LOOK_UP)):
            now = self._clock.instant()
            for envelope, record in zip(chunk, look_up(chunk, self._ledger), strict=True):
                item = self._decide(envelope, record, now)
                if item is None:
                    continue
                if (held := self._held.hold_back(item)) is not None:
                    self._tell(held)
                else:
                    yield item

    def _decide(self, envelope: Envelope, record: Record | None, now: Instant) -> Try | None:
        """Make a try of what is to be sent, and tell of everything else."""
        if envelope.message.name in self._skip and _is_open(record):
            self._abandon(envelope, record, now)
            return None
        decision = decide(envelope, record, now)
        match decision:
            case Send():
                since = decision.doubtful_since
                return Try(
                    envelope=envelope,
                    attempt=decision.attempt,
                    before=record.state if record else None,
                    doubtful_since=since,
                )
            case Skip():
                self._tell(_settled(envelope, decision.record, "skipped", decision.reason))
            case Hold():
                self._tell(_settled(envelope, decision.record, State.IN_DOUBT, decision.reason))
                self._held.stop(envelope.message)
        return None

    def _abandon(self, envelope: Envelope, record: Record | None, now: Instant) -> None:
        """Leave a message out for good."""
        left = Try(
            envelope=envelope,
            attempt=1 + (record.attempt if record else 0),
            before=record.state if record else None,
        )
        abandoned = left.abandonment(self._run, now)
        self._ledger.write(intents=[abandoned])
        self._tell(_settled(envelope, abandoned, "skipped", ABANDONED))


def _is_open(record: Record | None) -> bool:
    """Say whether there is something to leave out: what is published is done with already."""
    return record is None or record.state not in SETTLED or record.is_foreign


def _settled(envelope: Envelope, record: Record, state: SettledState, reason: str) -> Settlement:
    return Settlement(
        envelope=envelope,
        state=state,
        reason=reason,
        endpoints=record.endpoints,
        status=record.status,
        error=record.error,
        attempts=record.attempt,
        foreign=record.is_foreign,
    )
