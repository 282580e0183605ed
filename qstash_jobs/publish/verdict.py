"""The outcome of a request -> what follows for its batch, and for the whole run."""

from qstash_jobs.outcome import Limit, Misconfigured, NotSent, Outcome, Throttled, Unknown
from qstash_jobs.publish.decide import show_time
from qstash_jobs.publish.options import Ending
from qstash_jobs.publish.work import Batch

TRIES = 5
"""Requests for a message in one run that may come to nothing."""


def is_answer(outcome: Outcome) -> bool:
    """Say whether QStash was at work: it took the message, refused it, or asked for patience."""
    return not isinstance(outcome, NotSent | Unknown | Misconfigured)


def is_worth_another(batch: Batch, outcome: Outcome) -> bool:
    """Say whether a message is offered again in this run after its request came to this."""
    match outcome:
        case NotSent() | Throttled(limit=Limit.BURST):
            return batch.failures + 1 < TRIES
        case Unknown():
            return batch.failures + 1 < TRIES and batch.may_repeat
        case _:
            return False


def pause_s(outcome: Outcome) -> float:
    """Return how long QStash asks for no request at all."""
    return outcome.wait_s or 0.0 if isinstance(outcome, Throttled) else 0.0


def end_run(outcome: Outcome) -> Ending | None:
    """Say why the run has to stop after this; None where it goes on."""
    match outcome:
        case Misconfigured():
            return Ending(exit_code=outcome.exit_code, reason=outcome.error, hint=outcome.hint)
        case Throttled(limit=Limit.DAILY):
            resets = f"; it resets {show_time(outcome.resets_at)}" if outcome.resets_at else ""
            return Ending(exit_code=5, reason=f"the account's daily limit is reached{resets}")
        case _:
            return None
