"""How much of a run or an apply is done -> a line on a terminal that is written over, and gone at the end."""

from qstash_jobs.boundary import Clock
from qstash_jobs.cli.terminal import Terminal

PATIENCE_S = 1.0
"""A run that is over before that shows no bar."""

EACH_S = 0.1
BAR = 30


class Progress:
    """Shows how far a run is, where a person looks on; elsewhere it is silent."""

    def __init__(self, terminal: Terminal, clock: Clock) -> None:
        self._terminal = terminal
        self._clock = clock
        self._total = 0
        self._done = 0
        self._due_s = 0.0

    def begin(self, total: int) -> None:
        """Begin with nothing done of so many messages."""
        self._total = total if self._terminal.takes_status else 0
        self._due_s = self._clock.monotonic_s() + PATIENCE_S

    def step(self) -> None:
        """One message more is done."""
        self._done += 1
        if self._total and self._clock.monotonic_s() >= self._due_s:
            self._due_s = self._clock.monotonic_s() + EACH_S
            self._terminal.status(write_bar(self._done, self._total))

    def end(self) -> None:
        """Take the line away."""
        self._total = 0
        self._terminal.status("")


def write_bar(done: int, total: int) -> str:
    """Write a bar and its numbers: `[######........................] 1,200 of 6,000`."""
    filled = BAR * min(done, total) // total
    return f"[{'#' * filled}{'.' * (BAR - filled)}] {done:,} of {total:,}"
