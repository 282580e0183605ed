"""Rows of a CSV -> messages in batches: what `qstash-jobs run` costs beside the official SDK and a bare client.

Whole processes are measured, against a server in another process, on loopback. `qstash-jobs` checks every row, and
records every message before it is sent and after it is answered, each on the disk; the SDK's loop does neither;
`prebuilt` sends finished bytes.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import orjson
from measure import Contender, Cost, compare, load_server, read_stats
from result import Result, Target, draw_up, rates, ratio_of, tell

PEERS = Path(__file__).with_name("peers.py")
OURS = "qstash-jobs"
BATCH = 100
GOALS = {0: 1.0, 20: 5.0, 100: 20.0}
"""What a run is to reach against the SDK, by latency in milliseconds."""

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
    if name != OURS:
        return Contender(
            name=name, command=[sys.executable, str(PEERS), name, server, str(folder / "orders.csv")]
        )
    ledger = folder / "ledger"
    command = ["-m", "qstash_jobs", "run", str(folder / "job.yaml"), "--yes", "--quiet"]
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


def measure(folder: Path, arguments: argparse.Namespace) -> tuple[dict[str, list[Cost]], str]:
    """Measure all contenders on the same rows; say how busy the load server was."""
    with service(arguments.latency_ms) as (server, env):
        options = arguments.options.split()
        contenders = [contender_of(name, folder, server, options) for name in (OURS, "sdk", "prebuilt")]
        costs = compare(contenders, env, repetitions=arguments.repetitions)
        stats = read_stats(server)
    wall_s = sum(cost.wall_s for one in costs.values() for cost in one)
    return costs, (
        f"Batches, {arguments.latency_ms:g} ms: load server busy {stats['cpu_s'] / wall_s:.0%} of the time, "
        f"{stats['cpu_s'] / stats['messages'] * 1e6:.1f} µs a message"
    )


def judge(costs: Mapping[str, Sequence[Cost]], note: str, arguments: argparse.Namespace) -> Result:
    """Hold the costs against the target."""
    rows, latency_ms = arguments.rows, arguments.latency_ms
    beside = rates(costs["sdk"], rows)
    title = f"Batches of 100 from a CSV, {latency_ms:g} ms"
    panel = draw_up(costs, beside, work=dict.fromkeys(costs, rows), title=title, unit="× the SDK's rate")
    ratio = ratio_of(rates(costs[OURS], rows), beside)
    goal = GOALS.get(latency_ms)
    text = f"{title}: × the SDK's `batch_json` loop"
    targets = [] if goal is None else [Target(text=text, ratio=ratio, goal=goal)]
    return Result(panels=[panel], targets=targets, notes=[note])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--options", default="", help="more options for qstash-jobs run")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = write_files(Path(name) / "rows", arguments.rows)
        costs, note = measure(folder, arguments)
    tell(judge(costs, note, arguments))


if __name__ == "__main__":
    main()
