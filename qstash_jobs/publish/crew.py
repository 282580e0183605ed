"""The senders of a run: hired as work comes, each with a connected line before it is given any."""

from collections.abc import Callable
from itertools import count
from queue import Empty, SimpleQueue

from qstash_jobs.boundary import Clock, Line
from qstash_jobs.publish.sender import Answered, Crashed, Errand, Event, Order, Ready, Sender, Stuck
from qstash_jobs.record import Instant
from qstash_jobs.wire.http import Lost, Request, Unreachable, Untrusted

FAREWELL_S = 1.0
"""How long the end of a run waits for its threads; what they still do then is of no consequence."""

HIRE_AGAIN_S = 2.0
"""How long nobody is hired after a line failed: the server may take no more of them."""

News = Answered | Stuck | Crashed


class Crew:
    """At most so many senders, and what they have to say."""

    def __init__(self, open_line: Callable[[], Line], clock: Clock, *, most: int) -> None:
        self._most = most
        self._open_line = open_line
        self._clock = clock
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._senders: list[Sender] = []
        self._idle: list[Sender] = []
        self._stuck: Sender | None = None
        self._was_connected = False
        self._hire_after_s = float("-inf")
        self._tickets = count()

    @property
    def idle(self) -> int:
        """How many senders are ready for work."""
        return len(self._idle)

    @property
    def is_stuck(self) -> bool:
        """Whether the only sender there is cannot connect, and waits to be told to try again."""
        return self._stuck is not None

    def grow(self) -> None:
        """Hire one sender; once one was connected, as many as there are, up to the most."""
        if not self._senders:
            self._hire(1)
        elif self._was_connected and not self.is_stuck and self._clock.monotonic_s() >= self._hire_after_s:
            self._hire(min(len(self._senders), self._most - len(self._senders)))

    def reconnect(self) -> None:
        """Let the sender that is stuck try again."""
        if self._stuck is not None:
            self._stuck.give(Order.CONNECT)
            self._stuck = None

    def give(self, request: Request, *, claimed_at: Instant) -> int:
        """Hand a request to a ready sender; return the ticket that its answer will carry."""
        ticket = next(self._tickets)
        self._idle.pop().give(Errand(ticket=ticket, request=request, claimed_at=claimed_at))
        return ticket

    def listen(self, timeout_s: float) -> list[News]:
        """Wait for the first event, and return all news that has come by then."""
        news: list[News] = []
        wait_s = timeout_s
        while True:
            try:
                event = self._events.get(timeout=wait_s) if wait_s > 0 else self._events.get_nowait()
            except Empty:
                return news
            wait_s = 0
            match event:
                case Ready():
                    self._hear_ready(event)
                case Stuck():
                    news += self._hear_stuck(event)
                case Answered():
                    news.append(event)
                    if isinstance(event.answer, Lost | Unreachable):
                        self._dismiss(event.sender)
                case Crashed():
                    news.append(event)

    def close(self) -> None:
        """Send everybody home and close their lines."""
        for sender in self._senders:
            sender.give(Order.STOP)
        ends_s = self._clock.monotonic_s() + FAREWELL_S
        for sender in self._senders:
            sender.join(max(0.0, ends_s - self._clock.monotonic_s()))

    def _hire(self, number: int) -> None:
        for _ in range(number):
            sender = Sender(self._open_line(), self._clock, self._events)
            try:
                sender.start()
            except RuntimeError:  # the system gives this process no more threads
                if not self._senders:
                    raise
                self._most = len(self._senders)
                return
            self._senders.append(sender)

    def _hear_ready(self, event: Ready) -> None:
        if event.sender in self._senders:
            self._idle.append(event.sender)
            self._was_connected = True

    def _hear_stuck(self, event: Stuck) -> list[News]:
        """Let the last sender that cannot connect wait until it is told to try again."""
        if self._dismiss(event.sender):
            return [event] if isinstance(event.answer, Untrusted) else []
        self._stuck = event.sender
        return [event]

    def _dismiss(self, sender: Sender) -> bool:
        """Send a sender home whose line failed, unless no other is left."""
        if self._senders == [sender]:
            return False
        if sender in self._senders:
            self._senders.remove(sender)
            sender.give(Order.STOP)
            self._hire_after_s = self._clock.monotonic_s() + HIRE_AGAIN_S
        return True
