"""A million rows beside ten thousand: memory and cost a message are to stay the same.

The cost is CPU without the start, which a run of one row tells. The peers, the SDK's loop and finished bytes through
urllib3, read the smaller file only: they keep nothing either.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from measure import Contender, Cost, compare, median
from result import Bar, Panel, Result, Target, ratio_of, tell
from rows import OURS, contender_of, service, write_files

PEERS = ("sdk", "prebuilt")
PEAK_MB = 80


def name_of(rows: int) -> str:
    return f"{OURS}, {rows:,} row{'' if rows == 1 else 's'}"


def line_up(folder: Path, server: str, sizes: Sequence[int]) -> list[Contender]:
    """Name the commands: ours for each size, the peers for the second."""
    folders = {rows: write_files(folder / str(rows), rows) for rows in sizes}
    _, few, _ = sizes
    return [
        *(replace(contender_of(OURS, folders[rows], server), name=name_of(rows)) for rows in sizes),
        *(contender_of(peer, folders[few], server) for peer in PEERS),
    ]


def judge(costs: Mapping[str, Sequence[Cost]], sizes: Sequence[int]) -> Result:
    """Hold memory and cost against the targets."""
    _, few, many = sizes
    start, small, large = (costs[name_of(rows)] for rows in sizes)
    peaks = [cost.peak_mb for cost in large]
    beside = [cost.peak_mb for cost in small]
    work = {name_of(rows): rows for rows in sizes} | dict.fromkeys(PEERS, few)
    bars = [
        Bar(
            name=name,
            ratio=ratio_of([cost.peak_mb for cost in each], beside),
            cost=median(each),
            work=work[name],
        )
        for name, each in costs.items()
    ]
    unit = f"× the peak memory of {few:,} rows"
    return Result(
        panels=[Panel(title=f"{many:,} rows: memory", unit=unit, bars=bars, more_is_better=False)],
        targets=[
            Target(text=f"{many:,} rows: {unit}", ratio=ratio_of(peaks, beside), goal=1.2, at_most=True),
            Target(
                text=f"{many:,} rows: peak memory, × the {PEAK_MB} MB allowed",
                ratio=ratio_of(peaks, [PEAK_MB] * len(peaks)),
                goal=1,
                at_most=True,
            ),
            Target(
                text=f"{many:,} rows: CPU a message, × that of {few:,}",
                ratio=ratio_of(each_s(large, start, many), each_s(small, start, few)),
                goal=1.1,
                at_most=True,
            ),
        ],
        notes=[f"Peak memory of {name}: {median(each).peak_mb:.0f} MB" for name, each in costs.items()],
    )


def each_s(costs: Sequence[Cost], start: Sequence[Cost], rows: int) -> list[float]:
    """Return the CPU that a message took in each repetition, without what a run of one takes."""
    return [(cost.cpu_s - one.cpu_s) / max(1, rows - 1) for cost, one in zip(costs, start, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the large file")
    parser.add_argument("--few", type=int, default=10_000, help="rows of the small file")
    parser.add_argument("--repetitions", type=int, default=3)
    arguments = parser.parse_args()
    sizes = (1, arguments.few, arguments.rows)
    with tempfile.TemporaryDirectory() as name, service(0) as (server, env):
        costs = compare(line_up(Path(name), server, sizes), env, repetitions=arguments.repetitions)
    tell(judge(costs, sizes))


if __name__ == "__main__":
    main()
