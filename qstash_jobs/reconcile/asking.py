"""A Request and what the world gives -> its answer read, tried again where that can help and cannot harm."""

from collections.abc import Callable
from typing import TypeVar

from qstash_jobs.boundary import Clock, Line
from qstash_jobs.outcome import Limit, Misconfigured, NotSent, Rejected, Throttled, Unknown
from qstash_jobs.value import dataclass
from qstash_jobs.wire.http import Answer, Reply, Request
from qstash_jobs.wire.refusal import Failure

T = TypeVar("T")

FIRST_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A request that came to nothing, as far as is known."""

    failure: Failure
    may_have_worked: bool
    """An attempt at it was lost, so that it may have been carried out."""

    @property
    def reason(self) -> str:
        """Why, in the service's own words where there are any."""
        match self.failure:
            case NotSent() | Unknown():
                return self.failure.reason
            case Rejected():
                return f"{self.failure.status} {self.failure.error}"
            case Throttled():
                what = (
                    "the day's limit is reached" if self.failure.limit is Limit.DAILY else "too many requests"
                )
                return f"{what}: {self.failure.error}" if self.failure.error else what
            case Misconfigured():
                hint = f"; {self.failure.hint}" if self.failure.hint else ""
                return f"{self.failure.error}{hint}"


class Asking:
    """Sends requests, one after the other, on a line that is made anew when it broke.

    Everything that is sent may be sent again: it asks, or it says what is to be, not what is to be done.
    """

    def __init__(
        self,
        open_line: Callable[[], Line],
        clock: Clock,
        *,
        chance: Callable[[], float],
        stopping: Callable[[], bool] = lambda: False,
        tries: int = 4,
    ) -> None:
        self._open_line = open_line
        self.clock = clock
        self._chance = chance
        self.stopping = stopping
        self._tries = tries
        self._line: Line | None = None

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def ask(self, request: Request, read: Callable[[Answer], T | Failure]) -> T | Failed:
        """Send a request until its answer is one that another try would not better."""
        may_have_worked = False
        number = 0
        while True:
            number += 1
            result = read(self._send(request))
            if not isinstance(result, Rejected | Throttled | NotSent | Unknown | Misconfigured):
                return result
            may_have_worked = may_have_worked or isinstance(result, Unknown)
            if not _can_be_bettered(result) or number == self._tries or self.stopping():
                return Failed(failure=result, may_have_worked=may_have_worked)
            self.clock.sleep(self._pause_s(result, number))

    def _send(self, request: Request) -> Answer:
        line = self._line if self._line is not None else self._open_line()
        self._line = line
        answer = line.connect() or line.send(request, may_send=lambda: True)
        if not isinstance(answer, Reply):
            self.close()
        return answer

    def _pause_s(self, failure: Failure, number: int) -> float:
        if isinstance(failure, Throttled) and failure.wait_s is not None:
            return failure.wait_s
        return float(FIRST_PAUSE_S * 2 ** (number - 1)) * (0.5 + self._chance())


def _can_be_bettered(failure: Failure) -> bool:
    if isinstance(failure, Throttled):
        return failure.limit is Limit.BURST
    return isinstance(failure, NotSent | Unknown)
