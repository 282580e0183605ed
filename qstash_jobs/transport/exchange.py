"""A request on an open socket -> its answer, as far as it goes each time without waiting."""

import ssl
from socket import socket
from time import monotonic

from qstash_jobs.transport.answer import AnswerReader
from qstash_jobs.transport.connect import RECEIVE_BYTES, explain
from qstash_jobs.wire.http import Reply, Request


class Exchange:
    """One request and its answer, under one hard deadline; the socket does not block."""

    def __init__(self, opened: socket, head: bytes, request: Request, *, deadline_s: float) -> None:
        self._socket = opened
        self._unsent = memoryview(head + request.body)
        self._reader = AnswerReader(method=request.method, body_bytes=request.answer_bytes)
        self._ends_s = monotonic() + deadline_s
        self.is_writing = True
        """Whether it goes on when the socket takes more, and not when it has something."""
        self.cut: str | None = None
        """Why the request did not go out in full, where the server stopped listening.

        A server that refuses a large body answers and closes before it has read it; that answer is worth reading.
        """

    @property
    def status(self) -> int | None:
        """The answer's status, as soon as it is known."""
        return self._reader.status

    @property
    def may_go_on(self) -> bool:
        """Whether the connection is good for another request, after the answer."""
        return self._reader.may_go_on and self.cut is None

    @property
    def left_s(self) -> float:
        """The seconds that are left."""
        return max(0.0, self._ends_s - monotonic())

    def proceed(self) -> Reply | None:
        """Write and read what can be; return the answer when it is whole.

        Raises BrokenAnswerError, OSError, and TimeoutError when time is up.
        """
        reply = None
        if self._unsent:
            self._write()
        else:
            reply = self._read()
        if reply is None and monotonic() >= self._ends_s:
            raise TimeoutError
        return reply

    def _write(self) -> None:
        try:
            while self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except (BlockingIOError, ssl.SSLWantWriteError):
            self.is_writing = True
            return
        except ssl.SSLWantReadError:
            self.is_writing = False
            return
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError) as error:
            self.cut = f"the connection broke before the request was sent: {explain(error)}"
            self._unsent = self._unsent[:0]
        self.is_writing = False

    def _read(self) -> Reply | None:
        self.is_writing = False
        reply = None
        try:
            while reply is None:
                reply = self._reader.feed(self._socket.recv(RECEIVE_BYTES))
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        except ssl.SSLWantWriteError:
            self.is_writing = True
        return reply
