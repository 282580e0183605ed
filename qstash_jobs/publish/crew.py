"""The senders of a run: hired as work comes, each with a connected line before it is given any."""

from collections.abc import Callable
from itertools import count
from queue import Empty, SimpleQueue

from qstash_jobs.boundary import Clock, Line
from qstash_jobs.publish.sender import Answered, Crashed, Errand, Event, Ready, Sender, Stuck
from qstash_jobs.wire.http import Request

FAREWELL_S = 5.0
"""How long the end of a run waits for its threads; what they still do then is of no consequence."""


class Crew:
    """At most so many senders, and what they have to say."""

    def __init__(self, open_line: Callable[[], Line], clock: Clock, *, most: int) -> None:
        self._open_line = open_line
        self._clock = clock
        self._most = most
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._senders: list[Sender] = []
        self._idle: list[Sender] = []
        self._tickets = count()

    @property
    def idle(self) -> int:
        """How many senders are ready for work."""
        return len(self._idle)

    def grow(self) -> None:
        """Hire as many senders as there are, and at least one, up to the most."""
        for _ in range(min(max(1, len(self._senders)), self._most - len(self._senders))):
            sender = Sender(self._open_line(), self._clock, self._events)
            self._senders.append(sender)
            sender.start()

    def give(self, request: Request, *, claimed_at_s: float) -> int:
        """Hand a request to a ready sender; return the ticket that its answer will carry."""
        ticket = next(self._tickets)
        self._idle.pop().give(Errand(ticket=ticket, request=request, claimed_at_s=claimed_at_s))
        return ticket

    def listen(self, timeout_s: float) -> list[Answered | Stuck]:
        """Wait for the first event, and return all that have come by then."""
        heard: list[Answered | Stuck] = []
        wait_s: float = timeout_s
        while True:
            try:
                event = self._events.get(timeout=wait_s) if wait_s > 0 else self._events.get_nowait()
            except Empty:
                return heard
            wait_s = 0
            match event:
                case Ready():
                    self._idle.append(event.sender)
                case Crashed():
                    raise event.error
                case _:
                    heard.append(event)

    def close(self) -> None:
        """Send everybody home and close their lines."""
        for sender in self._senders:
            sender.stop()
        for sender in self._senders:
            sender.join(FAREWELL_S)
