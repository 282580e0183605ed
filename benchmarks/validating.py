"""A folder of job files -> what `validate` costs beside reading the events of the same YAML, and nothing else.

The rest of what a file costs is ours: data and positions, schema, templates, rules. Both run in processes of their
own, and what starting one costs is taken off.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from growth import each_s
from measure import Contender, Cost, compare, median
from result import Bar, Panel, Result, ratio_of, tell

OURS, YAML = "qstash-jobs", "YAML events alone"

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


def judge(costs: Mapping[str, Sequence[Cost]], files: int) -> Result:
    """Set what a file costs beside its events."""
    spent = {name: each_s(costs[f"{name} {files}"], costs[f"{name} 1"], files) for name in (OURS, YAML)}
    bars = [
        Bar(
            name=name,
            ratio=ratio_of(each, spent[YAML]),
            cost=median(costs[f"{name} {files}"]),
            work=files,
        )
        for name, each in spent.items()
    ]
    title = f"validate, {files:,} files, without the start"
    unit = "× the CPU of reading the YAML events"
    return Result(panels=[Panel(title=title, unit=unit, bars=bars, more_is_better=False)], targets=[])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--repetitions", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folders = {count: write_files(Path(name) / str(count), count) for count in (1, arguments.files)}
        commands = {OURS: ["-m", "qstash_jobs", "validate"], YAML: ["-c", EVENTS]}
        contenders = [
            Contender(name=f"{what} {count}", command=[sys.executable, *command, str(folder)])
            for what, command in commands.items()
            for count, folder in folders.items()
        ]
        costs = compare(contenders, os.environ, repetitions=arguments.repetitions)
    tell(judge(costs, arguments.files))


if __name__ == "__main__":
    main()
