"""Envelopes -> requests on the wire and their answers: the loop of a run, in the one thread that owns the ledger."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from qstash_jobs.boundary import Clock
from qstash_jobs.errors import LedgerError
from qstash_jobs.outcome import NotSent
from qstash_jobs.publish.aside import Aside
from qstash_jobs.publish.crew import Crew, News
from qstash_jobs.publish.health import Health
from qstash_jobs.publish.hearing import Flight, Hearing
from qstash_jobs.publish.journal import Journal
from qstash_jobs.publish.options import Ending, UnrecordedError
from qstash_jobs.publish.questions import Questions
from qstash_jobs.publish.results import conclude
from qstash_jobs.publish.schedule import Schedule
from qstash_jobs.publish.sender import CLAIM_AGE_S
from qstash_jobs.publish.settlement import Settlement
from qstash_jobs.publish.work import Batch, Try
from qstash_jobs.record import Instant
from qstash_jobs.value import dataclass

PATIENCE_S = 1.0
"""How often the desk looks up while nothing comes."""

LAST_ANSWERS_S = 35.0
"""How long answers are waited for once something broke: a request's deadline and a bit."""

_BROKEN = Ending(exit_code=70, reason="the run broke off")
_NOT_REACHED = NotSent(reason="the run stopped before another try")


