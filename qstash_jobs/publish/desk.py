"""Batches -> claims, requests, results: the one place that owns the ledger while a run is under way.

The order of writes is the promise: a claim is durable before its first byte, and a result before anybody is told.
Results and the next claims share one transaction.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from qstash_jobs.boundary import Clock, Ledger, Line
from qstash_jobs.envelope import Envelope
from qstash_jobs.errors import LedgerError
from qstash_jobs.outcome import Limit, Misconfigured, NotSent, Outcome, Throttled, Unknown
from qstash_jobs.publish.crew import Crew
from qstash_jobs.publish.decide import may_resend, refuse_window
from qstash_jobs.publish.pace import Pace, back_off_s
from qstash_jobs.publish.results import Settlement, read_answer, write_result, write_settlement
from qstash_jobs.publish.sender import Answered, Sender, Stuck
from qstash_jobs.publish.source import Source, Tell
from qstash_jobs.publish.work import Batch, Try
from qstash_jobs.record import Instant, Result, State, Window
from qstash_jobs.wire.http import Held, Untrusted
from qstash_jobs.wire.reply import WholeRefused

TRIES = 5
"""Requests for a message in one run that may come to nothing."""

FAILURES_IN_A_ROW = 10
"""Then QStash is taken to be out of reach, and the run stops."""

FAILURES_AT_FIRST = 5
"""The same, while it has not answered once: what is wrong then is rather the address."""

PATIENCE_S = 1.0
"""How often the desk looks up while nothing comes."""

LAST_ANSWERS_S = 35.0
"""How long answers are waited for once the ledger is gone: a request's deadline and a bit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a run publishes."""

    concurrency: int = 32
    batch_size: int = 100
    rate: float | None = None
    """Messages a second at most."""
    skip: frozenset[str] = frozenset()
    """Full names of messages to leave out for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Why a run stopped before its messages were through."""

    exit_code: int
    reason: str
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """A batch that is due again, not before a moment on the monotonic clock."""

    due_s: float
    batch: Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class InFlight:
    batch: Batch
    claimed_at: Instant


@dataclass(slots=True)
class Outbox:
    """What the next transaction will hold, and what is told after it."""

    results: list[Result] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    settlements: list[Settlement] = field(default_factory=list)


class UnrecordedError(LedgerError):
    """the ledger stopped taking results"""

    def __init__(self, message: str, settlements: list[Settlement]) -> None:
        super().__init__(message)
        self.settlements = settlements
        """What the service answered and the ledger does not know."""


