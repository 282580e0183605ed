"""Sender threads: each owns one line, has it connected before it asks for work, and says what came back."""

from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread

from qstash_jobs.boundary import Clock, Line
from qstash_jobs.wire.http import Answer, Request, Unreachable, Untrusted

CLAIM_AGE_S = 5
"""A claim older than this is not acted on: its first-sent moment in the ledger would be wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """This sender's line is connected."""

    sender: "Sender"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """This sender's line could not be connected; it waits to be told to try again."""

    sender: "Sender"
    answer: Unreachable | Untrusted


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came of a request."""

    ticket: int
    answer: Answer
    elapsed_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Crashed:
    """A fault of this program in a sender; the run passes it on."""

    error: BaseException


Event = Ready | Stuck | Answered | Crashed


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A request to send, and when it was claimed in the ledger."""

    ticket: int
    request: Request
    claimed_at_s: float


class Sender:
    """One thread with one line. It connects first, and only then asks for work."""

    def __init__(self, line: Line, clock: Clock, events: "SimpleQueue[Event]") -> None:
        self._line = line
        self._clock = clock
        self._events = events
        self._errands: SimpleQueue[Errand | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="sender", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def give(self, errand: Errand | None) -> None:
        """Hand over a request; None means: connect again."""
        self._errands.put(errand)

    def stop(self) -> None:
        """End the thread after what it is doing, and close its line."""
        self._events = SimpleQueue()
        self._errands.put(_STOP)

    def join(self, timeout_s: float) -> None:
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _work(self) -> None:
        try:
            self._connect()
            while (errand := self._errands.get()) is not _STOP:
                if errand is not None:
                    self._send(errand)
                self._connect()
        except BaseException as error:
            self._events.put(Crashed(error=error))
        finally:
            self._line.close()

    def _connect(self) -> None:
        failure = self._line.connect()
        self._events.put(Ready(sender=self) if failure is None else Stuck(sender=self, answer=failure))

    def _send(self, errand: Errand) -> None:
        started_s = self._clock.monotonic_s()
        failure = self._line.connect()
        answer = failure or self._line.send(errand.request, may_send=self._fresh(errand))
        elapsed_ms = round((self._clock.monotonic_s() - started_s) * 1000)
        self._events.put(Answered(ticket=errand.ticket, answer=answer, elapsed_ms=elapsed_ms))

    def _fresh(self, errand: Errand) -> Callable[[], bool]:
        return lambda: self._clock.monotonic_s() - errand.claimed_at_s < CLAIM_AGE_S


_STOP = Errand(ticket=-1, request=Request(method="", target=""), claimed_at_s=0)
