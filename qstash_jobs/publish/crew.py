"""The senders of a run: hired as work comes, each with a connected line before it is given any."""

from collections import deque
from collections.abc import Callable
from itertools import count
from queue import SimpleQueue

from qstash_jobs.boundary import Clock, Line, Watch
from qstash_jobs.publish.sender import Connected, Crashed, Errand, Ready, Sender, Stuck
from qstash_jobs.record import Instant
from qstash_jobs.value import dataclass
from qstash_jobs.wire.http import Answer, Lost, Request, Unreachable, Untrusted

FAREWELL_S = 1.0
"""How long the end of a run waits for those that still connect; what they do then is of no consequence."""

HIRE_AGAIN_S = 2.0
"""How long nobody is hired after a line failed: the server may take no more of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came of a request."""

    ticket: int
    answer: Answer
    began_s: float
    elapsed_ms: int


News = Answered | Stuck | Crashed


class Crew:
    """At most so many senders, and what they have to say. One thread watches over all that are out."""

    def __init__(self, open_line: Callable[[], Line], clock: Clock, watch: Watch, *, most: int) -> None:
        self._open_line = open_line
        self._clock = clock
        self._watch = watch
        self._most = most
        self._senders: list[Sender] = []
        self._idle: deque[Sender] = deque()
        """Who is ready; those that had an answer last come before those that are only connected."""
        self._out: dict[Line, Sender] = {}
        """Who waits for an answer, the longest first."""
        self._stuck: Sender | None = None
        self._connected: SimpleQueue[Connected] = SimpleQueue()
        self._news: list[News] = []
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
            self._stuck.connect()
            self._stuck = None

    def give(self, request: Request, *, claimed_at: Instant, good_for_s: float) -> int:
        """Hand a request to a ready sender, and how long its claim may be acted on; return its answer's ticket."""
        ticket = next(self._tickets)
        sender = self._idle.pop()
        sender.take(Errand(ticket=ticket, request=request, claimed_at=claimed_at, good_for_s=good_for_s))
        if sender.line.is_good:
            self._go_on(sender, sender.set_out)
        else:
            self._connect(sender)
        return ticket

    def listen(self, timeout_s: float) -> list[News]:
        """Wait for the first event, and return all news that has come by then."""
        for line in self._watch.wait(0 if self._news else min(timeout_s, self._left_s())):
            sender = self._out.get(line)
            if sender is not None:
                self._go_on(sender, line.proceed)
            else:
                # its connection has ended: that is seen to when it is given something
                self._watch.drop(line)
        while not self._connected.empty():
            self._hear(self._connected.get())
        while self._left_s() <= 0:
            sender = next(iter(self._out.values()))
            self._go_on(sender, sender.line.proceed)
        news, self._news = self._news, []
        return news

    def close(self) -> None:
        """Send everybody home and close their lines."""
        for sender in self._senders:
            self._send_home(sender)
        ends_s = self._clock.monotonic_s() + FAREWELL_S
        for sender in self._senders:
            sender.join(max(0.0, ends_s - self._clock.monotonic_s()))

    def _hire(self, number: int) -> None:
        for _ in range(number):
            sender = Sender(self._open_line(), self._clock, self._report)
            self._senders.append(sender)
            sender.connect()

    def _report(self, event: Connected) -> None:
        """Pass on, from a sender's own thread, how its attempt to connect has ended."""
        self._connected.put(event)
        self._watch.wake()

    def _left_s(self) -> float:
        """How long the one that has been out for the longest may still be."""
        return next((line.left_s for line in self._out), float("inf"))

    def _hear(self, event: Connected) -> None:
        match event:
            case Ready(sender=sender):
                self._was_connected = True
                self._watch.keep(sender.line)
                if sender.errand is None:
                    self._idle.appendleft(sender)
                else:
                    self._go_on(sender, sender.set_out)
            case Stuck(sender=sender) if sender.errand is not None:
                self._hear_answer(sender, event.answer)
            case Stuck():
                self._hear_stuck(event)
            case Crashed():
                self._news.append(event)

    def _go_on(self, sender: Sender, step: Callable[[], Answer | None]) -> None:
        """Let a sender do what it can without waiting."""
        try:
            answer = step()
        except Exception as error:
            self._out.pop(sender.line, None)
            self._send_home(sender)
            self._news.append(Crashed(ticket=sender.ticket, error=error))
            return
        if answer is None:
            self._out[sender.line] = sender
            self._watch.keep(sender.line)
        else:
            self._out.pop(sender.line, None)
            self._hear_answer(sender, answer)

    def _hear_answer(self, sender: Sender, answer: Answer) -> None:
        """Take what came of an errand, and see to it that the sender can be given another."""
        assert sender.errand is not None  # noqa: S101 - an answer is one to something
        ticket, sender.errand = sender.errand.ticket, None
        self._news.append(
            Answered(ticket=ticket, answer=answer, began_s=sender.began_s, elapsed_ms=sender.elapsed_ms)
        )
        if isinstance(answer, Lost | Unreachable) and self._dismiss(sender):
            return
        if sender.line.fileno() < 0:
            self._connect(sender)
        else:
            self._idle.append(sender)

    def _connect(self, sender: Sender) -> None:
        self._watch.drop(sender.line)
        sender.connect()

    def _hear_stuck(self, event: Stuck) -> None:
        """Let the last sender that cannot connect wait until it is told to try again."""
        if not self._dismiss(event.sender):
            self._stuck = event.sender
            self._news.append(event)
        elif isinstance(event.answer, Untrusted):
            self._news.append(event)

    def _dismiss(self, sender: Sender) -> bool:
        """Send a sender home whose line failed, unless no other is left."""
        if self._senders == [sender]:
            return False
        self._senders.remove(sender)
        self._send_home(sender)
        self._hire_after_s = self._clock.monotonic_s() + HIRE_AGAIN_S
        return True

    def _send_home(self, sender: Sender) -> None:
        self._watch.drop(sender.line)
        sender.close()
