"""Lines with an exchange under way -> those that can go on with it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from socket import socket, socketpair

from qstash_jobs.boundary import Line
from qstash_jobs.errors import ServiceError
from qstash_jobs.transport.connect import explain


@contextmanager
def open_watch() -> Iterator["SocketWatch"]:
    """Watch lines as long as the block lasts. Raises ServiceError where the system opens nothing more."""
    with ExitStack() as opened:
        try:
            selector = opened.enter_context(DefaultSelector())
            ear, mouth = map(opened.enter_context, socketpair())
        except OSError as error:
            raise ServiceError(
                f"no connection can be opened: {explain(error)}; let this process open more files (ulimit -n)"
            ) from error
        ear.settimeout(0)
        mouth.settimeout(0)
        yield SocketWatch(selector, ear, mouth)


class SocketWatch:
    """A `boundary.Watch` over the system's own way to wait for many sockets."""

    def __init__(self, selector: DefaultSelector, ear: socket, mouth: socket) -> None:
        self._selector = selector
        self._ear = ear
        self._mouth = mouth
        self._watched: dict[Line, tuple[int, int]] = {}
        """By line: its socket's number, and what is waited for."""
        selector.register(ear, EVENT_READ, None)

    def keep(self, line: Line) -> None:
        """Watch a line, for what its exchange waits for, or for the server's farewell."""
        events = EVENT_WRITE if line.is_writing else EVENT_READ
        number, before = self._watched.get(line, (-1, 0))
        if before == events:
            return
        if before:
            self._selector.modify(number, events, line)
        else:
            number = line.fileno()
            self._selector.register(number, events, line)
        self._watched[line] = number, events

    def drop(self, line: Line) -> None:
        """Watch a line no longer, whether it is still connected or not."""
        if line in self._watched:
            number, _ = self._watched.pop(line)
            self._selector.unregister(number)

    def wait(self, timeout_s: float) -> list[Line]:
        """Wait for the first lines that can go on, for a wake, or for so long."""
        lines = [key.data for key, _ in self._selector.select(timeout_s)]
        if None in lines:
            lines.remove(None)
            with suppress(BlockingIOError):
                while self._ear.recv(4096):
                    pass
        return lines

    def wake(self) -> None:
        """End the wait that another thread is in."""
        # a full pipe wakes it too, and one that is closed has nobody left to wake
        with suppress(OSError):
            self._mouth.send(b"!")
