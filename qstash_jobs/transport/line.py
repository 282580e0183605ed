"""One connection to QStash: connected first, then Request after Request -> the Answer to each."""

import ssl
from collections.abc import Callable, Mapping
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from socket import SHUT_RDWR, socket
from threading import Lock
from time import monotonic

from qstash_jobs import __version__
from qstash_jobs.transport.arrived import BrokenAnswerError
from qstash_jobs.transport.connect import explain, open_socket
from qstash_jobs.transport.exchange import Exchange
from qstash_jobs.transport.head import write_fixed, write_head
from qstash_jobs.transport.proxy import find_proxy
from qstash_jobs.transport.trust import trust
from qstash_jobs.wire.http import Answer, Held, Lost, Request, Unreachable, Untrusted
from qstash_jobs.wire.server import Server

IDLE_S = 50.0
"""A connection that was idle for longer is not used again: what lies between may have forgotten it without a word.

AWS's load balancers do so after 60 s by default (AWS docs, Application Load Balancers, connection idle timeout).
"""


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
    """A `boundary.Line` over HTTP/1.1. One thread uses it at a time; `close` may come from another."""

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
        self._exchange: Exchange | None = None
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
        head = self._write_head(request)
        with self._busy:
            if failure := self._connect():
                return failure
            answer = self._offer(head, request, may_send)
            while answer is None:
                self._wait()
                answer = self.proceed()
            return answer

    def offer(self, request: Request, *, may_send: Callable[[], bool]) -> Answer | None:
        """Begin to send, on a line that is connected; None where the answer is not there yet.

        ValueError, and nothing sent, where the request cannot go out exactly as it is.
        """
        return self._offer(self._write_head(request), request, may_send)

    def proceed(self) -> Answer | None:
        """Go on with what was offered as far as nothing has to be waited for; None where that is not to its end."""
        exchange = self._exchange
        assert exchange is not None  # noqa: S101 - something was offered
        try:
            reply = exchange.proceed()
        except TimeoutError:
            return self._lose(f"no complete answer within {self._deadline_s:g} s", exchange)
        except BrokenAnswerError as error:
            return self._lose(str(error), exchange)
        except OSError as error:
            return self._lose(f"the connection broke: {explain(error)}", exchange)
        if reply is None:
            return None
        if exchange.cut is not None and not 400 <= reply.status < 500:
            return self._lose(exchange.cut, exchange)
        self._exchange = None
        self._used_at_s = monotonic()
        if not exchange.may_go_on:
            self._drop()
        return reply

    @property
    def is_good(self) -> bool:
        """Say whether the connection is open and silent.

        A look at the socket alone is not enough: TLS 1.3 sends session tickets after the handshake. Reading takes
        these in, and finds the server's farewell, or bytes that answer no request of ours.
        """
        if self._socket is None or monotonic() - self._used_at_s > IDLE_S:
            return False
        try:
            self._socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        return False

    @property
    def is_writing(self) -> bool:
        """Say whether the exchange under way goes on when the connection takes more, not when something comes."""
        return self._exchange is not None and self._exchange.is_writing

    @property
    def left_s(self) -> float:
        """The seconds that the exchange under way has left."""
        return self._exchange.left_s if self._exchange is not None else self._deadline_s

    def fileno(self) -> int:
        """Return the connection's number for the system, -1 where there is none."""
        return self._socket.fileno() if self._socket is not None else -1

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
        if self.is_good:
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
        opened.settimeout(0)
        self._socket = opened
        self._used_at_s = monotonic()
        return None

    def _write_head(self, request: Request) -> bytes:
        return write_head(request, fixed=self._fixed, path=self._server.path)

    def _offer(self, head: bytes, request: Request, may_send: Callable[[], bool]) -> Answer | None:
        if not may_send():
            return Held()
        assert self._socket is not None  # noqa: S101 - whoever offers has connected
        # from here on the request may have arrived, whatever happens
        self._exchange = Exchange(self._socket, head, request, deadline_s=self._deadline_s)
        return self.proceed()

    def _lose(self, reason: str, exchange: Exchange) -> Lost:
        self._drop()
        return Lost(reason=f"{self._server.place}: {reason}", status=exchange.status)

    def _wait(self) -> None:
        """Wait until there is something to do for the exchange, or its time is up."""
        with DefaultSelector() as selector:
            selector.register(self, EVENT_WRITE if self.is_writing else EVENT_READ)
            selector.select(self.left_s)

    def _drop(self) -> None:
        self._exchange = None
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
