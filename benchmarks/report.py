"""Every benchmark -> one table on standard output, one JSON file, one chart: `nox -s bench`.

`--json FILE` keeps the figures, `--page` writes them into docs/performance.md and its chart, `--from FILE` takes the
figures that were kept instead of measuring, `--small` measures so little that it takes a minute.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from chart import draw
from result import Panel, Result, Target, read_result, write_result

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "performance.md"
CHART = PAGE.with_suffix(".svg")
MEASURED = re.compile(r"(?<=<!-- measured -->\n).*?(?=<!-- end of what was measured -->)", re.DOTALL)

BENCHMARKS: Sequence[tuple[str, ...]] = (
    ("start.py",),
    ("validate.py",),
    ("validating.py",),
    ("single.py",),
    ("single.py", "--latency-ms", "20", "--messages", "16000", "--repetitions", "3"),
    ("sending.py",),
    ("rows.py",),
    ("rows.py", "--latency-ms", "20"),
    ("rows.py", "--latency-ms", "100"),
    ("growth.py",),
    ("ledger.py",),
    ("local.py",),
    ("local_memory.py",),
)
SMALL: Mapping[str, Sequence[str]] = {
    "start.py": (),
    "validate.py": ("--files", "50"),
    "validating.py": ("--files", "50"),
    "single.py": ("--messages", "400"),
    "sending.py": ("--batches", "50"),
    "rows.py": ("--rows", "1000"),
    "growth.py": ("--rows", "5000", "--few", "500"),
    "ledger.py": ("--rows", "1000", "--full", "20000"),
    "local.py": ("--messages", "1000"),
    "local_memory.py": ("--messages", "10000", "--retain", "100"),
}
"""What makes each quick, to see that it works: its figures mean nothing."""


def measure(command: Sequence[str]) -> Result:
    """Run a benchmark; what it says meanwhile goes to standard error."""
    script, *options = command
    print(f"\n$ python benchmarks/{' '.join(command)}", file=sys.stderr, flush=True)
    done = subprocess.run(
        [sys.executable, str(HERE / script), *options], stdout=subprocess.PIPE, text=True, check=True
    )
    return read_result(json.loads(done.stdout))


def describe_machine() -> str:
    """Say what it was measured on, and how busy that was."""
    busy = f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    cores = os.cpu_count()
    return (
        f"{cores} cores, Python {platform.python_version()}, {platform.system()} {platform.machine()}{busy}"
    )


def write_targets(targets: Sequence[Target]) -> Iterator[str]:
    """Write a table of what was promised."""
    yield "| target | wanted | measured | |"
    yield "| --- | ---: | ---: | --- |"
    for target in targets:
        wanted = f"{'≤' if target.at_most else '≥'} {target.goal:g}"
        yield f"| {target.text} | {wanted} | {target.ratio.write()} | {'reached' if target.reached else 'missed'} |"


def write_panels(panels: Sequence[Panel]) -> Iterator[str]:
    """Write a table of everybody who was measured."""
    yield "| work | by | ratio | | wall, µs each | CPU, µs each |"
    yield "| --- | --- | ---: | --- | ---: | ---: |"
    for panel in panels:
        for bar in panel.bars:
            wall, cpu = (figure / bar.work * 1e6 for figure in (bar.cost.wall_s, bar.cost.cpu_s))
            cells = (
                panel.title,
                f"`{bar.name}`",
                bar.ratio.write(),
                panel.unit,
                f"{wall:,.0f}",
                f"{cpu:,.0f}",
            )
            yield f"| {' | '.join(cells)} |"


def write_report(machine: str, results: Sequence[Result]) -> str:
    """Write both tables, and what was seen besides, as Markdown."""
    lines = [f"Measured on {machine}.", ""]
    lines += write_targets([target for result in results for target in result.targets])
    lines.append("")
    lines += write_panels([panel for result in results for panel in result.panels])
    notes = [note for result in results for note in result.notes]
    if notes:
        lines += ["", *(f"* {note}" for note in notes)]
    return "\n".join(lines) + "\n"


def write_page(report: str, results: Sequence[Result]) -> None:
    """Put the tables into the page, and the chart beside it."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(MEASURED.sub(lambda _: f"\n{report}\n", text), encoding="utf-8")
    panels = [panel for result in results for panel in result.panels]
    CHART.write_text(
        draw(panels, [target for result in results for target in result.targets]), encoding="utf-8"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="file to keep the figures in")
    parser.add_argument("--from", type=Path, dest="kept", help="file with figures, instead of measuring")
    parser.add_argument(
        "--small", action="store_true", help="see that all of it works; the figures mean nothing"
    )
    parser.add_argument("--page", action="store_true", help="write docs/performance.md and its chart")
    arguments = parser.parse_args()
    if arguments.small and arguments.page:
        parser.error("--small measures nothing that belongs on the page")
    if arguments.kept:
        found = json.loads(arguments.kept.read_text())
        machine, results = found["machine"], [read_result(each) for each in found["results"]]
    else:
        extra = {
            script: (*size, "--repetitions", "1") if arguments.small else () for script, size in SMALL.items()
        }
        commands = [(*command, *extra[command[0]]) for command in BENCHMARKS]
        machine, results = describe_machine(), [measure(command) for command in commands]
    if arguments.json:
        kept = {"machine": machine, "results": [write_result(result) for result in results]}
        arguments.json.write_text(json.dumps(kept, indent=2) + "\n")
    report = write_report(machine, results)
    if arguments.page:
        write_page(report, results)
    print(report)


if __name__ == "__main__":
    main()
