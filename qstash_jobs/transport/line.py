"""One connection to QStash: connected first, then Request after Request -> the Answer to each."""

import ssl
from collections.abc import Callable, Mapping
from socket import SHUT_RDWR, socket
from threading import Lock
from time import monotonic

from qstash_jobs import __version__
from qstash_jobs.transport.answer import AnswerReader, BrokenAnswerError
from qstash_jobs.transport.connect import RECEIVE_BYTES, explain, open_socket
from qstash_jobs.transport.deadline import Deadline
from qstash_jobs.transport.head import write_fixed, write_head
from qstash_jobs.transport.proxy import find_proxy
from qstash_jobs.transport.trust import trust
from qstash_jobs.wire.http import Answer, Held, Lost, Request, Unreachable, Untrusted
from qstash_jobs.wire.server import Server

IDLE_S = 50.0
"""A connection that was idle for longer is not used again: what lies between may have forgotten it without a word.

AWS's load balancers do so after 60 s by default (AWS docs, Application Load Balancers, connection idle timeout).
"""

_ONE_PIECE_BYTES = 64 * 1024
"""A body up to this length goes out together with its head."""


def open_line(
    server: Server,
    token: str | None,
    *,
    environment: Mapping[str, str],
    connect_timeout_s: float = 10,
    deadline_s: float = 30,
) -> "HttpLine":
    """Make a line to a server; it connects when it is told to.

    `environment` gives HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR. `connect_timeout_s` is for
    each step of connecting, `deadline_s` for a whole exchange from its first byte on. ValueError where the token
    cannot stand in a header.
    """
    default_port = 443 if server.secure else 80
    host = server.place.removesuffix(f":{default_port}")
    fixed = write_fixed(host=host, token=token, agent=f"qstash-jobs/{__version__}")
    return HttpLine(server, fixed, environment, connect_timeout_s=connect_timeout_s, deadline_s=deadline_s)


class HttpLine:
    """A `boundary.Line` over HTTP/1.1. One thread uses it; `close` may come from another."""

    def __init__(
        self,
        server: Server,
        fixed: bytes,
        environment: Mapping[str, str],
        *,
        connect_timeout_s: float,
        deadline_s: float,
    ) -> None:
        self._server = server
        self._fixed = fixed
        self._environment = environment
        self._connect_timeout_s = connect_timeout_s
        self._deadline_s = deadline_s
        self._socket: socket | None = None
        self._used_at_s = 0.0
        self._busy = Lock()

    def connect(self) -> Unreachable | Untrusted | None:
        """Connect, TLS included, unless a good connection is there; None when the line is ready."""
        with self._busy:
            return self._connect()

    def send(self, request: Request, *, may_send: Callable[[], bool]) -> Answer:
        """Send one request and read its answer, within the deadline.

        ValueError, and nothing sent, where the request cannot go out exactly as it is.
        """
        head = write_head(request, fixed=self._fixed, path=self._server.path)
        with self._busy:
            if failure := self._connect():
                return failure
            if not may_send():
                return Held()
            return self._exchange(head, request)

    def close(self) -> None:
        """Close the connection; an exchange under way in another thread ends as `Lost`."""
        if not self._busy.acquire(blocking=False):
            self._hang_up()
            return
        try:
            self._drop()
        finally:
            self._busy.release()

    def _connect(self) -> Unreachable | Untrusted | None:
        if self._is_good():
            return None
        self._drop()
        try:
            proxy = find_proxy(self._server, self._environment)
            context = trust(self._environment) if self._server.secure else None
        except ValueError as error:
            return Untrusted(reason=str(error))
        opened = open_socket(self._server, proxy=proxy, context=context, timeout_s=self._connect_timeout_s)
        if not isinstance(opened, socket):
            return opened
        self._socket = opened
        self._used_at_s = monotonic()
        return None

    def _is_good(self) -> bool:
        """Say whether the connection is open and silent.

        A look at the socket alone is not enough: TLS 1.3 sends session tickets after the handshake. Reading takes
        these in, and finds the server's farewell, or bytes that answer no request of ours.
        """
        if self._socket is None or monotonic() - self._used_at_s > IDLE_S:
            return False
        try:
            self._socket.settimeout(0)
            self._socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        return False

    def _exchange(self, head: bytes, request: Request) -> Answer:
        """Send and read; from here on the request may have arrived, whatever happens."""
        opened = self._socket
        assert opened is not None  # noqa: S101 - `_connect` came before
        deadline = Deadline(self._deadline_s)

        def receive() -> bytes:
            opened.settimeout(deadline.left_s())
            return opened.recv(RECEIVE_BYTES)

        reader = AnswerReader(receive)
        keep = False
        try:
            cut = _write(opened, head, request.body, deadline)
            reply = reader.read(method=request.method, body_bytes=request.answer_bytes)
            keep = reader.may_go_on and cut is None
        except TimeoutError:
            return self._lost(f"no complete answer within {deadline}", reader)
        except BrokenAnswerError as error:
            return self._lost(str(error), reader)
        except OSError as error:
            return self._lost(f"the connection broke: {explain(error)}", reader)
        finally:
            self._used_at_s = monotonic()
            if not keep:
                self._drop()
        return reply if cut is None or 400 <= reply.status < 500 else self._lost(cut, reader)

    def _lost(self, reason: str, reader: AnswerReader) -> Lost:
        return Lost(reason=f"{self._server.place}: {reason}", status=reader.status)

    def _drop(self) -> None:
        opened, self._socket = self._socket, None
        if opened is not None:
            opened.close()

    def _hang_up(self) -> None:
        """End the connection under the thread that uses it, which then closes it itself.

        Closing it here would free its number for another file while that thread still writes to it, and SSLSocket's
        own `shutdown` would take the encryption off it.
        """
        opened = self._socket
        if opened is not None:
            try:
                socket.shutdown(opened, SHUT_RDWR)
            except OSError:
                return  # it had ended already


def _write(opened: socket, head: bytes, body: bytes, deadline: Deadline) -> str | None:
    """Write a request; say why it did not go out in full where the server stopped listening.

    A server that refuses a large body answers and closes before it has read it; that answer is worth reading.
    """
    pieces = [head + body] if len(body) <= _ONE_PIECE_BYTES else [head, body]
    try:
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                opened.settimeout(deadline.left_s())
                rest = rest[opened.send(rest) :]
    except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError) as error:
        return f"the connection broke before the request was sent: {explain(error)}"
    return None
