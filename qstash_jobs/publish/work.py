"""What is on its way: one message's try, and the batch of tries that shares a request."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field, replace

from qstash_jobs.envelope import Envelope
from qstash_jobs.publish.settlement import Settlement
from qstash_jobs.record import Instant, Listed, Record, State, Window
from qstash_jobs.state import change
from qstash_jobs.value import dataclass
from qstash_jobs.wire.calls import batch_request
from qstash_jobs.wire.http import Request

BATCH_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One attempt of one message."""

    envelope: Envelope
    attempt: int
    """Counted over all runs, from 1."""
    before: State | None = None
    """Where the ledger has it; None where it does not know it."""
    doubtful_since: Instant | None = None
    """When an earlier attempt may have been accepted."""
    place: int = 0
    """Where the message stands among those of the run."""
    left: Settlement | None = None
    """Where the attempt before has left it, if that was in this run."""

    def again(self, left: Settlement, *, sent_at: Instant) -> "Try":
        """Return the next attempt, after one that was claimed at `sent_at` and has left it so."""
        is_doubtful = left.state is State.IN_DOUBT
        return replace(
            self,
            attempt=self.attempt + 1,
            before=State.IN_DOUBT if is_doubtful else State.WAITING,
            doubtful_since=self.doubtful_since or (sent_at if is_doubtful else None),
            left=left,
        )

    def intent(self, run: str, now: Instant, *, line: int | None = None) -> Record:
        """Write what the ledger has to know before the first byte; `line` is the job's, if it is known."""
        return self._record(State.SENDING, run, now, line)

    def refusal(self, run: str, now: Instant, error: str) -> Record:
        """Write what the ledger keeps of a message that is refused here, before QStash is asked."""
        return self._set_aside(State.REJECTED, run, now, error)

    def abandonment(self, run: str, now: Instant) -> Record:
        """Write what the ledger keeps of a message that is left out for good."""
        return self._set_aside(State.ABANDONED, run, now, None)

    def recollection(self, run: str, listed: Listed) -> Record:
        """Write what the ledger keeps of a message that QStash's log has listed, and no run here has sent."""
        then = Instant(wall=listed.at, boot_id="", boot_s=0.0)
        record = self._set_aside(State.PUBLISHED, run, then, None)
        return replace(record, endpoints=listed.endpoints)

    def _set_aside(self, state: State, run: str, now: Instant, error: str | None) -> Record:
        record = self._record(state, run, now, None)
        return replace(
            record, attempt=self.attempt - 1, first_maybe_sent=None, settled_at=now.wall, error=error
        )

    def _record(self, state: State, run: str, now: Instant, line: int | None) -> Record:
        message = self.envelope.message
        return Record(
            slot=self.envelope.slot,
            id=self.envelope.id,
            dedup_id=self.envelope.dedup_id,
            fingerprint=self.envelope.fingerprint,
            state=change(self.before, state),
            attempt=self.attempt,
            run=run,
            file=message.job.file,
            line=message.job.line if line is None else line,
            target=self.envelope.target,
            first_maybe_sent=self.doubtful_since or now,
        )

    def window(self, now: Instant) -> Window | None:
        """Return the ledger's own hold on the id, where it outlasts QStash's or is shared between jobs."""
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
    queues: frozenset[str] = field(init=False)
    """Those of its messages; it is one step of each."""
    needs_admission: bool = field(init=False)
    """Whether something besides the ledger's claim could keep a message of it back: a queue, an id, an old doubt."""

    def __post_init__(self) -> None:
        queues = {item.envelope.message.queue for item in self.tries}
        object.__setattr__(self, "queues", frozenset(queue for queue in queues if queue is not None))
        needs_admission = bool(self.queues) or any(
            item.envelope.is_held_by_ledger or item.doubtful_since is not None for item in self.tries
        )
        object.__setattr__(self, "needs_admission", needs_admission)

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

    def keep(self, tries: Sequence[Try]) -> "Batch | None":
        """Return the batch with these tries in place of its own; None where that is none."""
        return replace(self, tries=tuple(tries)) if tries else None


def gather(
    tries: Iterable[Try | None], *, most: int, most_bytes: int = BATCH_BYTES
) -> Iterator[Batch | None]:
    """Group tries, in their order, into what travels together; who cannot share a request goes by itself.

    None among them means that the next one is not known yet; it is passed on behind what was gathered before it.
    """
    together: list[Try] = []
    size = 0
    for item in tries:
        if item is None:
            if together:
                yield Batch(tries=tuple(together))
                together, size = [], 0
            yield None
            continue
        weight = item.envelope.weight
        if together and (size + weight > most_bytes or item.envelope.alone):
            yield Batch(tries=tuple(together))
            together, size = [], 0
        together.append(item)
        size += weight
        if len(together) >= most or item.envelope.alone:
            yield Batch(tries=tuple(together))
            together, size = [], 0
    if together:
        yield Batch(tries=tuple(together))
