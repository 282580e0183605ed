"""A folder of job files -> what `validate` costs beside reading the events of the same YAML, and nothing else.

The rest of what a file costs is ours: data and positions, schema, templates, rules. Both run in processes of their
own, and what starting one costs is taken off.
"""

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from measure import Contender, compare, median, write_table

JOBS = """\
defaults:
  retries: 3
  headers: {{Authorization: "Bearer ${{{{ secrets.TOKEN }}}}"}}
jobs:
  order-{number}:
    description: Tells the shop that order {number} was placed
    url: https://api.example.com/v1/orders/{number}?source=jobs
    body:
      order: {number}
      customer: {{name: "Ada Lovelace", email: ada{number}@example.com}}
      lines: [{{sku: A-1, count: 2}}, {{sku: B-2, count: {number}}}]
    delay: 10m
    timeout: 30s
    callback: https://api.example.com/done
    labels: [orders, shop]
  refund-{number}:
    url: https://api.example.com/v1/refunds
    body: "refund of order {number}"
    flow_control: {{key: shop, rate: 10, period: 1m}}
    dedup: {{key: "refund-{number}", window: 1d}}
"""

EVENTS = """\
import pathlib, sys, yaml
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.yaml")):
    for event in yaml.parse(path.read_bytes(), Loader=yaml.CSafeLoader):
        pass
"""


def write_files(folder: Path, count: int) -> Path:
    """Write so many job files of two jobs each."""
    folder.mkdir()
    for number in range(count):
        (folder / f"orders-{number:05d}.yaml").write_text(JOBS.format(number=number))
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--repetitions", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folders = {count: write_files(Path(name) / str(count), count) for count in (1, arguments.files)}
        commands = {
            "validate": ["-m", "qstash_jobs", "validate"],
            "events": ["-c", EVENTS],
        }
        contenders = [
            Contender(name=f"{what} {count}", command=[sys.executable, *command, str(folder)])
            for what, command in commands.items()
            for count, folder in folders.items()
        ]
        costs = compare(contenders, os.environ, repetitions=arguments.repetitions)
    many = arguments.files
    spent = {
        what: (median(costs[f"{what} {many}"]).cpu_s - median(costs[f"{what} 1"]).cpu_s) / (many - 1)
        for what in commands
    }
    lines = [
        (
            what,
            f"{seconds * 1e6:.0f}",
            f"{seconds / spent['events']:.2f}",
            f"{median(costs[f'{what} 1']).cpu_s:.2f}",
        )
        for what, seconds in spent.items()
    ]
    head = (f"{many:,} files", "CPU µs/file", "× events", "start s")
    print(write_table(head, lines), file=sys.stderr)
    print(json.dumps({name: [asdict(cost) for cost in each] for name, each in costs.items()}, indent=2))


if __name__ == "__main__":
    main()
