"""`qstash-jobs dev` on one core under load -> publishes a second, every message delivered to the sink; and its memory.

Beside it, on the same core and under the same load: an aiohttp handler that reads a request and answers, and does
nothing else, which is the limit of what is built on it. A rate ends with the last delivery. Then a million messages
with `--retain`, and what the process holds after every tenth of them. Linux only: cores are chosen, and processes
looked at, by Linux's own means.
"""

import argparse
import asyncio
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

from measure import Cost, median
from result import Bar, Panel, Ratio, Result, Target, ratio_of, show, tell

SERVER_CORE, LOAD_CORE = 0, 1
CONNECTIONS = 16
BATCH = 100
WARM = 500
"""Requests before the watch is started."""
PATIENCE_S = 60
LINES_A_MESSAGE = 3
"""Of the log, for a message that is delivered at once: created, active, delivered."""
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

BARE, OURS = "aiohttp, bare handler", "qstash-jobs dev"
KEPT, BATCHED = "qstash-jobs dev --state", "qstash-jobs dev, batches of 100"
DESTINATION = "https://example.com/hook"
BODY = json.dumps({"order": 12_345, "customer": "somebody", "amount": "12.50", "note": "x" * 40}).encode()
LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server under measurement."""

    url: str
    token: str
    pid: int

    @property
    def cpu_s(self) -> float:
        """User and system, of all its threads."""
        # proc(5), /proc/pid/stat: utime and stime are fields 14 and 15; the name before them may hold blanks
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS

    @property
    def resident_mb(self) -> float:
        """What of its memory is in the machine's."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024


# the load


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
    """Send, in a process of its own, and print what that took."""
    begin_s = time.perf_counter()
    asyncio.run(load(server, request, count))
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"wall_s": time.perf_counter() - begin_s, "cpu_s": used.ru_utime + used.ru_stime}))


def send(server: Server, count: int, *, batched: bool = False) -> Mapping[str, float]:
    """Have another process send so many requests; tell what that took."""
    command = [sys.executable, __file__, "--load", server.url, server.token, str(count), str(int(batched))]
    done = subprocess.run(
        _pinned(LOAD_CORE, command), stdout=subprocess.PIPE, check=True, timeout=600, text=True
    )
    took: Mapping[str, float] = json.loads(done.stdout)
    return took


# the servers


