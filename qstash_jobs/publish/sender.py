"""One connection's part in a run: it connects in a thread of its own, because that waits; nothing else does."""

from collections.abc import Callable
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
class Crashed:
    """A fault of this program in a sender, which is gone; the run passes it on."""

    ticket: int | None
    """Of the request that it had, if it had one."""
    error: BaseException


Connected = Ready | Stuck | Crashed
"""How an attempt to connect ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A request to send, and when its claim in the ledger was durable."""

    ticket: int
    request: Request
    claimed_at: Instant
    good_for_s: float
    """How long from then the claim may be acted on."""


class Sender:
    """One line, and what it is out for. `report` is called from the thread that connects."""

    def __init__(self, line: Line, clock: Clock, report: Callable[[Connected], None]) -> None:
        self.line = line
        self.errand: Errand | None = None
        self.began_s = 0.0
        """When it was given its errand."""
        self._clock = clock
        self._report = report
        self._thread: Thread | None = None
        self._is_closed = False

    @property
    def ticket(self) -> int | None:
        return self.errand.ticket if self.errand is not None else None

    @property
    def elapsed_ms(self) -> int:
        """How long it has been out."""
        return round((self._clock.monotonic_s() - self.began_s) * 1000)

    def connect(self) -> None:
        """Begin to connect."""
        self._thread = Thread(target=self._connect, name="sender", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the system gives this process no more threads
            self._thread = None
            self._connect()

    def take(self, errand: Errand) -> None:
        """Take an errand; it may have to connect again before it can set out."""
        self.errand = errand
        self.began_s = self._clock.monotonic_s()

    def set_out(self) -> Answer | None:
        """Begin to send what the errand is about; None while the answer is not there."""
        assert self.errand is not None  # noqa: S101 - whoever sends it out has given it one
        return self.line.offer(self.errand.request, may_send=self._is_fresh)

    def close(self) -> None:
        """Close the line, now or as soon as it is connected."""
        self._is_closed = True
        self.line.close()

    def join(self, timeout_s: float) -> None:
        """Wait for the end of an attempt to connect."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _connect(self) -> None:
        began_s = self._clock.monotonic_s()
        try:
            failure = self.line.connect()
        except BaseException as error:
            self._report(Crashed(ticket=self.ticket, error=error))
            return
        if self._is_closed:
            self.line.close()
        if failure is None:
            self._report(Ready(sender=self))
        else:
            self._report(Stuck(sender=self, answer=failure, began_s=began_s))

    def _is_fresh(self) -> bool:
        """Say whether the claim is young, by the clock that goes on while the machine sleeps."""
        if self.errand is None:
            return False
        return 0 <= self._clock.instant().boot_s - self.errand.claimed_at.boot_s < self.errand.good_for_s
