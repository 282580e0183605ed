"""Messages -> batches -> answers, and nothing else: what sending alone costs beside finished bytes through urllib3.

`qstash-jobs` writes each message into its batch, sends it, and reads an outcome a message out of the answer: no job
file, no rules, no ledger. The server does the same for both, so CPU is compared, and what a process takes for one
batch is taken off.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from measure import Contender, Cost, compare, median
from result import Bar, Panel, Result, Target, ratio_of, tell
from rows import BATCH, service, write_files

OURS, LIMIT = "qstash-jobs, sending alone", "urllib3, finished bytes"


def send(server: str, batch: bytes, count: int) -> None:
    """Send so many batches as a run does."""
    from qstash_jobs.outcome import Published
    from qstash_jobs.transport import open_line
    from qstash_jobs.wire.calls import batch_item, batch_request
    from qstash_jobs.wire.headers import Letterhead
    from qstash_jobs.wire.reply import read_batch
    from qstash_jobs.wire.server import read_server

    sample = json.loads(batch)[0]
    # what of a message goes into a batch
    message: Any = SimpleNamespace(
        url=sample["destination"], url_group=None, queue=None, body=sample["body"].encode()
    )
    own = {"Upstash-Deduplication-Id", "Upstash-Label"}
    shared = Letterhead(tuple((name, value) for name, value in sample["headers"].items() if name not in own))
    id_, label = (sample["headers"][name] for name in sorted(own))
    line = open_line(read_server(server), "token", environment={})
    for _ in range(count):
        request = batch_request([batch_item(message, shared.json(id_, label)) for _ in range(BATCH)])
        answer = line.send(request, may_send=lambda: True)
        outcomes = read_batch(answer, groups=(False,) * BATCH, now=datetime.now(UTC))
        if not isinstance(outcomes, tuple) or not all(isinstance(one, Published) for one in outcomes):
            raise SystemExit("the server did not accept a batch")
    line.close()


def send_finished(server: str, batch: bytes, count: int) -> None:
    """Send one finished batch as often."""
    import urllib3

    headers = {"Authorization": "Bearer token", "Content-Type": "application/json"}
    pool = urllib3.HTTPConnectionPool(server.removeprefix("http://"), maxsize=1)
    for _ in range(count):
        pool.urlopen("POST", "/v2/batch", body=batch, headers=headers)


def measure(folder: Path, batches: int, repetitions: int) -> dict[str, list[Cost]]:
    """Measure many batches, less what one takes."""
    with service(0) as (server, env):
        contenders = [
            Contender(
                name=f"{way} {count}",
                command=[
                    sys.executable,
                    __file__,
                    "--send",
                    way,
                    server,
                    str(folder / "batch.json"),
                    str(count),
                ],
            )
            for way in (OURS, LIMIT)
            for count in (1, batches)
        ]
        costs = compare(contenders, env, repetitions=repetitions)
    return {
        way: [
            replace(many, cpu_s=many.cpu_s - one.cpu_s, wall_s=many.wall_s - one.wall_s)
            for one, many in zip(costs[f"{way} 1"], costs[f"{way} {batches}"], strict=True)
        ]
        for way in (OURS, LIMIT)
    }


def judge(costs: Mapping[str, Sequence[Cost]], messages: int) -> Result:
    """Hold the costs against the target."""
    beside = [1 / cost.cpu_s for cost in costs[LIMIT]]
    bars = [
        Bar(
            name=name,
            ratio=ratio_of([1 / cost.cpu_s for cost in each], beside),
            cost=median(each),
            work=messages,
        )
        for name, each in costs.items()
    ]
    title = "Sending alone, batches of 100, 0 ms"
    target = Target(text=f"{title}: share of finished bytes, by CPU", ratio=bars[0].ratio, goal=0.6)
    return Result(
        panels=[Panel(title=title, unit="× the rate of finished bytes, by CPU", bars=bars)], targets=[target]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=2_000)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--send", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.send:
        way, server, batch, count = arguments.send
        {OURS: send, LIMIT: send_finished}[way](server, Path(batch).read_bytes(), int(count))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = write_files(Path(name) / "batch", 1)
        costs = measure(folder, arguments.batches, arguments.repetitions)
    tell(judge(costs, arguments.batches * BATCH))


if __name__ == "__main__":
    main()
