"""The states of a message -> the changes between them that are allowed, as one table that code and docs share."""

from enum import StrEnum

from qstash_jobs.value import dataclass


class State(StrEnum):
    PLANNED = "planned"
    """Not sent, or surely not accepted; a later run sends it."""
    SENDING = "sending"
    """Claimed; after a crash it counts as in doubt."""
    WAITING = "waiting"
    """An attempt was surely not accepted, and this run is about to make another."""
    IN_DOUBT = "in_doubt"
    """May have been accepted."""
    PUBLISHED = "published"
    DEDUPLICATED = "deduplicated"
    PARTIAL = "partial"
    REJECTED = "rejected"
    ABANDONED = "abandoned"
    """Left out for good by `--skip`."""


SETTLED = frozenset({State.PUBLISHED, State.DEDUPLICATED, State.PARTIAL, State.ABANDONED})
"""What no later run sends again by itself."""

DOUBTFUL = frozenset({State.SENDING, State.IN_DOUBT})
"""What may have been accepted, as far as the ledger knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One change that is allowed."""

    before: State | None
    """None: the ledger does not know the message yet."""
    after: State
    when: str
    """For people; several reasons are joined with semicolons."""
    clears_doubt: bool = True
    """Whether it is allowed where an earlier attempt may have been accepted; said only of what follows an attempt."""


TRANSITIONS = (
    Transition(before=None, after=State.SENDING, when="an attempt begins"),
    Transition(
        before=None, after=State.PUBLISHED, when="QStash's log lists it under a run key new to this ledger"
    ),
    Transition(before=None, after=State.REJECTED, when="its deduplication id belongs to another job"),
    Transition(before=None, after=State.ABANDONED, when="`--skip`"),
    Transition(before=State.PLANNED, after=State.SENDING, when="an attempt begins"),
    Transition(
        before=State.PLANNED, after=State.REJECTED, when="its deduplication id belongs to another job"
    ),
    Transition(before=State.PLANNED, after=State.ABANDONED, when="`--skip`"),
    Transition(before=State.WAITING, after=State.SENDING, when="the next attempt begins"),
    Transition(before=State.WAITING, after=State.PLANNED, when="the run ends before the next attempt"),
    Transition(
        before=State.WAITING, after=State.REJECTED, when="its deduplication id belongs to another job"
    ),
    Transition(before=State.WAITING, after=State.ABANDONED, when="`--skip`, after a run that was killed"),
    Transition(before=State.REJECTED, after=State.SENDING, when="a later run sends it again"),
    Transition(
        before=State.REJECTED, after=State.REJECTED, when="its deduplication id belongs to another job"
    ),
    Transition(before=State.REJECTED, after=State.ABANDONED, when="`--skip`"),
    Transition(
        before=State.SENDING,
        after=State.PUBLISHED,
        when="QStash accepts it, or knows it from an earlier attempt; QStash's log lists it; `resolve`",
    ),
    Transition(before=State.SENDING, after=State.PARTIAL, when="some endpoints of a URL group accept it"),
    Transition(
        before=State.SENDING,
        after=State.DEDUPLICATED,
        when="QStash had its deduplication id before any attempt",
    ),
    Transition(before=State.SENDING, after=State.REJECTED, when="QStash refuses it", clears_doubt=False),
    Transition(
        before=State.SENDING,
        after=State.WAITING,
        when="surely not accepted, and there will be another attempt",
        clears_doubt=False,
    ),
    Transition(
        before=State.SENDING,
        after=State.PLANNED,
        when="surely not accepted, and it was the last attempt of this run; `resolve --as not-published`",
        clears_doubt=False,
    ),
    Transition(
        before=State.SENDING,
        after=State.IN_DOUBT,
        when="it may have been accepted, by this attempt or an earlier one",
    ),
    Transition(
        before=State.SENDING, after=State.SENDING, when="a run was killed, and the next one sends it again"
    ),
    Transition(before=State.SENDING, after=State.ABANDONED, when="`--skip`, after a run that was killed"),
    Transition(before=State.IN_DOUBT, after=State.SENDING, when="it is sent again under the same id"),
    Transition(before=State.IN_DOUBT, after=State.PUBLISHED, when="QStash's log lists it; `resolve`"),
    Transition(before=State.IN_DOUBT, after=State.PLANNED, when="`resolve --as not-published`"),
    Transition(before=State.IN_DOUBT, after=State.ABANDONED, when="`--skip`"),
    Transition(
        before=State.DEDUPLICATED, after=State.PUBLISHED, when="it was this very message, by QStash's log"
    ),
    Transition(
        before=State.DEDUPLICATED, after=State.ABANDONED, when="`--skip`, where another's message has its id"
    ),
)
"""Everything that may become of a message. Nothing leads out of published, partial and abandoned."""

_ALLOWED = {(one.before, one.after): one for one in TRANSITIONS}


class TransitionError(AssertionError):
    """a message would change its state in a way that is not allowed; this is a fault of the program"""


def change(before: State | None, after: State) -> State:
    """Return the state after a change; TransitionError where the table does not have it."""
    if (before, after) not in _ALLOWED:
        raise TransitionError(f"{before or 'a new message'} cannot become {after}")
    return after


def conclude(after: State, *, doubtful: bool) -> State:
    """Return the state that an attempt ends in; TransitionError where that would hide an earlier attempt's doubt."""
    transition = _ALLOWED.get((State.SENDING, after))
    if transition is None or (doubtful and not transition.clears_doubt):
        raise TransitionError(
            f"an attempt cannot end as {after}{' while an earlier one is in doubt' * doubtful}"
        )
    return after
