"""Ctrl-C, a polite kill, a terminal that goes -> a clean stop; the second one stops at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from qstash_jobs.value import dataclass

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interrupt(KeyboardInterrupt):
    """A signal that ends the program where it stands."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + number


@dataclass(slots=True)
class Stop:
    """Whether a program was asked to stop, and by which signal."""

    signal: int | None = None
    at_once: bool = False
    """The first signal ends it too: nothing is under way that would have to be finished."""

    def is_asked(self) -> bool:
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """What the shell expects of a program that this signal ended; 0 where there was none."""
        return 128 + self.signal if self.signal is not None else 0


@contextmanager
def stop_on_signals(*, at_once: bool = False) -> Iterator[Stop]:
    """Note the first signal, so that what is on the wire can be finished and recorded; let the second one through."""
    stop = Stop(at_once=at_once)

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        if stop.at_once or stop.is_asked():
            raise Interrupt(number)
        stop.signal = number

    # who started the program may have it ignore a signal, as `nohup` and a shell's `&` do
    heeded = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, note) for number in heeded}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
