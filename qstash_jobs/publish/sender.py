"""Sender threads: each owns one line, has it connected before it asks for work, and says what came back."""

from collections.abc import Callable
from enum import Enum, auto
from queue import SimpleQueue
from threading import Thread

from qstash_jobs.boundary import Clock, Line
from qstash_jobs.record import Instant
from qstash_jobs.value import dataclass
from qstash_jobs.wire.http import Answer, Request, Unreachable, Untrusted

CLAIM_AGE_S = 5.0
"""A claim older than this is not acted on: its first-sent moment in the ledger would be wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """This sender's line is connected."""

    sender: "Sender"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """This sender's line could not be connected; it waits to be told what to do."""

    sender: "Sender"
    answer: Unreachable | Untrusted
    began_s: float
    """When it began to connect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came of a request."""

    sender: "Sender"
    ticket: int
    answer: Answer
    began_s: float
    elapsed_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Crashed:
    """A fault of this program in a sender, which is gone; the run passes it on."""

    ticket: int | None
    """Of the request that it had, if it had one."""
    error: BaseException


Event = Ready | Stuck | Answered | Crashed


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A request to send, and when its claim in the ledger was durable."""

    ticket: int
    request: Request
    claimed_at: Instant


class Order(Enum):
    CONNECT = auto()
    STOP = auto()


class Sender:
    """One thread with one line. It connects first, and only then asks for work."""

    def __init__(self, line: Line, clock: Clock, events: "SimpleQueue[Event]") -> None:
        self._line = line
        self._clock = clock
        self._events = events
        self._orders: SimpleQueue[Errand | Order] = SimpleQueue()
        self._thread = Thread(target=self._work, name="sender", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def give(self, order: Errand | Order) -> None:
        """Hand over what to do next; after STOP it closes its line and is gone."""
        self._orders.put(order)

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def _work(self) -> None:
        ticket: int | None = None
        try:
            self._connect()
            while (order := self._orders.get()) is not Order.STOP:
                if isinstance(order, Errand):
                    ticket = order.ticket
                    self._send(order)
                    ticket = None
                self._connect()
        except BaseException as error:
            self._events.put(Crashed(ticket=ticket, error=error))
        finally:
            self._line.close()

    def _connect(self) -> None:
        began_s = self._clock.monotonic_s()
        failure = self._line.connect()
        if failure is None:
            self._events.put(Ready(sender=self))
        else:
            self._events.put(Stuck(sender=self, answer=failure, began_s=began_s))

    def _send(self, errand: Errand) -> None:
        began_s = self._clock.monotonic_s()
        answer = self._line.send(errand.request, may_send=self._is_fresh(errand.claimed_at))
        elapsed_ms = round((self._clock.monotonic_s() - began_s) * 1000)
        self._events.put(
            Answered(sender=self, ticket=errand.ticket, answer=answer, began_s=began_s, elapsed_ms=elapsed_ms)
        )

    def _is_fresh(self, claimed_at: Instant) -> Callable[[], bool]:
        """Ask whether the claim is young, by the clock that goes on while the machine sleeps."""
        return lambda: 0 <= self._clock.instant().boot_s - claimed_at.boot_s < CLAIM_AGE_S
