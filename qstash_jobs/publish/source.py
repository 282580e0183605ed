"""Messages in their order -> batches that may go now: what the ledger knows is skipped, queues keep their order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice

from qstash_jobs.boundary import Clock, Ledger
from qstash_jobs.envelope import Envelope
from qstash_jobs.publish.decide import Hold, Send, Skip, decide
from qstash_jobs.publish.results import Settlement
from qstash_jobs.publish.work import Batch, Try, gather
from qstash_jobs.record import SETTLED, Record, State

LOOK_UP = 500
"""Messages that the ledger is asked about at once."""

PARKED = 8
"""Batches that may wait for their queue; past that the source itself waits."""

Tell = Callable[[Settlement], None]


class Source:
    """Hands out batches whose queues are free, and remembers the ones that are not."""

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
        self._batches = gather(self._sendable(envelopes), most=most)
        self._parked: deque[Batch] = deque()
        self._stopped: dict[str, str] = {}
        self.exhausted = False

    def stop_queue(self, queue: str, name: str) -> None:
        """Leave what is still to come of a queue planned: one of its messages did not get through."""
        self._stopped.setdefault(queue, name)

    def next(self, busy: Callable[[str], bool]) -> Batch | None:
        """Return the first batch whose queues are free, or None while there is none."""
        taken: set[str] = set()
        for index, batch in enumerate(self._parked):
            if not any(busy(queue) or queue in taken for queue in batch.queues):
                del self._parked[index]
                kept = self._without_stopped(batch)
                return kept or self.next(busy)
            taken |= batch.queues
        while len(self._parked) < PARKED:
            pulled = self._pull()
            if pulled is None or not any(busy(queue) or queue in taken for queue in pulled.queues):
                return pulled
            self._parked.append(pulled)
            taken |= pulled.queues
        return None

    def is_empty(self) -> bool:
        """Whether nothing is left to hand out, now or later."""
        return self.exhausted and not self._parked

    def _pull(self) -> Batch | None:
        for batch in self._batches:
            kept = self._without_stopped(batch)
            if kept is not None:
                return kept
        self.exhausted = True
        return None

    def _without_stopped(self, batch: Batch) -> Batch | None:
        if not self._stopped:
            return batch
        kept = [item for item in batch.tries if item.envelope.message.queue not in self._stopped]
        for item in batch.tries:
            queue = item.envelope.message.queue
            if queue in self._stopped:
                reason = f"the queue {queue} waits for {self._stopped[queue or '']}"
                self._tell(Settlement(envelope=item.envelope, state=State.PLANNED, reason=reason))
        return batch.keep(kept) if kept else None

    def _sendable(self, envelopes: Iterable[Envelope]) -> Iterator[Try]:
        waiting = iter(envelopes)
        while chunk := list(islice(waiting, LOOK_UP)):
            for envelope, record in self._look_up(chunk):
                if envelope.message.name in self._skip:
                    self._abandon(envelope, record)
                    continue
                decision = decide(envelope, record, self._clock.instant())
                match decision:
                    case Send():
                        yield Try(
                            envelope=envelope,
                            attempt=decision.attempt,
                            doubtful_since=decision.doubtful_since,
                        )
                    case Skip():
                        self._tell(_settled(envelope, decision.record, "skipped", decision.reason))
                    case Hold():
                        self._tell(_settled(envelope, decision.record, State.IN_DOUBT, decision.reason))
                        if envelope.message.queue is not None:
                            self.stop_queue(envelope.message.queue, envelope.message.name)

    def _abandon(self, envelope: Envelope, record: Record | None) -> None:
        """Leave a message out for good, unless it is done with already."""
        if record is None or record.state not in SETTLED:
            now = self._clock.instant()
            attempt = 0 if record is None else record.attempt
            abandoned = Try(envelope=envelope, attempt=attempt).intent(self._run, now)
            record = replace(abandoned, state=State.ABANDONED, first_maybe_sent=None, settled_at=now.wall)
            self._ledger.write(intents=[record])
        self._tell(_settled(envelope, record, "skipped", "left out for good with --skip"))

    def _look_up(self, chunk: list[Envelope]) -> Iterator[tuple[Envelope, Record | None]]:
        by_key: dict[int, list[Envelope]] = {}
        for envelope in chunk:
            by_key.setdefault(envelope.slot.key, []).append(envelope)
        known: dict[int, Record | None] = {}
        for same_key in by_key.values():
            found = self._ledger.find([envelope.slot for envelope in same_key])
            known.update(zip(map(id, same_key), found, strict=True))
        return ((envelope, known[id(envelope)]) for envelope in chunk)


def _settled(envelope: Envelope, record: Record, state: str, reason: str) -> Settlement:
    return Settlement(
        envelope=envelope,
        state=state,
        reason=reason,
        endpoints=record.endpoints,
        status=record.status,
        error=record.error,
        attempts=record.attempt,
    )
