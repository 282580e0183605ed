"""Commands -> what each cost as a whole process: wall, CPU, peak memory; medians over interleaved repetitions."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

LOAD_SERVER = Path(__file__).with_name("load_server.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one process, or the median of several, took."""

    wall_s: float
    cpu_s: float
    """User and system, of all its threads."""
    peak_mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A command to be measured."""

    name: str
    command: Sequence[str]
    prepare: Callable[[], None] = lambda: None
    """What to do before each repetition, unmeasured."""


def run(command: Sequence[str], env: Mapping[str, str]) -> Cost:
    """Run a command to its end; RuntimeError where it fails.

    Its modules may be kept compiled, as those of an installed package are.
    """
    env = {name: value for name, value in env.items() if name != "PYTHONDONTWRITEBYTECODE"}
    begin_s = time.perf_counter()
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        errors = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {errors.decode()}")
    return Cost(
        wall_s=time.perf_counter() - begin_s,
        cpu_s=used.ru_utime + used.ru_stime,
        # getrusage(2): kilobytes on Linux, bytes on macOS
        peak_mb=used.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024),
    )


def compare(
    contenders: Sequence[Contender], env: Mapping[str, str], *, repetitions: int
) -> dict[str, list[Cost]]:
    """Run every contender once, then all of them again: what slows the machine for a while slows all alike."""
    costs: dict[str, list[Cost]] = {contender.name: [] for contender in contenders}
    for _ in range(repetitions):
        for contender in contenders:
            contender.prepare()
            costs[contender.name].append(run(contender.command, env))
    return costs


def median(costs: Sequence[Cost]) -> Cost:
    """Take the median of each figure by itself."""
    return Cost(
        wall_s=statistics.median(cost.wall_s for cost in costs),
        cpu_s=statistics.median(cost.cpu_s for cost in costs),
        peak_mb=statistics.median(cost.peak_mb for cost in costs),
    )


@contextmanager
def load_server(latency_ms: float = 0) -> Iterator[str]:
    """Run the load server in a process of its own; give its address."""
    command = [sys.executable, str(LOAD_SERVER), "--latency-ms", str(latency_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


def read_stats(server: str) -> dict[str, float]:
    """Ask the load server what it did."""
    with urlopen(f"{server}/stats") as answer:
        stats: dict[str, float] = json.load(answer)
    return stats


def write_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table: the first column to the left, figures to the right."""
    widths = [max(len(line[column]) for line in (head, *rows)) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in (head, *rows)
    )
