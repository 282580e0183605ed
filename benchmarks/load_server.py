"""Publishing requests on loopback -> answers of the right shape, at once or after a latency: QStash for a benchmark.

It knows no JSON: an item of a batch is counted by its key `"destination":`, which inside a JSON text would be
escaped. `GET /stats` says how much CPU it took, which is how a benchmark knows that it was not the bottleneck.
"""

import argparse
import asyncio
import json
import re
import resource

LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
ITEM = b'"destination":'
READ_BYTES = 256 * 1024


class Stats:
    """What came in."""

    def __init__(self) -> None:
        self.requests = 0
        self.messages = 0
        self.connections = 0

    def write(self) -> bytes:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return json.dumps(
            {
                "cpu_s": used.ru_utime + used.ru_stime,
                "requests": self.requests,
                "messages": self.messages,
                "connections": self.connections,
            }
        ).encode()


class Connection(asyncio.Protocol):
    """One keep-alive connection; a request is answered when it is complete."""

    def __init__(self, stats: Stats, latency_s: float) -> None:
        self._stats = stats
        self._latency_s = latency_s
        self._received = bytearray()
        self._needed = 0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.max_size = READ_BYTES  # type: ignore[attr-defined]
        self._transport = transport
        self._stats.connections += 1

    def data_received(self, data: bytes) -> None:
        self._received += data
        while len(self._received) >= self._needed:
            head = self._received.find(b"\r\n\r\n")
            if head < 0:
                return
            length = LENGTH.search(self._received, 0, head)
            self._needed = head + 4 + (int(length[1]) if length else 0)
            if len(self._received) < self._needed:
                return
            request = bytes(self._received[: self._needed])
            del self._received[: self._needed]
            self._needed = 0
            self._answer(request, head)

    def _answer(self, request: bytes, head: int) -> None:
        if request.startswith(b"GET /stats "):
            self._write(self._stats.write())
            return
        if request.startswith(b"GET "):
            # a run asks the log what it has of a run key that is new to the ledger
            self._write(b'{"events":[]}')
            return
        self._stats.requests += 1
        if request.startswith(b"POST /v2/batch "):
            count = request.count(ITEM, head)
            body = b"[" + b",".join(self._message() for _ in range(count)) + b"]"
        else:
            body = self._message()
        if self._latency_s:
            asyncio.get_running_loop().call_later(self._latency_s, self._write, body)
        else:
            self._write(body)

    def _message(self) -> bytes:
        self._stats.messages += 1
        return b'{"messageId":"msg_%026d"}' % self._stats.messages

    def _write(self, body: bytes) -> None:
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (len(body), body)
        )


async def serve(latency_s: float) -> None:
    """Listen on a free port, print it, and answer until the process is ended."""
    stats = Stats()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(stats, latency_s), "127.0.0.1", 0, backlog=512
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency-ms", type=float, default=0)
    asyncio.run(serve(parser.parse_args().latency_ms / 1000))


if __name__ == "__main__":
    main()
