"""How requests and connections end -> whether QStash is well, in trouble, or out of reach.

What fails at once fails for one reason: of the requests that were under way when a failure became known, no other
one counts. In trouble, one request at a time finds out whether it is over, at growing intervals.
"""

from qstash_jobs.publish.pace import back_off_s

FAILURES_IN_A_ROW = 10
"""Then QStash is taken to be out of reach."""

FAILURES_AT_FIRST = 5
"""The same, while nothing has answered once: what is wrong then is rather the address."""


class Health:
    """Counts failures in a row. All times are seconds on a monotonic clock."""

    def __init__(self) -> None:
        self.failures = 0
        self._was_reached = False
        self._failed_s = float("-inf")
        self._retry_s = float("-inf")

    @property
    def is_well(self) -> bool:
        return self.failures == 0

    @property
    def is_lost(self) -> bool:
        """Whether going on is pointless."""
        return self.failures >= (FAILURES_IN_A_ROW if self._was_reached else FAILURES_AT_FIRST)

    def wait_s(self, now_s: float) -> float:
        """Return how long not to try anything from now; 0 when it may be tried."""
        return max(0.0, self._retry_s - now_s)

    def reach(self) -> None:
        """Note that somebody has answered at QStash's address, whatever it was."""
        self._was_reached = True

    def recover(self) -> None:
        """Note an answer that shows that QStash is at work."""
        self.failures = 0
        self._retry_s = float("-inf")

    def fail(self, *, began_s: float, now_s: float, chance: float) -> None:
        """Note that what began at `began_s` has come to nothing. `chance` is a random number from 0 to 1."""
        if began_s < self._failed_s:
            return
        self.failures += 1
        self._failed_s = now_s
        self._retry_s = now_s + back_off_s(self.failures, chance)
