"""Rows of a CSV -> messages in batches: what `qstash-jobs run` costs beside the official SDK and a bare client.

Whole processes are measured, against a server in another process, on loopback. `qstash-jobs` checks every row, and
records every message before it is sent and after it is answered, each on the disk; the SDK's loop does neither;
`prebuilt` sends finished bytes. The last lines hold a small file against a large one: memory and cost a message are
to stay the same.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import orjson
from measure import Contender, Cost, compare, load_server, median, read_stats, spread, write_table

PEERS = Path(__file__).with_name("peers.py")
BATCH = 100
SMALL = 10_000

JOB = """\
url: https://example.com/orders
for_each: {file: orders.csv, key: order_id}
body:
  order: ${{ row.order_id }}
  email: ${{ row.email }}
  total: ${{ row.total | number }}
  note: ${{ row.note }}
headers: {X-Team: billing}
retries: 3
labels: [orders]
"""


def write_files(folder: Path, rows: int) -> Path:
    """Write a job with so many rows, and a batch of the same messages as finished bytes."""
    folder.mkdir()
    (folder / "job.yaml").write_text(JOB)
    with (folder / "orders.csv").open("w") as file:
        file.write("order_id,email,total,note\n")
        for row in range(rows):
            file.write(
                f"A-{row:08d},customer{row}@example.com,{row % 997}.{row % 100:02d},thanks for order {row}\n"
            )
    item = {
        "destination": "https://example.com/orders",
        "headers": {
            "Content-Type": "application/json",
            "Upstash-Retries": "3",
            "Upstash-Deduplication-Id": f"qj-{'0' * 40}",
            "Upstash-Label": f"orders,qj-r-{'0' * 16},qj-m-{'0' * 16}",
            "Upstash-Forward-X-Team": "billing",
        },
        "body": '{"order":"A-00000001","email":"customer1@example.com","total":1.01,"note":"thanks for order 1"}',
    }
    (folder / "batch.json").write_bytes(orjson.dumps([item] * BATCH))
    return folder


def contender_of(name: str, folder: Path, server: str, options: Sequence[str] = ()) -> Contender:
    """Name the command that publishes a folder's rows."""
    if name != "qstash-jobs":
        return Contender(
            name=name, command=[sys.executable, str(PEERS), name, server, str(folder / "orders.csv")]
        )
    ledger = folder / "ledger"
    command = ["-m", "qstash_jobs", "run", str(folder / "job.yaml"), "--yes", "--quiet", "--run-key", "bench"]
    return Contender(
        name=name,
        command=[sys.executable, *command, "--ledger", f"sqlite://{ledger}/ledger.db", *options],
        prepare=partial(shutil.rmtree, ledger, ignore_errors=True),
    )


@contextmanager
def service(latency_ms: float) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Run the load server; give its address and the environment to meet it with."""
    with load_server(latency_ms) as server:
        yield server, {**os.environ, "QSTASH_URL": server, "QSTASH_TOKEN": "token", "CI": ""}


def race(folder: Path, rows: int, arguments: argparse.Namespace) -> dict[str, list[Cost]]:
    """Measure all contenders on the same rows."""
    with service(arguments.latency_ms) as (server, env):
        names = ("qstash-jobs", "sdk", "prebuilt")
        options = arguments.options.split()
        contenders = [contender_of(name, folder, server, options) for name in names]
        costs = compare(contenders, env, repetitions=arguments.repetitions)
        stats = read_stats(server)
    wall_s = sum(cost.wall_s for one in costs.values() for cost in one)
    print(f"\n{rows:,} rows, batches of {BATCH}, latency {arguments.latency_ms:g} ms", file=sys.stderr)
    print(
        f"load server: {stats['cpu_s'] / stats['messages'] * 1e6:.1f} µs of CPU a message, "
        f"busy for {stats['cpu_s'] / wall_s:.0%} of the time",
        file=sys.stderr,
    )
    return costs


def show(costs: Mapping[str, Sequence[Cost]], rows: int) -> None:
    """Print the race, each contender against the SDK."""
    peer = median(costs["sdk"])
    lines = []
    for name, each in costs.items():
        cost = median(each)
        lines.append(
            (
                name,
                f"{cost.wall_s / rows * 1e6:.1f}",
                spread([one.wall_s for one in each]),
                f"{cost.cpu_s / rows * 1e6:.1f}",
                f"{cost.peak_mb:.0f}",
                f"{peer.wall_s / cost.wall_s:.2f}",
                f"{peer.cpu_s / cost.cpu_s:.2f}",
            )
        )
    head = ("", "wall µs/row", "", "CPU µs/row", "peak MB", "rate × SDK", "rate × SDK by CPU")
    print(write_table(head, lines), file=sys.stderr)


def grow(folders: Mapping[int, Path], arguments: argparse.Namespace) -> dict[str, list[Cost]]:
    """Measure files of several sizes; the smallest tells what a start costs."""
    with service(arguments.latency_ms) as (server, env):
        contenders = [
            replace(contender_of("qstash-jobs", folder, server, arguments.options.split()), name=str(rows))
            for rows, folder in folders.items()
        ]
        costs = compare(contenders, env, repetitions=arguments.repetitions)
    start, small, large = (median(costs[str(rows)]) for rows in folders)
    _, few, many = folders
    ratio = (large.cpu_s - start.cpu_s) / many / ((small.cpu_s - start.cpu_s) / few)
    print(
        f"\n{many:,} rows beside {few:,}: peak memory {large.peak_mb / small.peak_mb:.2f} × "
        f"({small.peak_mb:.0f} -> {large.peak_mb:.0f} MB), CPU a message {ratio:.2f} × "
        f"({(large.cpu_s - start.cpu_s) / many * 1e6:.0f} µs, without the start: {start.cpu_s:.2f} s, "
        f"{start.peak_mb:.0f} MB)",
        file=sys.stderr,
    )
    return costs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000, help="rows of the large file, 20,000 at least")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--options", default="", help="more options for qstash-jobs run")
    parser.add_argument("--no-peers", action="store_true", help="only small against large")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        sizes = (1, SMALL, max(arguments.rows, 2 * SMALL))
        folders = {rows: write_files(Path(name) / str(rows), rows) for rows in sizes}
        results: dict[str, object] = {"rows": sizes[-1], "latency_ms": arguments.latency_ms}
        if not arguments.no_peers:
            costs = race(folders[sizes[-1]], sizes[-1], arguments)
            show(costs, sizes[-1])
            results["race"] = {name: [asdict(cost) for cost in each] for name, each in costs.items()}
        grown = grow(folders, arguments)
        results["growth"] = {rows: [asdict(cost) for cost in each] for rows, each in grown.items()}
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
