"""A try about to be claimed, and who holds its id -> whether it may go now, or what becomes of it instead."""

from qstash_jobs.publish.decide import may_resend, refuse_window
from qstash_jobs.publish.settlement import SettledState, Settlement
from qstash_jobs.publish.work import Try
from qstash_jobs.record import Instant, State, Window


def refuse(item: Try, window: Window | None, now: Instant) -> Settlement | None:
    """Say why a try may not be claimed; None where it may. `window` is what the ledger holds of its id."""
    doubtful = item.doubtful_since is not None
    if item.doubtful_since is not None and not may_resend(item.doubtful_since, now):
        return _settle(item, State.IN_DOUBT, "it is too late to send it again: QStash forgets its id")
    refusal = refuse_window(item.envelope, window, now) if window is not None else None
    if refusal is None:
        return None
    if doubtful:
        return _settle(item, State.IN_DOUBT, refusal)
    if window is not None and window.job != item.envelope.message.job.name:
        return _settle(item, State.REJECTED, refusal)
    return _settle(item, "skipped", refusal)


def _settle(item: Try, state: SettledState, why: str) -> Settlement:
    return Settlement(
        envelope=item.envelope,
        state=state,
        reason=f"it may have been accepted, and {why}" if state is State.IN_DOUBT else why,
        error=why if state is State.REJECTED else None,
        attempts=item.attempt - 1,
    )