@dataclass(slots=True, kw_only=True)
class Desk:
    """Claims, hands out and records; one thread, one ledger, many senders."""

    source: Source
    crew: Crew
    ledger: Ledger
    clock: Clock
    chance: Callable[[], float]
    """A random number from 0 to 1."""
    tell: Tell
    run: str
    pace: Pace
    stopping: Callable[[], bool]
    ending: Ending | None = None
    outbox: Outbox = field(default_factory=Outbox)
    next: Batch | None = None
    """Waiting for a sender, or for its time."""
    chosen: list[Batch] = field(default_factory=list)
    in_flight: dict[int, InFlight] = field(default_factory=dict)
    later: list[Later] = field(default_factory=list)
    stuck: list[tuple[float, Sender]] = field(default_factory=list)
    failures: int = 0
    was_reached: bool = False

    def work(self) -> Ending | None:
        """Publish everything; return why it stopped early, or None."""
        try:
            while True:
                self._hand_out()
                if not self._is_under_way():
                    return self.ending
                self._hear(self.crew.listen(self._timeout_s()))
        finally:
            self.crew.close()

    def _is_under_way(self) -> bool:
        if self.in_flight:
            return True
        return self.ending is None and bool(self.next or self.later or not self.source.is_empty())

    def _timeout_s(self) -> float:
        now_s = self.clock.monotonic_s()
        due = [later.due_s for later in self.later] + [due_s for due_s, _ in self.stuck]
        waits = [max(0.0, due_s - now_s) for due_s in due]
        if self.next is not None and self.crew.idle:
            waits.append(self.pace.wait_s(now_s))
        return min([PATIENCE_S, *waits])

    # handing out

    def _hand_out(self) -> None:
        if self.ending is None and self.stopping():
            self.ending = Ending(exit_code=130, reason="stopped on request")
        now_s = self.clock.monotonic_s()
        self._reconnect(now_s)
        self._choose(now_s)
        claimed_at = self.clock.instant()
        claimed = self._claim(claimed_at)
        now_s = self.clock.monotonic_s()
        for batch in claimed:
            ticket = self.crew.give(batch.request(), claimed_at_s=now_s)
            self.in_flight[ticket] = InFlight(batch=batch, claimed_at=claimed_at)
        self.chosen = []

    def _choose(self, now_s: float) -> None:
        while self.ending is None:
            self.next = self.next or self._due(now_s) or self.source.next(self._is_busy)
            if self.next is None:
                return
            if len(self.chosen) >= self.crew.idle:
                self.crew.grow()
                return
            if self.pace.wait_s(now_s) > 0:
                return
            self.pace.take(len(self.next.tries), now_s)
            self.chosen.append(self.next)
            self.next = None

    def _due(self, now_s: float) -> Batch | None:
        for index, later in enumerate(self.later):
            earlier = [one.batch for one in self.later[:index]]
            if later.due_s <= now_s and not self._any_busy(later.batch.queues, [*self._out(), *earlier]):
                del self.later[index]
                return later.batch
        return None

    def _is_busy(self, queue: str) -> bool:
        return self._any_busy(frozenset({queue}), [*self._out(), *(later.batch for later in self.later)])

    def _out(self) -> Iterator[Batch]:
        yield from self.chosen
        yield from (flight.batch for flight in self.in_flight.values())

    @staticmethod
    def _any_busy(queues: frozenset[str], batches: Iterable[Batch]) -> bool:
        return bool(queues) and any(queues & batch.queues for batch in batches)

    def _reconnect(self, now_s: float) -> None:
        for due_s, sender in self.stuck:
            if due_s <= now_s:
                sender.give(None)
        self.stuck = [(due_s, sender) for due_s, sender in self.stuck if due_s > now_s]

    # the ledger

    def _claim(self, now: Instant) -> list[Batch]:
        held = [
            item.envelope.dedup_id
            for batch in self.chosen
            for item in batch.tries
            if item.envelope.is_held_by_ledger and item.envelope.dedup_id is not None
        ]
        windows = self.ledger.find_windows(held) if held else {}
        claimed: list[Batch] = []
        for batch in self.chosen:
            tries = [item for item in batch.tries if self._may_claim(item, now, windows)]
            if tries:
                claimed.append(batch.keep(tries))
        self._write(claimed, now)
        return claimed

    def _may_claim(self, item: Try, now: Instant, windows: dict[str, Window]) -> bool:
        if item.doubtful_since is not None and not may_resend(item.doubtful_since, now):
            reason = "it may have been accepted, and QStash forgets its id too soon to try again"
            self._settle(Settlement(envelope=item.envelope, state=State.IN_DOUBT, reason=reason))
            return False
        mine = item.window(now)
        if mine is None:
            return True
        known = windows.get(mine.dedup_id)
        refusal = refuse_window(item.envelope, known, now) if known is not None else None
        if refusal is None:
            windows[mine.dedup_id] = mine
            return True
        state = "skipped" if known is not None and known.job == mine.job else State.REJECTED
        self._settle(Settlement(envelope=item.envelope, state=state, reason=refusal, error=refusal))
        return False

    def _write(self, claimed: list[Batch], now: Instant) -> None:
        tries = [item for batch in claimed for item in batch.tries]
        windows = [window for item in tries if (window := item.window(now)) is not None]
        outbox, self.outbox = self.outbox, Outbox()
        if outbox.results or tries:
            try:
                self.ledger.write(
                    results=outbox.results,
                    intents=[item.intent(self.run, now) for item in tries],
                    windows=windows,
                    released=outbox.released,
                )
            except LedgerError as error:
                raise UnrecordedError(str(error), [*outbox.settlements, *self._last_answers()]) from error
        for settlement in outbox.settlements:
            self.tell(settlement)

    def _last_answers(self) -> list[Settlement]:
        """What the requests still on the wire come to, once nothing can be recorded any more."""
        self.outbox, self.ending = Outbox(), Ending(exit_code=6, reason="the ledger stopped")
        deadline_s = self.clock.monotonic_s() + LAST_ANSWERS_S
        while self.in_flight and self.clock.monotonic_s() < deadline_s:
            self._hear(self.crew.listen(PATIENCE_S))
        return self.outbox.settlements

    # what came back

    def _hear(self, events: Iterable[Answered | Stuck]) -> None:
        for event in events:
            if isinstance(event, Stuck):
                self._hear_stuck(event)
            else:
                self._hear_answer(event)

    def _hear_stuck(self, event: Stuck) -> None:
        if isinstance(event.answer, Untrusted):
            self._stop(Ending(exit_code=2, reason=event.answer.reason))
            return
        self._count_failure(event.answer.reason)
        due_s = self.clock.monotonic_s() + back_off_s(self.failures, self.chance())
        self.stuck.append((due_s, event.sender))

    def _hear_answer(self, event: Answered) -> None:
        flight = self.in_flight.pop(event.ticket)
        outcomes = read_answer(flight.batch, event.answer, self.clock.now())
        if isinstance(outcomes, WholeRefused):
            self._hear_refusal(flight, outcomes, event.elapsed_ms)
            return
        again: list[Try] = []
        for item, outcome in zip(flight.batch.tries, outcomes, strict=True):
            self._record(item, outcome)
            if self._is_worth_another(flight.batch, outcome):
                maybe_since = flight.claimed_at if isinstance(outcome, Unknown) else None
                again.append(item.again(maybe_since=maybe_since))
            else:
                self._finish(item, outcome, event.elapsed_ms)
        self._note(outcomes[0], held=isinstance(event.answer, Held))
        if again:
            self._repeat(flight.batch, again, outcomes[0], held=isinstance(event.answer, Held))

    def _hear_refusal(self, flight: InFlight, refused: WholeRefused, elapsed_ms: int) -> None:
        """Find out which message a refusal of the whole batch is about, by halves."""
        self._note(refused.outcome, held=False)
        for item in flight.batch.tries:
            outcome = refused.outcome if len(flight.batch.tries) == 1 else _NOT_TAKEN
            self._record(item, outcome)
            if len(flight.batch.tries) == 1:
                self._finish(item, outcome, elapsed_ms)
        if len(flight.batch.tries) == 1:
            return
        tries = [item.again(maybe_since=None) for item in flight.batch.tries]
        now_s = self.clock.monotonic_s()
        self.later += [Later(due_s=now_s, batch=half) for half in flight.batch.keep(tries).halves()]

    def _record(self, item: Try, outcome: Outcome) -> None:
        result = write_result(item, outcome, self.clock.now())
        self.outbox.results.append(result)
        accepted = result.state in (State.PUBLISHED, State.PARTIAL, State.DEDUPLICATED, State.IN_DOUBT)
        if item.envelope.is_held_by_ledger and item.envelope.dedup_id is not None and not accepted:
            self.outbox.released.append(item.envelope.dedup_id)

    def _is_worth_another(self, batch: Batch, outcome: Outcome) -> bool:
        match outcome:
            case NotSent():
                return batch.failures + 1 < TRIES
            case Unknown():
                return batch.failures + 1 < TRIES and batch.may_repeat
            case Throttled(limit=Limit.BURST):
                return batch.failures + 1 < TRIES
            case _:
                return False

    def _repeat(self, batch: Batch, tries: list[Try], outcome: Outcome, *, held: bool) -> None:
        failures = batch.failures + (0 if held else 1)
        wait_s = 0.0 if held else back_off_s(failures, self.chance())
        if isinstance(outcome, Throttled) and outcome.wait_s is not None:
            wait_s = max(wait_s, outcome.wait_s)
        due_s = self.clock.monotonic_s() + wait_s
        self.later.append(Later(due_s=due_s, batch=replace(batch.keep(tries), failures=failures)))

    def _finish(self, item: Try, outcome: Outcome, elapsed_ms: int) -> None:
        self._settle(write_settlement(item, outcome, elapsed_ms=elapsed_ms))

    def _settle(self, settlement: Settlement) -> None:
        """Tell of it after the next transaction; a queue whose message did not get through stops."""
        self.outbox.settlements.append(settlement)
        message = settlement.envelope.message
        if message.queue is not None and settlement.state in (State.REJECTED, State.IN_DOUBT):
            self.source.stop_queue(message.queue, message.name)

    def _note(self, outcome: Outcome, *, held: bool) -> None:
        """Draw what follows for the run from the way one request ended."""
        now_s = self.clock.monotonic_s()
        match outcome:
            case Misconfigured():
                self._stop(Ending(exit_code=outcome.exit_code, reason=outcome.error, hint=outcome.hint))
            case Throttled(limit=Limit.DAILY):
                resets = f"; it resets {outcome.resets_at:%Y-%m-%d %H:%M} UTC" if outcome.resets_at else ""
                self._stop(Ending(exit_code=5, reason=f"the account's daily limit is reached{resets}"))
            case Throttled():
                self.pace.pause(outcome.wait_s or 0.0, now_s)
            case NotSent() | Unknown():
                if not held:
                    self._count_failure(outcome.reason)
            case _:
                self.failures, self.was_reached = 0, True

    def _count_failure(self, reason: str) -> None:
        self.failures += 1
        if self.failures >= (FAILURES_IN_A_ROW if self.was_reached else FAILURES_AT_FIRST):
            self._stop(
                Ending(exit_code=5, reason=f"gave up after {self.failures} failures in a row: {reason}")
            )

    def _stop(self, ending: Ending) -> None:
        self.ending = self.ending or ending


_NOT_TAKEN = NotSent(reason="the batch it stood in was refused as a whole")


def publish(
    envelopes: Iterable[Envelope],
    *,
    run: str,
    options: Options,
    open_line: Callable[[], Line],
    ledger: Ledger,
    clock: Clock,
    chance: Callable[[], float],
    tell: Tell,
    stopping: Callable[[], bool],
) -> Ending | None:
    """Publish messages, each at most once, and record what became of them.

    `tell` is called for each message when this run is done with it, after the ledger has it. What is not told stays
    as it was. `stopping` is asked between requests; a yes finishes what is on the wire and ends the run. Returns
    why the run ended early, or None. Raises LedgerError; UnrecordedError where answers could not be written.
    """
    desk = Desk(
        source=Source(
            envelopes,
            run=run,
            ledger=ledger,
            clock=clock,
            tell=tell,
            most=options.batch_size,
            skip=options.skip,
        ),
        crew=Crew(open_line, clock, most=options.concurrency),
        ledger=ledger,
        clock=clock,
        chance=chance,
        tell=tell,
        run=run,
        pace=Pace(options.rate),
        stopping=stopping,
    )
    return desk.work()
