"""How fast to go: messages a second, pauses that the service asked for, and the wait before another try."""

FIRST_BACK_OFF_S = 0.5
LONGEST_BACK_OFF_S = 20.0


def back_off_s(failures: int, chance: float) -> float:
    """Choose a wait after so many failures, from 1: full jitter, so that many runners don't come back at once.

    `chance` is a random number from 0 to 1.
    """
    return chance * min(LONGEST_BACK_OFF_S, FIRST_BACK_OFF_S * 2.0 ** (failures - 1))


class Pace:
    """Says when the next messages may go. All times are seconds on a monotonic clock."""

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._next_s = 0.0

    def wait_s(self, now_s: float) -> float:
        """Return how long nothing may be sent from now; 0 when it may."""
        return max(0.0, self._next_s - now_s)

    def take(self, messages: int, now_s: float) -> None:
        """Count messages as sent now."""
        if self._rate is not None:
            self._next_s = max(self._next_s, now_s) + messages / self._rate

    def give_back(self, messages: int) -> None:
        """Count messages as not sent after all."""
        if self._rate is not None:
            self._next_s -= messages / self._rate

    def pause(self, seconds: float, now_s: float) -> None:
        """Send nothing for so long."""
        self._next_s = max(self._next_s, now_s + seconds)
