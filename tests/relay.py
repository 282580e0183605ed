"""A server between a client and the real one, which may do something before or after each request, or to its answer."""

import http.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import urlsplit


@dataclass(frozen=True, kw_only=True)
class Relayed:
    """A request on its way; `number` counts them from 0."""

    number: int
    method: str
    target: str
    body: bytes


Response = tuple[int, list[tuple[str, str]], bytes]
Forward = Callable[[], Response]
Meddle = Callable[[Relayed, Forward], Response | None]
"""Gives the answer; None breaks the connection off without one."""


@dataclass(kw_only=True)
class Relay:
    url: str
    meddle: Meddle
    seen: list[Relayed] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)


@contextmanager
def open_relay(target: str, meddle: Meddle) -> Iterator[Relay]:
    """Stand between somebody and the server at an address."""
    place = urlsplit(target)
    relay = Relay(url="", meddle=meddle)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def relay(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with relay.lock:
                one = Relayed(number=len(relay.seen), method=self.command, target=self.path, body=body)
                relay.seen.append(one)

            def forward() -> Response:
                line = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
                line.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    line.putheader(name, value)
                line.endheaders(body)
                answer = line.getresponse()
                found = answer.status, answer.getheaders(), answer.read()
                line.close()
                return found

            given = relay.meddle(one, forward)
            if given is None:
                self.close_connection = True
                self.connection.close()
                return
            status, headers, content = given
            try:
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except OSError:  # the client is gone
                self.close_connection = True

    for verb in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        setattr(Handler, f"do_{verb}", Handler.relay)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    relay.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield relay
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
