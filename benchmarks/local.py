"""`qstash-jobs dev` on one core under load -> publishes a second, every message delivered to the sink.

Beside it, on the same core and under the same load: an aiohttp handler that reads a request and answers, and does
nothing else, which is the limit of what is built on it. A rate ends with the last delivery. Linux only: cores are
chosen, and processes looked at, by Linux's own means.
"""

import argparse
import asyncio
import json
import os
import re
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

from local_load import BATCH
from measure import Cost, median
from result import Bar, Panel, Ratio, Result, Target, ratio_of, tell

SERVER_CORE, LOAD_CORE = 0, 1
LOAD = Path(__file__).with_name("local_load.py")
WARM = 500
"""Requests before the watch is started."""
PATIENCE_S = 60
LINES_A_MESSAGE = 3
"""Of the log, for a message that is delivered at once: created, active, delivered."""
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

BARE, OURS = "aiohttp, bare handler", "qstash-jobs dev"
KEPT, BATCHED = "qstash-jobs dev --state", "qstash-jobs dev, batched"
KEPT_BATCHED = "qstash-jobs dev --state, batched"
WAYS = (BARE, OURS, BATCHED, KEPT, KEPT_BATCHED)


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

    @property
    def peak_mb(self) -> float:
        """The most of its memory that ever was."""
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        assert found is not None
        return int(found[1]) / 1024


def send(server: Server, count: int, *, batched: bool = False) -> Mapping[str, float]:
    """Have another process send so many requests; tell what that took."""
    command = [
        sys.executable,
        str(LOAD),
        server.url,
        server.token,
        str(count),
        *(["--batched"] if batched else []),
    ]
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What one server did with the same messages, again and again."""

    costs: list[Cost]
    busy: list[float]
    """The share of the time in which the load had its own core at work."""

    def list_a_second(self, messages: int) -> list[float]:
        return [messages / cost.wall_s for cost in self.costs]

    def count_a_cpu_second(self, messages: int) -> float:
        return statistics.median(messages / cost.cpu_s for cost in self.costs)


def measure_once(way: str, messages: int, folder: Path) -> tuple[Cost, float]:
    """Measure a server that is new; also tell how much of the time the load took of its own core."""
    state = ("--state", str(folder / f"{time.monotonic_ns()}.db")) if way in (KEPT, KEPT_BATCHED) else ()
    command = [sys.executable, __file__, "--bare"] if way == BARE else dev(*state)
    batched = way in (BATCHED, KEPT_BATCHED)
    with running(command, folder / "errors") as server:
        send(server, WARM)
        cpu_s = server.cpu_s
        took = send(server, messages // BATCH if batched else messages, batched=batched)
        late_s = wait_delivered(server, WARM + messages) if way != BARE else 0
        cost = Cost(wall_s=took["wall_s"] + late_s, cpu_s=server.cpu_s - cpu_s, peak_mb=server.peak_mb)
    return cost, took["cpu_s"] / took["wall_s"]


def measure_rates(messages: int, repetitions: int, folder: Path) -> Mapping[str, Rates]:
    """Measure every server, then all of them again."""
    rates = {way: Rates(costs=[], busy=[]) for way in WAYS}
    for _ in range(repetitions):
        for way, found in rates.items():
            cost, share = measure_once(way, messages, folder)
            found.costs.append(cost)
            found.busy.append(share)
    return rates


def judge(rates: Mapping[str, Rates], messages: int) -> Result:
    """Hold the figures against the target."""
    found = {way: each.list_a_second(messages) for way, each in rates.items()}
    bars = [
        Bar(name=way, ratio=ratio_of(found[way], found[BARE]), cost=median(each.costs), work=messages)
        for way, each in rates.items()
    ]
    by_clock = ", ".join(f"{way} {statistics.median(each):,.0f}" for way, each in found.items())
    by_cpu = ", ".join(f"{way} {each.count_a_cpu_second(messages):,.0f}" for way, each in rates.items())
    shares = ", ".join(f"{way} {statistics.median(each.busy):.0%}" for way, each in rates.items())
    return Result(
        panels=[
            Panel(
                title="Local server on one core; a batch has 100 messages",
                unit="× the rate of a bare aiohttp handler",
                bars=bars,
            )
        ],
        targets=[
            Target(
                text="Local server: publishes a second on one core, while it delivers to its sink",
                ratio=Ratio(
                    median=statistics.median(found[OURS]), least=min(found[OURS]), most=max(found[OURS])
                ),
                goal=5_000,
            )
        ],
        notes=[
            f"Local server, messages a second: {by_clock}",
            f"Local server, messages a second of its CPU: {by_cpu}",
            f"Local server, share of the time in which its load was busy: {shares}",
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=30_000)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.bare:
        serve_bare()
        return
    with tempfile.TemporaryDirectory() as name:
        rates = measure_rates(arguments.messages, arguments.repetitions, Path(name))
    tell(judge(rates, arguments.messages))


if __name__ == "__main__":
    main()
