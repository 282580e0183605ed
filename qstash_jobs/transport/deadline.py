"""A number of seconds from now -> how many are left: one limit for many waits."""

from time import monotonic


class Deadline:
    """Everything between its making and its end shares one limit."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end_s = monotonic() + seconds

    def left_s(self) -> float:
        """Return the seconds that are left; TimeoutError when there are none."""
        left_s = self._end_s - monotonic()
        if left_s <= 0:
            raise TimeoutError
        return left_s

    def __str__(self) -> str:
        return f"{self._seconds:g} s"
