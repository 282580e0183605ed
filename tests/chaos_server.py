"""A server on a real socket that does to each connection exactly what a test says, to the byte.

A script is a function of a `Peer`; the server runs one for each connection, in the order given, and the last one for
all that follow. Each runs in a thread of its own.
"""

import socket
import ssl
import struct
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic
from types import TracebackType

ACCEPTED = (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n{"messageId":"msg_1"}'
)

Script = Callable[["Peer"], None]


class Peer:
    """One client's connection, from the server's side."""

    def __init__(self, connection: socket.socket, stopped: Event) -> None:
        self._connection = connection
        self._stopped = stopped
        self._buffer = b""
        self.requests: list[bytes] = []
        """What was read, a request each."""

    def read_request(self) -> bytes:
        """Read one whole request, head and body; b"" when the client has gone."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._fill():
                return b""
        head, _, _ = self._buffer.partition(b"\r\n\r\n")
        size = len(head) + 4 + _content_length(head)
        while len(self._buffer) < size:
            if not self._fill():
                return b""
        request, self._buffer = self._buffer[:size], self._buffer[size:]
        self.requests.append(request)
        return request

    def read_bytes(self, count: int) -> bytes:
        """Read at least so many bytes, and leave the rest unread."""
        while len(self._buffer) < count and self._fill(count):
            pass
        return self._buffer

    def read_packet(self) -> bytes:
        """Read what came in one piece."""
        return self._connection.recv(1 << 20)

    def write(self, data: bytes) -> None:
        """Write bytes; a client that has gone is no error."""
        with suppress(OSError):
            self._connection.sendall(data)

    def drip(self, data: bytes, *, pause_s: float) -> None:
        """Write one byte after the other until the client goes."""
        with suppress(OSError):
            for byte in data:
                self._connection.sendall(bytes([byte]))
                if self._stopped.wait(pause_s):
                    return

    def flood(self, data: bytes) -> int:
        """Write the same bytes for ever, until the client goes; return how many it took."""
        taken = 0
        with suppress(OSError):
            while not self._stopped.is_set():
                self._connection.sendall(data)
                taken += len(data)
        return taken

    def wait(self, seconds: float) -> None:
        """Do nothing for a while, or until the server stops."""
        self._stopped.wait(seconds)

    def wait_for_farewell(self) -> None:
        """Read until the client has gone."""
        while self._fill():
            pass

    def splice(self, port: int) -> None:
        """Pass bytes on, both ways, between the client and a port of 127.0.0.1."""
        with socket.create_connection(("127.0.0.1", port)) as other:
            back = Thread(target=_pass_on, args=(other, self._connection), daemon=True)
            back.start()
            _pass_on(self._connection, other)
            back.join(5)

    def close(self) -> None:
        """End the connection with FIN."""
        with suppress(OSError):
            # not SSLSocket's own, which would pull TLS away under a thread that still reads
            socket.socket.shutdown(self._connection, socket.SHUT_RDWR)
        self._connection.close()

    def reset(self) -> None:
        """End the connection with RST, which throws away what is still on its way."""
        with suppress(OSError):
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()

    def _fill(self, most: int = 65536) -> bool:
        try:
            data = self._connection.recv(most)
        except OSError:
            return False
        self._buffer += data
        return bool(data)


class ChaosServer:
    """Listens on a free port of 127.0.0.1 from its making to its end; use it in a `with` block."""

    def __init__(self, *scripts: Script, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self._scripts = scripts or (answer(ACCEPTED),)
        self._tls = tls
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self._stopped = Event()
        self._lock = Lock()
        self._threads: list[Thread] = []
        self.peers: list[Peer] = []
        """One for each connection, in the order they came."""
        self.port: int = self._listener.getsockname()[1]
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://[{host}]:{self.port}" if ":" in host else f"{scheme}://{host}:{self.port}"

    @property
    def requests(self) -> list[bytes]:
        """Everything that was read as a whole request, whichever connection it came on."""
        return [request for peer in list(self.peers) for request in peer.requests]

    def await_peers(self, count: int, *, within_s: float = 5) -> None:
        """Wait until so many connections have come."""
        end_s = monotonic() + within_s
        while len(self.peers) < count:
            assert monotonic() < end_s, f"{len(self.peers)} of {count} connections came"
            self._stopped.wait(0.005)

    def __enter__(self) -> "ChaosServer":
        Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            peers, threads = list(self.peers), list(self._threads)
        for peer in peers:
            peer.close()
        for thread in threads:
            thread.join(5)

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                script = self._scripts[min(len(self._threads), len(self._scripts) - 1)]
                thread = Thread(target=self._serve, args=(connection, script), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket, script: Script) -> None:
        if self._tls is not None:
            try:
                connection = self._tls.wrap_socket(connection, server_side=True)
            except OSError:
                connection.close()
                return
        peer = Peer(connection, self._stopped)
        with self._lock:
            self.peers.append(peer)
        script(peer)
        peer.close()


def answer(*answers: bytes) -> Script:
    """Answer one request after the other, the last answer for all that follow, until the client goes."""

    def script(peer: Peer) -> None:
        rest = list(answers)
        while peer.read_request():
            peer.write(rest[0])
            rest = rest[1:] or rest

    return script


def answer_and_close(data: bytes) -> Script:
    """Answer one request and end the connection with FIN."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.write(data)

    return script


def answer_and_reset(data: bytes) -> Script:
    """Answer one request and end the connection with RST."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.write(data)
        peer.reset()

    return script


def make_certificate(
    folder: Path, *, names: Sequence[str] = ("IP:127.0.0.1", "DNS:localhost"), days: int = 2
) -> Path:
    """Make a self-signed certificate with `openssl`; the file holds its key too."""
    key, certificate, both = folder / "key.pem", folder / "certificate.pem", folder / "server.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-keyout", str(key), "-out", str(certificate), "-days", str(days), "-subj", "/CN=chaos"]
    command += ["-addext", f"subjectAltName={','.join(names)}"]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return both


def serve_tls(certificate: Path) -> ssl.SSLContext:
    """Make a server's side of TLS of a certificate file with its key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@contextmanager
def closed_port() -> Iterator[int]:
    """Hold a port of 127.0.0.1 where nobody listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0
