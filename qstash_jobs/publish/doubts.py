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
from qstash_jobs.publish.decide import Ask
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
        resends: bool,
        stopping: Callable[[], bool],
    ) -> None:
        self._inquiry = inquiry
        self._ledger = ledger
        self._clock = clock
        self._resends = resends
        self._stopping = stopping
        self._waiting: list[Waiting] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def next_s(self) -> float | None:
        """Return when to look again, on the monotonic clock."""
        return min((one.at_s for one in self._waiting), default=None)

    def look(self, envelope: Envelope, ask: Ask, *, waited: bool = False) -> Settlement | Try | None:
        """Ask about a message: it is settled, or sent again, or, with None, to be asked about later in this run.

        `waited` says that this run has asked before, long enough ago.
        """
        if not envelope.message.run_labels and not ask.may_resend:
            return self._conclude(envelope, ask, _UNLABELLED)
        if self._stopping():
            return _hold(envelope, ask, "the run was stopped before QStash's log was asked")
        try:
            sighting = self._inquiry.find(message_label(envelope.id))
        except StopError as error:
            return _hold(envelope, ask, str(error))
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
            settled = self.look(one.envelope, one.ask, waited=True)
            if settled is not None:
                yield settled

    def leave(self) -> Iterator[Settlement]:
        """Give up on what waits for another look, because the run ends."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            yield _hold(one.envelope, one.ask, "QStash's log does not list it yet")

    def _publish(self, envelope: Envelope, ask: Ask, sighting: Sighting, now: Instant) -> Settlement:
        record = ask.record
        self._ledger.write(
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
    ) -> Settlement | Try | None:
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
            self._ledger.write(
                results=[in_doubt] if was_sending else (), evidence=[_evidence(ask, now, Verdict.ABSENT)]
            )
        if waited or any(now.wall - at >= timedelta(seconds=BETWEEN_LOOKS_S) for at in absences):
            return self._conclude(envelope, ask, "QStash's log does not list it")
        if was_sending:
            ask = replace(ask, record=replace(record, state=State.IN_DOUBT, settled_at=now.wall))
        at_s = self._clock.monotonic_s() + BETWEEN_LOOKS_S
        self._waiting.append(Waiting(envelope=envelope, ask=ask, at_s=at_s))
        return None

    def _conclude(self, envelope: Envelope, ask: Ask, why: str) -> Settlement | Try:
        """Leave it in doubt, or send it again where that is wanted: a second message would be new to QStash."""
        if self._resends:
            return _send_again(envelope, ask, self._clock.instant())
        return _hold(envelope, ask, why)

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


def _hold(envelope: Envelope, ask: Ask, why: str) -> Settlement:
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
