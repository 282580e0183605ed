"""Messages that may have been accepted, and may not be sent again at once -> what QStash's log says of them.

Listed: published. Not listed: the log lags, so it is asked twice, two minutes apart. Then the message stays in doubt,
or is sent again where somebody has said that this is meant (`--in-doubt resend`).
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

from qstash_jobs.boundary import Clock, Ledger
from qstash_jobs.envelope import Envelope
from qstash_jobs.errors import StopError
from qstash_jobs.identity import message_label
from qstash_jobs.inquiry import Inquiry, Sighting
from qstash_jobs.publish.aside import Aside
from qstash_jobs.publish.decide import Ask, Wait
from qstash_jobs.publish.settlement import Settlement
from qstash_jobs.publish.work import Try
from qstash_jobs.record import Evidence, Instant, Result, State, Verdict, Witness
from qstash_jobs.state import change
from qstash_jobs.value import dataclass

BETWEEN_LOOKS_S = 120.0
"""How long the log is given to list a message. The SDKs' own tests wait a minute for it."""

CLOCKS_AGREE_S = 30.0
"""How far this machine's clock may be from QStash's: the window has a minute to spare for it."""


_UNLABELLED = "`run_labels: false` keeps QStash's log from telling"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A message that the log did not list, and when to ask again."""

    place: int
    envelope: Envelope
    ask: Ask
    at_s: float


class Doubts:
    """Settles doubts by the log. Every question keeps the answers on the wire waiting: ask while there are none."""

    def __init__(
        self,
        *,
        inquiry: Inquiry,
        ledger: Ledger,
        clock: Clock,
        aside: Aside,
        resends: bool,
        stopping: Callable[[], bool],
    ) -> None:
        self._inquiry = inquiry
        self._ledger = ledger
        self._clock = clock
        self._aside = aside
        self._resends = resends
        self._stopping = stopping
        self._waiting: list[Waiting] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def next_s(self) -> float | None:
        """Return when to look again, on the monotonic clock."""
        return min((one.at_s for one in self._waiting), default=None)

    def look(
        self, place: int, envelope: Envelope, ask: Ask, *, waited: bool = False
    ) -> Settlement | Try | Wait | None:
        """Ask about a message: it is settled, or sent again, or, with None, to be asked about later in this run.

        With Wait, another runner has taken it over meanwhile, and it stands aside. `waited` says that this run has
        asked before, long enough ago.
        """
        found = self._look(envelope, ask, waited=waited)
        if isinstance(found, Ask):
            at_s = self._clock.monotonic_s() + BETWEEN_LOOKS_S
            self._waiting.append(Waiting(place=place, envelope=envelope, ask=found, at_s=at_s))
            return None
        if isinstance(found, Wait):
            self._aside.put(place, envelope)
        return found

    def _look(self, envelope: Envelope, ask: Ask, *, waited: bool) -> Settlement | Try | Wait | Ask:
        """Ask about a message; what comes out is the question itself where it is to be asked again."""
        if not envelope.message.run_labels and not ask.may_resend:
            return self._conclude(envelope, ask, _UNLABELLED)
        if self._stopping():
            return self._hold(envelope, ask, "the run was stopped before QStash's log was asked")
        try:
            sighting = self._inquiry.find(message_label(envelope.id))
        except StopError as error:
            return self._hold(envelope, ask, str(error))
        now = self._clock.instant()
        if sighting.endpoints:
            return self._publish(envelope, ask, sighting, now)
        if ask.may_resend and self._is_right(now, sighting):
            return _send_again(envelope, ask, ask.record.first_maybe_sent or now)
        if not envelope.message.run_labels:
            return self._conclude(envelope, ask, _UNLABELLED)
        return self._note_absence(envelope, ask, now, waited=waited)

    def look_again(self) -> Iterator[Settlement | Try]:
        """Ask once more about what is due; settle it or send it again."""
        now_s = self._clock.monotonic_s()
        due = [one for one in self._waiting if one.at_s <= now_s]
        self._waiting = [one for one in self._waiting if one.at_s > now_s]
        for one in due:
            settled = self.look(one.place, one.envelope, one.ask, waited=True)
            if isinstance(settled, Settlement | Try):
                yield settled

    def leave(self) -> Iterator[Settlement]:
        """Give up on what waits for another look, because the run ends."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            yield _leave_in_doubt(one.envelope, one.ask, "QStash's log does not list it yet")

    def _publish(self, envelope: Envelope, ask: Ask, sighting: Sighting, now: Instant) -> Settlement | Wait:
        record = ask.record
        outrun = self._ledger.write(
            results=[
                Result(
                    slot=record.slot,
                    attempt=record.attempt,
                    state=change(record.state, State.PUBLISHED),
                    settled_at=sighting.at or now.wall,
                    endpoints=sighting.endpoints,
                )
            ],
            evidence=[_evidence(ask, now, Verdict.PUBLISHED)],
        )
        if outrun.results:
            return Wait()
        return Settlement(
            envelope=envelope,
            state=State.PUBLISHED,
            reason="an earlier attempt had arrived: QStash's log lists it",
            endpoints=sighting.endpoints,
            attempts=record.attempt,
            evidence=Witness.LOG,
        )

    def _note_absence(
        self, envelope: Envelope, ask: Ask, now: Instant, *, waited: bool
    ) -> Settlement | Try | Wait | Ask:
        """Write down that the log did not list it; the second time that is all that will ever be known."""
        record = ask.record
        (known,) = self._ledger.find_evidence([record.slot])
        absences = [
            one.at
            for one in known
            if one.verdict is Verdict.ABSENT and record.settled_at is not None and one.at >= record.settled_at
        ]
        was_sending = record.state is State.SENDING
        if was_sending or len(absences) < 2:
            in_doubt = Result(
                slot=record.slot,
                attempt=record.attempt,
                state=change(State.SENDING, State.IN_DOUBT),
                settled_at=now.wall,
                status=record.status,
                error=record.error,
            )
            outrun = self._ledger.write(
                results=[in_doubt] if was_sending else (), evidence=[_evidence(ask, now, Verdict.ABSENT)]
            )
            if outrun.results:
                return Wait()
        if waited or any(now.wall - at >= timedelta(seconds=BETWEEN_LOOKS_S) for at in absences):
            return self._conclude(envelope, ask, "QStash's log does not list it")
        if was_sending:
            return replace(ask, record=replace(record, state=State.IN_DOUBT, settled_at=now.wall))
        return ask

    def _conclude(self, envelope: Envelope, ask: Ask, why: str) -> Settlement | Try | Wait:
        """Leave it in doubt, or send it again where that is wanted: a second message would be new to QStash."""
        if self._resends:
            return _send_again(envelope, ask, self._clock.instant())
        held = self._hold(envelope, ask, why)
        return replace(held, asked_in_vain=True) if isinstance(held, Settlement) else held

    def _hold(self, envelope: Envelope, ask: Ask, why: str) -> Settlement | Wait:
        """Leave it in doubt, unless another runner has found out more since this one read of it."""
        (known,) = self._ledger.find([ask.record.slot])
        if known is not None and (known.attempt, known.state) != (ask.record.attempt, ask.record.state):
            return Wait()
        return _leave_in_doubt(envelope, ask, why)

    def _is_right(self, now: Instant, sighting: Sighting) -> bool:
        """Say whether this machine's wall clock can be trusted: it was not set back, and QStash's is the same."""
        newest = self._ledger.newest_at()
        if (newest is not None and newest > now.wall) or sighting.answered_at is None:
            return False
        return abs((sighting.answered_at - now.wall).total_seconds()) <= CLOCKS_AGREE_S


def _send_again(envelope: Envelope, ask: Ask, since: Instant) -> Try:
    return Try(
        envelope=envelope,
        attempt=ask.record.attempt + 1,
        before=ask.record.state,
        doubtful_since=since,
    )


def _leave_in_doubt(envelope: Envelope, ask: Ask, why: str) -> Settlement:
    return Settlement(
        envelope=envelope,
        state=State.IN_DOUBT,
        reason=f"it may have been accepted, {ask.reason}, and {why}",
        endpoints=ask.record.endpoints,
        status=ask.record.status,
        error=ask.record.error,
        attempts=ask.record.attempt,
    )


def _evidence(ask: Ask, now: Instant, verdict: Verdict) -> Evidence:
    return Evidence(slot=ask.record.slot, at=now.wall, witness=Witness.LOG, verdict=verdict)
