"""One request, over and over, on a few connections -> what sending took: the load that `local.py` puts on a server.

A process of its own, so that it can have a core of its own. Each connection sends its next request when it has the
answer to the last one; an answer that is not 2xx ends everything.
"""

import argparse
import asyncio
import json
import re
import time

CONNECTIONS = 16
BATCH = 100
DESTINATION = "https://example.com/hook"
BODY = json.dumps({"order": 12_345, "customer": "somebody", "amount": "12.50", "note": "x" * 40}).encode()
LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


def write_request(server: str, token: str, *, batched: bool) -> bytes:
    """Write the request that is sent over and over."""
    if batched:
        item = {
            "destination": DESTINATION,
            "headers": {"Content-Type": "application/json", "Upstash-Label": "load"},
            "body": BODY.decode(),
        }
        target, body, own = "/v2/batch", json.dumps([item] * BATCH).encode(), ""
    else:
        target, body, own = f"/v2/publish/{DESTINATION}", BODY, "Upstash-Label: load\r\n"
    head = (
        f"POST {target} HTTP/1.1\r\nHost: {server.removeprefix('http://')}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\n{own}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Load:
    """So many requests over a few connections, each sending its next one when it has an answer."""

    def __init__(self, request: bytes, count: int) -> None:
        self.request = request
        self.left = count
        self.open = CONNECTIONS
        self.done = asyncio.get_running_loop().create_future()

    def leave(self, error: Exception | None = None) -> None:
        """End a connection; with an error, end everything."""
        self.open -= 1
        if error is not None and not self.done.done():
            self.done.set_exception(error)
        elif not self.open and not self.done.done():
            self.done.set_result(None)


class Client(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._received = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head = self._received.find(b"\r\n\r\n")
        length = LENGTH.search(self._received, 0, head) if head >= 0 else None
        if length is None or len(self._received) < head + 4 + int(length[1]):
            return
        if not self._received.startswith(b"HTTP/1.1 2"):
            self._load.leave(RuntimeError(f"not accepted: {self._received[:200]!r}"))
        self._received = b""
        self._send()

    def _send(self) -> None:
        if self._load.left:
            self._load.left -= 1
            self._transport.write(self._load.request)
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.leave(exc)


async def load(server: str, request: bytes, count: int) -> None:
    """Send one request so many times; RuntimeError for one that is not accepted."""
    host, port = server.removeprefix("http://").split(":")
    everything = Load(request, count)
    for _ in range(CONNECTIONS):
        await asyncio.get_running_loop().create_connection(lambda: Client(everything), host, int(port))
    await everything.done


def load_and_tell(server: str, request: bytes, count: int) -> None:
    """Send, and print what that took."""
    begin_s, begin_cpu_s = time.perf_counter(), time.process_time()
    asyncio.run(load(server, request, count))
    took = {"wall_s": time.perf_counter() - begin_s, "cpu_s": time.process_time() - begin_cpu_s}
    print(json.dumps(took))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("server", help="http://127.0.0.1:PORT")
    parser.add_argument("token")
    parser.add_argument("count", type=int, help="of requests")
    parser.add_argument("--batched", action="store_true", help=f"{BATCH} messages in each")
    arguments = parser.parse_args()
    request = write_request(arguments.server, arguments.token, batched=arguments.batched)
    load_and_tell(arguments.server, request, arguments.count)


if __name__ == "__main__":
    main()
