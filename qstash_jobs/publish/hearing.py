"""What comes back of requests -> outcomes of messages, and what follows from them for the run."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import field, replace

from qstash_jobs.boundary import Clock
from qstash_jobs.outcome import NotSent, Outcome, Unknown
from qstash_jobs.publish.crew import Answered, News
from qstash_jobs.publish.health import Health
from qstash_jobs.publish.journal import Journal
from qstash_jobs.publish.options import Ending
from qstash_jobs.publish.pace import back_off_s
from qstash_jobs.publish.results import conclude, read_answer
from qstash_jobs.publish.schedule import Schedule
from qstash_jobs.publish.sender import Crashed, Stuck
from qstash_jobs.publish.strangers import Strangers, can_be_asked
from qstash_jobs.publish.verdict import end_run, is_answer, is_worth_another, pause_s
from qstash_jobs.publish.work import Batch, Try
from qstash_jobs.record import Instant
from qstash_jobs.value import dataclass
from qstash_jobs.wire.http import Held, Reply, Untrusted
from qstash_jobs.wire.reply import WholeRefused

_SPLIT = NotSent(reason="the batch it stood in was refused as a whole")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """A batch on the wire, and when it was claimed."""

    batch: Batch
    claimed_at: Instant


@dataclass(slots=True, kw_only=True)
class Hearing:
    """Hears what became of batches on the wire: writes it down, lines up what goes again, knows when to stop."""

    schedule: Schedule
    journal: Journal
    strangers: Strangers
    health: Health
    clock: Clock
    chance: Callable[[], float]
    """A random number from 0 to 1."""
    flights: dict[int, Flight] = field(default_factory=dict)
    ending: Ending | None = None
    crash: BaseException | None = None

    def hear(self, news: Iterable[News]) -> None:
        for event in news:
            match event:
                case Answered():
                    self._hear_answer(event)
                case Stuck():
                    self._hear_stuck(event)
                case Crashed():
                    self.crash = event.error
                    if event.ticket is not None:
                        del self.flights[event.ticket]

    def _hear_stuck(self, event: Stuck) -> None:
        if isinstance(event.answer, Untrusted):
            self.stop(Ending(exit_code=2, reason=event.answer.reason))
        else:
            self._fail(event.answer.reason, began_s=event.began_s)

    def _hear_answer(self, event: Answered) -> None:
        flight = self.flights.pop(event.ticket)
        if isinstance(event.answer, Reply):
            self.health.reach()
        answer = read_answer(flight.batch, event.answer, self.clock.now())
        if not isinstance(answer, WholeRefused):
            self._hear_outcomes(flight, answer, event)
        elif len(flight.batch.tries) == 1:
            self._hear_outcomes(flight, (answer.outcome,), event)
        else:
            self.health.recover()
            self._bisect(flight)

    def _hear_outcomes(self, flight: Flight, outcomes: Sequence[Outcome], event: Answered) -> None:
        again: list[Try] = []
        now = self.clock.now()
        for item, outcome in zip(flight.batch.tries, outcomes, strict=True):
            left = conclude(item, outcome, elapsed_ms=event.elapsed_ms)
            goes_again = is_worth_another(flight.batch, outcome)
            self.journal.record(item, left, now, goes_again=goes_again)
            if goes_again:
                again.append(item.again(left, sent_at=flight.claimed_at))
            elif can_be_asked(left):
                self.strangers.take(item.place, left)
            else:
                self.journal.settle(left)
        self._draw_conclusions(outcomes, event)
        if again:
            failures = flight.batch.failures + 1
            wait_s = max(back_off_s(failures, self.chance()), *map(pause_s, outcomes))
            self.schedule.put_back(
                replace(flight.batch, tries=tuple(again), failures=failures), wait_s=wait_s
            )

    def _bisect(self, flight: Flight) -> None:
        """Find out by halves which message a refusal of the whole batch is about."""
        again: list[Try] = []
        now = self.clock.now()
        for item in flight.batch.tries:
            left = conclude(item, _SPLIT)
            self.journal.record(item, left, now, goes_again=True)
            again.append(item.again(left, sent_at=flight.claimed_at))
        self.schedule.put_back(*replace(flight.batch, tries=tuple(again)).halves())

    def _draw_conclusions(self, outcomes: Sequence[Outcome], event: Answered) -> None:
        """Say what follows for the run from the way that one request ended."""
        outcome = next(filter(is_answer, outcomes), outcomes[0])
        self.schedule.pace.pause(pause_s(outcome), self.clock.monotonic_s())
        if (ending := end_run(outcome)) is not None:
            self.stop(ending)
        if is_answer(outcome):
            self.health.recover()
        elif isinstance(outcome, NotSent | Unknown) and not isinstance(event.answer, Held):
            self._fail(outcome.reason, began_s=event.began_s)

    def _fail(self, reason: str, *, began_s: float) -> None:
        self.health.fail(began_s=began_s, now_s=self.clock.monotonic_s(), chance=self.chance())
        if self.health.is_lost:
            failures = self.health.failures
            self.stop(Ending(exit_code=5, reason=f"gave up after {failures} failures in a row: {reason}"))

    def stop(self, ending: Ending) -> None:
        """Send nothing more; the first reason is the one that is told."""
        self.ending = self.ending or ending
