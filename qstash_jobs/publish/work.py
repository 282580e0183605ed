"""What is on its way: one message's try, and the batch of tries that shares a request."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from qstash_jobs.envelope import Envelope
from qstash_jobs.record import Instant, Record, State, Window
from qstash_jobs.wire.calls import batch_request
from qstash_jobs.wire.http import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One attempt of one message."""

    envelope: Envelope
    attempt: int
    """Counted over all runs, from 1."""
    doubtful_since: Instant | None = None
    """When an earlier attempt may have been accepted."""

    def again(self, *, maybe_since: Instant | None) -> "Try":
        """The next attempt, after one that may have been accepted at `maybe_since`, or surely was not."""
        return replace(self, attempt=self.attempt + 1, doubtful_since=self.doubtful_since or maybe_since)

    def intent(self, run: str, now: Instant) -> Record:
        """What the ledger has to know before the first byte."""
        message = self.envelope.message
        return Record(
            slot=self.envelope.slot,
            id=self.envelope.id,
            dedup_id=self.envelope.dedup_id,
            fingerprint=self.envelope.fingerprint,
            state=State.SENDING,
            attempt=self.attempt,
            run=run,
            file=message.job.file,
            line=message.job.line,
            target=self.envelope.target,
            first_maybe_sent=self.doubtful_since or now,
        )

    def window(self, now: Instant) -> Window | None:
        """The ledger's own hold on the deduplication id, where it outlasts QStash's or is shared between jobs."""
        envelope = self.envelope
        if not envelope.is_held_by_ledger or envelope.dedup_id is None:
            return None
        until = now.wall.timestamp() + envelope.message.dedup.window_s
        return Window(
            dedup_id=envelope.dedup_id, job=envelope.message.job.name, until=until, slot=envelope.slot
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Messages that share a request."""

    tries: tuple[Try, ...]
    failures: int = 0
    """How often in this run the request came to nothing."""

    @property
    def queues(self) -> frozenset[str]:
        return frozenset(
            item.envelope.message.queue for item in self.tries if item.envelope.message.queue is not None
        )

    @property
    def travels_in_batch(self) -> bool:
        return len(self.tries) > 1 or self.tries[0].envelope.must_batch

    @property
    def may_repeat(self) -> bool:
        return all(item.envelope.may_repeat for item in self.tries)

    def request(self) -> Request:
        if self.travels_in_batch:
            return batch_request(
                [item.envelope.batch_item for item in self.tries],
                to_groups=any(item.envelope.is_group for item in self.tries),
            )
        return self.tries[0].envelope.request

    def halves(self) -> "tuple[Batch, Batch]":
        """Split it, to find out which message a refusal of the whole was about."""
        middle = len(self.tries) // 2
        return replace(self, tries=self.tries[:middle]), replace(self, tries=self.tries[middle:])

    def keep(self, tries: Sequence[Try]) -> "Batch":
        return replace(self, tries=tuple(tries))


def gather(tries: Iterable[Try], *, most: int, most_bytes: int = 512 * 1024) -> Iterator[Batch]:
    """Group tries, in their order, into what travels together; who cannot share a request goes by itself."""
    together: list[Try] = []
    size = 0
    for item in tries:
        weight = item.envelope.weight
        full = len(together) >= most or size + weight > most_bytes
        if together and (full or item.envelope.alone):
            yield Batch(tries=tuple(together))
            together, size = [], 0
        if item.envelope.alone:
            yield Batch(tries=(item,))
        else:
            together.append(item)
            size += weight
    if together:
        yield Batch(tries=tuple(together))
