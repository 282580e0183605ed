"""An attempt's answer -> one outcome for each message, and what each leaves in the ledger and tells the user."""

from datetime import datetime
from typing import cast

from qstash_jobs.envelope import Envelope
from qstash_jobs.outcome import (
    Deduplicated,
    Limit,
    Misconfigured,
    NotSent,
    Outcome,
    Partial,
    Published,
    Rejected,
    Throttled,
    Unknown,
)
from qstash_jobs.publish.settlement import Settlement
from qstash_jobs.publish.work import Batch, Try
from qstash_jobs.record import Result, State, settle
from qstash_jobs.state import change
from qstash_jobs.state import conclude as conclude_attempt
from qstash_jobs.wire.http import Answer
from qstash_jobs.wire.reply import WholeRefused, read_batch, read_publish

_ACCEPTANCES = (Published, Deduplicated, Partial)


def read_answer(batch: Batch, answer: Answer, now: datetime) -> tuple[Outcome, ...] | WholeRefused:
    """Read one answer as one outcome for each message of the batch."""
    if batch.travels_in_batch:
        return read_batch(answer, groups=[item.envelope.is_group for item in batch.tries], now=now)
    return (read_publish(answer, group=batch.tries[0].envelope.is_group, now=now),)


def conclude(item: Try, outcome: Outcome, *, elapsed_ms: int | None = None) -> Settlement:
    """Say where an attempt leaves its message, if it is the last one of this run."""
    state = _state(item, outcome)
    foreign = state is State.DEDUPLICATED and has_own_id(item.envelope)
    return Settlement(
        envelope=item.envelope,
        state=state,
        reason=_FOREIGN[item.attempt > 1] if foreign else _reason(state, outcome),
        endpoints=outcome.endpoints if isinstance(outcome, _ACCEPTANCES) else (),
        status=None if isinstance(outcome, NotSent) else outcome.status,
        error=explain(outcome),
        attempts=item.attempt,
        elapsed_ms=elapsed_ms,
        foreign=foreign,
    )


def write_result(item: Try, settlement: Settlement, now: datetime, *, goes_again: bool = False) -> Result:
    """Write what the ledger keeps of an attempt; `goes_again` says that this run makes another."""
    state = cast(State, settlement.state)  # an attempt ends in one of the ledger's own
    if goes_again and state is State.PLANNED:
        state = State.WAITING
    return Result(
        slot=item.envelope.slot,
        attempt=item.attempt,
        state=conclude_attempt(state, doubtful=item.doubtful_since is not None),
        settled_at=now,
        endpoints=settlement.endpoints,
        status=settlement.status,
        error=settlement.error,
    )


def withdraw(item: Try, now: datetime) -> Result:
    """Write that the attempt before was the last one of this run, although another was meant to follow."""
    left = item.left
    return Result(
        slot=item.envelope.slot,
        attempt=item.attempt - 1,
        state=change(item.before, State.PLANNED),
        settled_at=now,
        status=left.status if left else None,
        error=left.error if left else None,
    )


def has_own_id(envelope: Envelope) -> bool:
    """Say whether the deduplication id belongs to this one message, so that whoever has it has this message."""
    return envelope.dedup_id == envelope.id


def explain(outcome: Outcome) -> str | None:
    """Say in a few words why an attempt did not end well; None where it did."""
    match outcome:
        case Published() | Deduplicated():
            return None
        case Partial():
            refused = [endpoint for endpoint in outcome.endpoints if not endpoint.message_id]
            return "; ".join(
                f"{endpoint.url or 'an endpoint'}: {endpoint.error or 'refused'}" for endpoint in refused
            )
        case Rejected() | Misconfigured():
            return outcome.error
        case Throttled():
            limit = "the daily limit is reached" if outcome.limit is Limit.DAILY else "too many requests"
            return outcome.error or limit
        case NotSent() | Unknown():
            return outcome.reason


def _state(item: Try, outcome: Outcome) -> State:
    """Say which state is left; an id that other messages share proves nothing of an attempt in doubt."""
    if isinstance(outcome, Deduplicated) and not has_own_id(item.envelope):
        return State.DEDUPLICATED
    return settle(outcome, doubtful=item.doubtful_since is not None)


_FOREIGN = {
    False: "QStash knew this deduplication id, and this ledger did not: it is the message of another ledger",
    True: "QStash knew this deduplication id, and by this ledger nothing had arrived under it: it is the message of "
    "another ledger, or of an attempt that `resolve` has called not published",
}
"""By whether this ledger has attempted it before."""


def _reason(state: State, outcome: Outcome) -> str | None:
    if state is State.PUBLISHED and isinstance(outcome, Deduplicated):
        return "an earlier attempt had arrived"
    if state is State.IN_DOUBT:
        return f"it may have been accepted: {explain(outcome)}"
    if state is State.PLANNED:
        return f"not sent: {explain(outcome)}"
    return None
