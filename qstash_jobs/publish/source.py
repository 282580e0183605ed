"""Messages in their order -> batches that may go now: what the ledger knows is skipped, queues keep their order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice

from qstash_jobs.boundary import Clock, Ledger
from qstash_jobs.envelope import Envelope
from qstash_jobs.publish.aside import Aside
from qstash_jobs.publish.decide import ABANDONED, Ask, Decision, Recall, Send, Skip, Wait, decide, look_up
from qstash_jobs.publish.doubts import Doubts
from qstash_jobs.publish.queues import Queues
from qstash_jobs.publish.settlement import SettledState, Settlement, Tell
from qstash_jobs.publish.strangers import Strangers
from qstash_jobs.publish.work import Batch, Try, gather
from qstash_jobs.record import SETTLED, Evidence, Instant, Listed, Record, State, Verdict, Witness

LOOK_UP = 50
"""Messages that the ledger is asked about at once; answers wait while they are made."""

AHEAD = 100
"""Messages that are made ready while there is nothing else to do."""

PARKED = 8
"""Batches that may wait for their queue; past that the source itself waits."""

_END = "the end"
"""Stands behind the last batch, where None means that nothing is ready yet."""


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
        aside: Aside,
        doubts: Doubts,
        strangers: Strangers,
        may_ask: Callable[[], bool],
        skip: frozenset[str] = frozenset(),
    ) -> None:
        """`may_ask` says whether a question may be put to QStash's log now: nothing on the wire has to wait for it."""
        self._run = run
        self._skip = skip
        self._ledger = ledger
        self._clock = clock
        self._tell = tell
        self._aside = aside
        self._doubts = doubts
        self._strangers = strangers
        self._may_ask = may_ask
        self._held = Queues()
        self._most = most
        self._batches = gather(self._sendable(envelopes), most=most)
        self._parked: deque[Batch] = deque()
        self._ahead: deque[Batch] = deque()
        self._most_ahead = max(1, AHEAD // most)
        self._is_exhausted = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to hand out, now or later."""
        return self._is_exhausted and not self._parked and not self._ahead and not self._aside

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
        """Read the next batch; None where it is not ready yet, or there is none."""
        if self._is_exhausted and self._aside:
            self._batches = gather(self._sendable(()), most=self._most)
        pulled = next(self._batches, _END)
        self._is_exhausted = pulled is _END
        return pulled if isinstance(pulled, Batch) else None

    def _sendable(self, envelopes: Iterable[Envelope]) -> Iterator[Try | None]:
        """Give what is to be sent; None while a doubt waits for its question."""
        for chunk in self._chunks(envelopes):
            if not chunk:
                yield None
                continue
            now = self._clock.instant()
            looked_up = look_up([envelope for _, envelope in chunk], self._ledger)
            for (place, envelope), known in zip(chunk, looked_up, strict=True):
                decision = self._decide(envelope, known, now)
                while isinstance(decision, Ask) and not self._may_ask():
                    yield None
                item = self._act(place, envelope, known, decision, now)
                if item is None:
                    continue
                if (held := self._held.hold_back(item)) is not None:
                    self._tell(held)
                elif not self._aside.takes(item):
                    yield item

    def _chunks(self, envelopes: Iterable[Envelope]) -> Iterator[list[tuple[int, Envelope]]]:
        """Give messages with their places, to be looked up together; none while all that is left stands aside."""
        coming = enumerate(envelopes)
        while (chunk := list(islice(coming, LOOK_UP))) or self._aside:
            if chunk:
                yield chunk
            while self._aside and (self._aside.is_full or not chunk):
                yield from self._look_aside()

    def _look_aside(self) -> Iterator[list[tuple[int, Envelope]]]:
        due = self._aside.due()
        if not due:
            yield []
        for start in range(0, len(due), LOOK_UP):
            # between two chunks a claim may have put one of them aside anew, never taken one out
            yield [(place, self._aside.take(place)) for place in due[start : start + LOOK_UP]]

    def _decide(self, envelope: Envelope, known: Record | Listed | None, now: Instant) -> Decision | None:
        """Decide about a message; None where it is to be left out for good."""
        is_named = bool(self._skip) and envelope.message.name in self._skip
        leaves_out = is_named and not isinstance(known, Listed) and _is_open(known)
        return None if leaves_out else decide(envelope, known, now)

    def _act(
        self,
        place: int,
        envelope: Envelope,
        known: Record | Listed | None,
        decision: Decision | None,
        now: Instant,
    ) -> Try | None:
        """Make a try of what is to be sent, and tell of everything else."""
        record = known if isinstance(known, Record) else None
        match decision:
            case None:
                self._abandon(place, envelope, record, now)
            case Send():
                return Try(
                    envelope=envelope,
                    attempt=decision.attempt,
                    before=record.state if record else None,
                    doubtful_since=decision.doubtful_since,
                    place=place,
                )
            case Skip():
                self._skip_over(place, _settled(envelope, decision.record, "skipped", decision.reason))
            case Recall():
                self._recall(envelope, decision, now)
            case Ask():
                return self._ask(place, envelope, decision)
            case Wait():
                self._aside.put(place, envelope)
        return None

    def _skip_over(self, place: int, settlement: Settlement) -> None:
        """Tell of what is done with; of a duplicate that nobody has been asked about, once somebody has."""
        if settlement.foreign and not self._strangers.is_known(settlement):
            self._strangers.take(place, settlement)
        else:
            self._tell(settlement)

    def _ask(self, place: int, envelope: Envelope, ask: Ask) -> Try | None:
        settled = self._doubts.look(place, envelope, ask)
        if isinstance(settled, Try):
            return replace(settled, place=place)
        if isinstance(settled, Settlement):
            self._tell(settled)
        if settled is None or (isinstance(settled, Settlement) and settled.state is State.IN_DOUBT):
            self._held.stop(envelope.message)
        return None

    def _recall(self, envelope: Envelope, recall: Recall, now: Instant) -> None:
        """Write down a message that QStash's log has listed."""
        item = Try(envelope=envelope, attempt=1)
        listed = recall.listed
        window = item.window(Instant(wall=listed.at, boot_id="", boot_s=0))
        record = item.recollection(self._run, listed)
        self._ledger.write(
            intents=[record],
            windows=[window] if window is not None else (),
            evidence=[
                Evidence(slot=record.slot, at=now.wall, witness=Witness.LOG, verdict=Verdict.PUBLISHED)
            ],
        )
        settlement = _settled(envelope, record, "skipped", recall.reason)
        self._tell(replace(settlement, evidence=Witness.LOG))

    def _abandon(self, place: int, envelope: Envelope, record: Record | None, now: Instant) -> None:
        """Leave a message out for good."""
        left = Try(
            envelope=envelope,
            attempt=1 + (record.attempt if record else 0),
            before=record.state if record else None,
        )
        abandoned = left.abandonment(self._run, now)
        if self._ledger.write(intents=[abandoned]).claims:
            self._aside.put(place, envelope)
            return
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
