"""Ctrl-C and a polite kill -> a clean stop; the second one stops at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(slots=True)
class Stop:
    """Whether a run was asked to stop, and by which signal."""

    signal: int | None = None

    def is_asked(self) -> bool:
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """What the shell expects of a program that this signal ended."""
        return 128 + self.signal if self.signal is not None else 0


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Note the first signal, so that what is on the wire can be finished and recorded; let the second one through."""
    stop = Stop()

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        if stop.is_asked():
            raise KeyboardInterrupt
        stop.signal = number

    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
