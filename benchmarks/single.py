"""One request a message: `qstash-jobs run --batch-size 1` beside the official SDK and bare clients.

`qstash-jobs` checks every row and records every message on the disk before it is sent and after it is answered; the
SDK's loop does neither; the bare clients send finished bytes. At no latency it is a matter of CPU, and the SDK is the
peer; at 20 ms of keeping C requests under way, and the limit is C times what one client reaches alone.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from measure import Contender, Cost, compare, read_stats
from result import Panel, Result, Target, draw_up, rates, ratio_of, tell
from rows import OURS, contender_of, service, write_files

LOOPS = Path(__file__).with_name("loops.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A contender, and how many messages it sends."""

    name: str
    way: str
    count: int
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Watch:
    """What the load server says of itself before each process and after the last."""

    server: str
    seen: list[dict[str, float]] = field(default_factory=list)

    def look(self) -> None:
        self.seen.append(read_stats(self.server))

    def between(self, figure: str, place: int, of: int) -> list[float]:
        """Take what a figure grew by in each repetition of one contender of several."""
        grown = [
            after[figure] - before[figure] for before, after in zip(self.seen, self.seen[1:], strict=False)
        ]
        return grown[place::of]


def enter(messages: int, latency_ms: float, concurrency: int) -> list[Entry]:
    """Choose the contenders: where there is a latency, those that send one by one send fewer."""
    if not latency_ms:
        ways = ("sdk", "urllib3", "http.client", "raw")
        return [
            Entry(name=OURS, way=OURS, count=messages, threads=concurrency),
            *(Entry(name=way, way=way, count=messages) for way in ways),
        ]
    few = max(messages // 32, 1)
    return [
        Entry(name=OURS, way=OURS, count=messages, threads=concurrency),
        Entry(name=f"sdk, {concurrency} threads", way="sdk", count=messages // 2, threads=concurrency),
        Entry(name=f"urllib3, {concurrency} threads", way="urllib3", count=messages, threads=concurrency),
        Entry(name="sdk", way="sdk", count=few),
        Entry(name="http.client", way="http.client", count=few),
    ]


def measure(
    folder: Path, entries: Sequence[Entry], arguments: argparse.Namespace
) -> tuple[dict[str, list[Cost]], Watch]:
    """Run every contender against one server."""
    with service(arguments.latency_ms) as (server, env):
        watch = Watch(server)
        contenders = [contend(entry, folder, server, watch) for entry in entries]
        costs = compare(contenders, env, repetitions=arguments.repetitions)
        watch.look()
    return costs, watch


def contend(entry: Entry, folder: Path, server: str, watch: Watch) -> Contender:
    """Name the command of a contender; the server is asked for its figures before it runs."""
    options = ["--batch-size", "1", "--concurrency", str(entry.threads)]
    ours = contender_of(OURS, folder, server, options)

    def prepare() -> None:
        ours.prepare()
        watch.look()

    if entry.way == OURS:
        return replace(ours, prepare=prepare)
    loop = [entry.way, server, str(folder / "orders.csv"), str(entry.count), str(entry.threads)]
    return Contender(name=entry.name, command=[sys.executable, str(LOOPS), *loop], prepare=prepare)


def describe(
    entries: Sequence[Entry], costs: Mapping[str, Sequence[Cost]], watch: Watch, head: str
) -> list[str]:
    """Say how many connections each one opened, and whether the server kept somebody waiting."""
    lines = []
    for place, entry in enumerate(entries):
        # what asks the server for its figures has a connection too
        connections = [int(grown) - 1 for grown in watch.between("connections", place, len(entries))]
        busy = watch.between("cpu_s", place, len(entries))
        messages = watch.between("messages", place, len(entries))
        # a client that tries again by itself may have sent some twice: the SDK does
        if min(messages) < entry.count or (entry.way == OURS and max(messages) > entry.count):
            raise RuntimeError(f"{entry.name} was to send {entry.count} messages, the server got {messages}")
        share = ratio_of(busy, [cost.wall_s for cost in costs[entry.name]])
        each = write_range(connections)
        lines.append(
            f"{head}, {entry.name}: {each} connection{'' if each == '1' else 's'}, "
            f"load server busy {share.median:.0%} of the time"
        )
    return lines


def write_range(figures: Sequence[int]) -> str:
    """Write one number where all are the same."""
    least, most = min(figures), max(figures)
    return str(least) if least == most else f"{least} to {most}"


def judge(
    entries: Sequence[Entry], costs: Mapping[str, Sequence[Cost]], watch: Watch, arguments: argparse.Namespace
) -> tuple[Panel, list[Target]]:
    """Hold the costs against the targets."""
    work = {entry.name: entry.count for entry in entries}
    latency_ms, limit = arguments.latency_ms, arguments.concurrency
    ours = rates(costs[OURS], work[OURS])
    title = f"One request a message, {latency_ms:g} ms"
    if not latency_ms:
        beside = rates(costs["sdk"], work["sdk"])
        panel = draw_up(costs, beside, work=work, title=title, unit="× the SDK's rate")
        goal = Target(
            text=f"{title}: × the SDK's `publish_json` loop", ratio=ratio_of(ours, beside), goal=1.5
        )
    else:
        beside = [limit * rate for rate in rates(costs["http.client"], work["http.client"])]
        panel = draw_up(costs, beside, work=work, title=title, unit=f"share of {limit} × sequential")
        goal = Target(text=f"{title}: share of {limit} × sequential", ratio=ratio_of(ours, beside), goal=0.9)
    opened = [grown - 1 for grown in watch.between("connections", 0, len(entries))]
    connections = Target(
        text=f"{title}: connections, × the {limit} allowed",
        ratio=ratio_of(opened, [limit] * len(opened)),
        goal=1,
        at_most=True,
    )
    return panel, [goal, connections]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=8_000)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--concurrency", type=int, default=32)
    arguments = parser.parse_args()
    entries = enter(arguments.messages, arguments.latency_ms, arguments.concurrency)
    with tempfile.TemporaryDirectory() as name:
        folder = write_files(Path(name) / "one", arguments.messages)
        costs, watch = measure(folder, entries, arguments)
    panel, targets = judge(entries, costs, watch, arguments)
    notes = describe(entries, costs, watch, f"{arguments.latency_ms:g} ms")
    tell(Result(panels=[panel], targets=targets, notes=notes))


if __name__ == "__main__":
    main()
