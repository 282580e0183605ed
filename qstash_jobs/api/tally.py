"""What a run tells of its messages -> how many are in which state, and the exit code that follows from them."""

from collections import Counter
from collections.abc import Callable, Iterable

from qstash_jobs.errors import INTERRUPTED, STOPPED, AuthenticationError, StopError
from qstash_jobs.publish import Ending, Settlement
from qstash_jobs.record import Record, State


class Tally:
    """Counts what is told, so that what never was can be told as a number."""

    def __init__(self, run_id: str, tell: Callable[[str, Settlement], None]) -> None:
        self._run_id = run_id
        self._tell = tell
        self.states: Counter[str] = Counter()
        self.foreign = 0
        self.unsent = 0
        """Those that were tried, and never got out; others only waited behind them."""

    def tell(self, settlement: Settlement) -> None:
        self.states[str(settlement.state)] += 1
        self.foreign += settlement.foreign
        self.unsent += settlement.state == State.PLANNED and settlement.attempts > 0
        self._tell(self._run_id, settlement)

    def interrupt(self, messages: Iterable[Record]) -> None:
        """Count what was on its way when the run broke off: it may have arrived."""
        self.states.update(message.state for message in messages if message.state is State.SENDING)

    def leave(self, expected: int, count_doubts: Callable[[], int]) -> None:
        """Count the messages that the run ended before.

        `count_doubts` says how many of the run's messages the ledger has in doubt: what is not among those told was
        left so by an earlier run, and has not been reached.
        """
        unreached = expected - self.states.total()
        if unreached <= 0:
            return
        told = self.states[State.IN_DOUBT] + self.states[State.SENDING]
        doubtful = min(unreached, max(0, count_doubts() - told))
        self.states.update({State.IN_DOUBT: doubtful} if doubtful else {})
        self.states.update({State.PLANNED: unreached - doubtful} if unreached > doubtful else {})


def exit_code_of_run(tally: Tally, ending: Ending | None, *, has_orphans: bool = False) -> int:
    """The highest concern wins: interrupted, authentication, doubt (here or in what is gone from the files), …"""
    states = tally.states
    if ending is not None and ending.exit_code in (*STOPPED, AuthenticationError.exit_code):
        return ending.exit_code
    if states[State.IN_DOUBT] or has_orphans:
        return 3
    if ending is not None:
        return ending.exit_code
    if tally.unsent:
        return 5
    if states[State.REJECTED] + states[State.PARTIAL] + tally.foreign:
        return 1
    return 5 if states[State.PLANNED] else 0


def exit_code_of(error: BaseException) -> int:
    """Say what the program ends with when this stops a run."""
    if isinstance(error, StopError):
        return error.exit_code
    return int(getattr(error, "exit_code", INTERRUPTED)) if isinstance(error, KeyboardInterrupt) else 70