@dataclass(slots=True, kw_only=True)
class Desk:
    """Claims and hands out, and has heard what comes back; one thread, one ledger, many senders."""

    schedule: Schedule
    crew: Crew
    hearing: Hearing
    journal: Journal
    questions: Questions
    health: Health
    clock: Clock
    stopping: Callable[[], bool]
    aside: Aside
    claim_s: float
    """How long a claim may be acted on, from the moment before it was written."""

    def work(self) -> Ending | None:
        """Publish everything; return why it stopped early, or None."""
        try:
            with self._saving():
                self._publish()
        except LedgerError as error:
            raise UnrecordedError(str(error), self._give_up()) from error
        finally:
            self.crew.close()
        return self.hearing.ending

    def _publish(self) -> None:
        while self.hearing.crash is None:
            if self.hearing.ending is None and self._has_more and self.stopping():
                self.hearing.stop(Ending(exit_code=130, reason="stopped on request"))
            self._ask()
            fallen = self._hand_out()
            if not self._is_under_way():
                break
            at_once = bool(fallen) or self._only_asks
            self.hearing.hear(self._listen(at_once=at_once))
        else:
            raise self.hearing.crash
        self._leave()
        self.journal.write()
        self.journal.tell()

    def _listen(self, *, at_once: bool) -> list[News]:
        """Hear what has come; as long as that is nothing, make ready what goes next, and then wait if need be."""
        news = self.crew.listen(0)
        while not news and self.hearing.ending is None and self.schedule.prepare():
            news = self.crew.listen(0)
        return news if news or at_once else self.crew.listen(self._timeout_s())

    def _is_under_way(self) -> bool:
        return bool(self.hearing.flights) or (self.hearing.ending is None and self._has_more)

    @property
    def _has_more(self) -> bool:
        return self.schedule.has_more or bool(self.questions)

    @property
    def _only_asks(self) -> bool:
        """Whether there is nothing left to do but to ask QStash's log."""
        return bool(self.questions) and not self.hearing.flights and not self.schedule.has_more

    def _ask(self) -> None:
        """Ask what only QStash's log can tell, while no answer has to wait for that."""
        if self.hearing.flights or self.hearing.ending is not None or not self.questions:
            return
        self.journal.write()
        for settled in self.questions.ask(nothing_else=self._only_asks):
            if isinstance(settled, Try):
                self.schedule.put_back(Batch(tries=(settled,)))
            else:
                self.journal.settle(settled)
        if self._only_asks:
            self.questions.sleep(PATIENCE_S)

    # handing out

    def _hand_out(self) -> int:
        """Claim and send what may go now; return how many messages turned out not to go, so that others may."""
        trouble_s = self.health.wait_s(self.clock.monotonic_s())
        if self.hearing.ending is None and self.crew.is_stuck and not trouble_s:
            self.crew.reconnect()
        may_go = self.hearing.ending is None and not self.questions.are_many
        chosen = self.schedule.choose(self._room(trouble_s), self._busy()) if may_go else []
        claimed_at = self.clock.instant()
        claimed = self._claim(chosen, claimed_at)
        self._send(claimed, claimed_at)
        self.journal.tell()
        fallen = _count(chosen) - _count(claimed)
        self.schedule.pace.give_back(fallen)
        if self.schedule.next is not None and not self.crew.idle and self.health.is_well:
            self.crew.grow()
        return fallen

    def _room(self, trouble_s: float) -> int:
        """How many batches more may be on the wire; in trouble a single one finds out whether it is over."""
        if self.health.is_well:
            return self.crew.idle
        return 0 if self.hearing.flights or trouble_s else min(1, self.crew.idle)

    def _busy(self) -> frozenset[str]:
        return frozenset[str]().union(*(flight.batch.queues for flight in self.hearing.flights.values()))

    def _claim(self, chosen: Sequence[Batch], now: Instant) -> list[Batch]:
        """Write what came back, and the claims; what cannot be written lines up again."""
        claimed = list(chosen)
        try:
            claimed = self.journal.admit(chosen, now)
            claimed = self.journal.write(claimed, now)
        except LedgerError:
            self.schedule.put_back(*claimed)
            raise
        return claimed

    def _send(self, batches: Sequence[Batch], claimed_at: Instant) -> None:
        written_at = self.clock.instant()
        # others may have taken over what took too long to be written
        good_for_s = min(CLAIM_AGE_S, self.claim_s - (written_at.boot_s - claimed_at.boot_s))
        for batch in batches:
            ticket = self.crew.give(batch.request(), claimed_at=written_at, good_for_s=good_for_s)
            self.hearing.flights[ticket] = Flight(batch=batch, claimed_at=claimed_at)

    def _timeout_s(self) -> float:
        """Return how long to listen: until something may be done that no event will announce."""
        waits = [PATIENCE_S]
        if self.hearing.ending is None:
            if self.crew.is_stuck:
                waits.append(self.health.wait_s(self.clock.monotonic_s()))
            elif self.crew.idle and (self.health.is_well or not self.hearing.flights):
                wait_s = self.schedule.wait_s(self._busy())
                waits += [wait_s] if wait_s is not None else []
        return min(waits)

    # ending

    def _leave(self) -> None:
        """Settle what another try would have gone to."""
        now = self.clock.now()
        for item in self.schedule.unfinished():
            left = item.left or replace(conclude(item, _NOT_REACHED), attempts=item.attempt - 1)
            self.journal.leave(item, left, now)
        for settlement in (*self.questions.leave(), *self.aside.leave()):
            self.journal.settle(settlement)

    def _await_answers(self) -> None:
        """Send nothing more, and hear what becomes of the requests on the wire."""
        self.hearing.stop(_BROKEN)
        ends_s = self.clock.monotonic_s() + LAST_ANSWERS_S
        while self.hearing.flights and self.clock.monotonic_s() < ends_s:
            self.hearing.hear(self.crew.listen(PATIENCE_S))

    @contextmanager
    def _saving(self) -> Iterator[None]:
        """Whatever breaks the run off, write down what is known of what was sent."""
        try:
            yield
        except LedgerError:
            raise
        except BaseException as error:
            if isinstance(error, Exception):
                self._await_answers()
            self.journal.write()
            with suppress(Exception):  # whoever listens may be what broke
                self.journal.tell()
            raise

    def _give_up(self) -> list[Settlement]:
        """Write at the last what can be; return what is known and written nowhere."""
        self._await_answers()
        self._leave()
        try:
            self.journal.write()
        except LedgerError:
            return self.journal.untold
        self.journal.tell()
        return []


def _count(batches: Iterable[Batch]) -> int:
    return sum(len(batch.tries) for batch in batches)
