"""What only QStash's log can tell of a run's messages -> what became of them, asked while no answer has to wait."""

from collections.abc import Callable, Iterator

from qstash_jobs.boundary import Clock
from qstash_jobs.publish.doubts import Doubts
from qstash_jobs.publish.settlement import Settlement
from qstash_jobs.publish.strangers import Strangers
from qstash_jobs.publish.work import Try


class Questions:
    """Doubts that are asked about a second time, and duplicates that may be nobody else's."""

    def __init__(
        self, *, doubts: Doubts, strangers: Strangers, clock: Clock, note: Callable[[str], None]
    ) -> None:
        self.doubts = doubts
        self.strangers = strangers
        self._clock = clock
        self._note = note
        self._has_noted = False

    def __bool__(self) -> bool:
        return bool(self.doubts) or bool(self.strangers)

    @property
    def are_many(self) -> bool:
        """Whether they have to be asked before anything more is sent."""
        return self.strangers.is_full

    def ask(self, *, nothing_else: bool) -> Iterator[Settlement | Try]:
        """Ask what is due now; `nothing_else` says that the run has nothing else to do.

        What is written down for that is in the ledger already, and its results before it have to be.
        """
        yield from self.doubts.look_again()
        if self.strangers.is_full or (self.strangers and nothing_else):
            yield from self.strangers.resolve()

    def sleep(self, most_s: float) -> None:
        """Wait until the next question is due, or so long; the first time, say for what."""
        if self.doubts.next_s is None:
            return
        wait_s = self.doubts.next_s - self._clock.monotonic_s()
        if not self._has_noted and wait_s > most_s:
            self._has_noted = True
            self._note(
                f"QStash's log does not list what is in doubt; it lags, and is asked again in {wait_s:.0f} s"
            )
        self._clock.sleep(min(most_s, wait_s))

    def leave(self) -> Iterator[Settlement]:
        """Give up what has not been answered, because the run ends."""
        yield from self.doubts.leave()
        yield from self.strangers.leave()