def serve_bare() -> None:
    """Serve the limit: read a request, answer it."""
    from aiohttp import web

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        return web.Response(
            body=b'{"messageId":"msg_00000000000000000000000000"}', content_type="application/json"
        )

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(
            web.Server(answer, access_log=None), "127.0.0.1", 0
        )
        print(f"export QSTASH_URL=http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        print("export QSTASH_TOKEN=none", flush=True)
        await server.serve_forever()

    asyncio.run(serve())


@contextmanager
def running(command: Sequence[str], errors: Path) -> Iterator[Server]:
    """Run a server on a core of its own; what it says of deliveries goes to a file, as a person's would to a screen."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with (
        errors.open("w") as said,
        subprocess.Popen(
            _pinned(SERVER_CORE, command), stdout=subprocess.PIPE, stderr=said, text=True, env=env
        ) as process,
    ):
        assert process.stdout is not None
        try:
            url, token = (process.stdout.readline().strip().partition("=")[2] for _ in range(2))
            yield Server(url=url, token=token, pid=process.pid)
        finally:
            process.terminate()


def _pinned(core: int, command: Sequence[str]) -> list[str]:
    return ["taskset", "--cpu-list", str(core), *command]


def dev(*options: str) -> list[str]:
    """Write the command of the local server; python -m finds the package that is measured."""
    return [sys.executable, "-m", "qstash_jobs", "dev", "--port", "0", "--sink", *options]


def wait_delivered(server: Server, messages: int) -> float:
    """Wait until the log says of every message that it was delivered; tell the seconds. RuntimeError after a minute."""
    headers = {"Authorization": f"Bearer {server.token}"}
    begin_s, lines = time.monotonic(), 0
    while time.monotonic() < begin_s + PATIENCE_S:
        with urlopen(Request(f"{server.url}/local/messages?count=1", headers=headers)) as answer:
            lines = json.load(answer)["seen"]
        if lines == LINES_A_MESSAGE * messages:
            return time.monotonic() - begin_s
        time.sleep(0.01)
    raise RuntimeError(f"{messages} messages make {LINES_A_MESSAGE * messages} lines, and there are {lines}")


# the measurements


def measure_once(way: str, messages: int, folder: Path) -> tuple[Cost, float]:
    """Measure a server that is new; also tell how much of the time the load took of its own core."""
    command = {
        BARE: [sys.executable, __file__, "--bare"],
        OURS: dev(),
        BATCHED: dev(),
        KEPT: dev("--state", str(folder / f"{time.monotonic_ns()}.db")),
    }[way]
    batched = way == BATCHED
    with running(command, folder / "errors") as server:
        send(server, WARM)
        cpu_s = server.cpu_s
        took = send(server, messages // BATCH if batched else messages, batched=batched)
        late_s = wait_delivered(server, WARM + messages) if way != BARE else 0
        cost = Cost(wall_s=took["wall_s"] + late_s, cpu_s=server.cpu_s - cpu_s, peak_mb=server.resident_mb)
    return cost, took["cpu_s"] / took["wall_s"]


def measure_rates(
    messages: int, repetitions: int, folder: Path
) -> tuple[dict[str, list[Cost]], dict[str, float]]:
    """Measure every server, then all of them again."""
    costs: dict[str, list[Cost]] = {way: [] for way in (BARE, OURS, KEPT, BATCHED)}
    busy: dict[str, list[float]] = {way: [] for way in costs}
    for _ in range(repetitions):
        for way, each in costs.items():
            cost, share = measure_once(way, messages, folder)
            each.append(cost)
            busy[way].append(share)
    return costs, {way: statistics.median(shares) for way, shares in busy.items()}


def measure_memory(messages: int, retain: int, folder: Path) -> list[float]:
    """Publish a tenth at a time; tell what the server held after each, in MB."""
    held = []
    with running(dev("--retain", str(retain)), folder / "errors") as server:
        for tenth in range(1, 11):
            send(server, messages // 10)
            wait_delivered(server, messages // 10 * tenth)
            held.append(server.resident_mb)
    return held


def judge(
    costs: Mapping[str, Sequence[Cost]],
    busy: Mapping[str, float],
    held: Sequence[float],
    *,
    messages: int,
    many: int,
    retain: int,
) -> Result:
    """Hold the figures against the targets."""
    rates = {way: [messages / cost.wall_s for cost in each] for way, each in costs.items()}
    title = "Publishing to the local server, on one core"
    bars = [
        Bar(name=way, ratio=ratio_of(rates[way], rates[BARE]), cost=median(each), work=messages)
        for way, each in costs.items()
    ]
    growth, memory = held[-1] / held[0], ", ".join(show(one) for one in held)
    shares = ", ".join(f"{share:.0%} under {way}" for way, share in busy.items())
    each = ", ".join(f"{way} {statistics.median(found):,.0f}" for way, found in rates.items())
    return Result(
        panels=[Panel(title=title, unit="× the rate of a bare handler", bars=bars)],
        targets=[
            Target(
                text="Local server: publishes a second on one core, while it delivers to its sink",
                ratio=Ratio(
                    median=statistics.median(rates[OURS]), least=min(rates[OURS]), most=max(rates[OURS])
                ),
                goal=5_000,
            ),
            Target(
                text="Local server with `--retain`: memory after all messages over that after a tenth",
                ratio=Ratio(median=growth, least=growth, most=growth),
                goal=1.05,
                at_most=True,
            ),
        ],
        notes=[
            f"Local server, messages a second: {each}. Its load took, of a core of its own: {shares}.",
            f"Local server, {many:,} messages with `--retain {retain}`: {memory} MB after each tenth.",
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=30_000)
    parser.add_argument("--many", type=int, default=1_000_000, help="for memory")
    parser.add_argument("--retain", type=int, default=10_000)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--load", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.bare:
        serve_bare()
    elif arguments.load:
        server, token, count, batched = arguments.load
        load_and_tell(server, write_request(server, token, batched=batched == "1"), int(count))
    else:
        with tempfile.TemporaryDirectory() as name:
            costs, busy = measure_rates(arguments.messages, arguments.repetitions, Path(name))
            held = measure_memory(arguments.many, arguments.retain, Path(name))
        tell(
            judge(
                costs,
                busy,
                held,
                messages=arguments.messages,
                many=arguments.many,
                retain=arguments.retain,
            )
        )


if __name__ == "__main__":
    main()
