"""1,000 job files checked: `qstash-jobs validate` beside check-jsonschema, ajv-cli, and reading the YAML alone.

All have the same files; the peers have the published schema. `qstash-jobs` also checks what a schema cannot say. The
limit is a process that only iterates the events of PyYAML's C parser. Before anything is measured, each of those that
check must accept the files and refuse them with one wrong file among them.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from measure import Contender, Cost, compare
from result import Panel, Result, Target, draw_up, rates, ratio_of, tell, walls

SCHEMA = Path(__file__).parent.parent / "schemas" / "job-file.schema.json"
OURS, CHECK, AJV, EVENTS = "qstash-jobs", "check-jsonschema", "ajv-cli", "YAML events alone"

READ_EVENTS = """\
import sys
from pathlib import Path
import yaml
for path in sorted(Path(sys.argv[1]).iterdir()):
    with path.open("rb") as file:
        for _ in yaml.parse(file, Loader=yaml.CLoader):
            pass
"""

SHAPES = (
    """\
# An order of customer {n}.
description: Order {n}
url: https://api.example.com/orders/{n}
body:
  order: {n}
  customer: {{email: customer{n}@example.com, name: "Customer {n}"}}
  items:
    - {{sku: A-{n}, count: 2}}
    - {{sku: B-{n}, count: 1}}
  total: 10.10
headers:
  X-Team: billing
  X-Trace: order-{n}
retries: 3
delay: 5m
labels: [orders]
""",
    """\
description: Invoice {n}, one after the other
queue: invoices
url: https://billing.example.com/invoices
method: PUT
body:
  number: {n}
  paid: false
timeout: 30s
retries: 5
failure_callback: {{url: https://ops.example.com/failed}}
""",
    """\
vars:
  host: https://api.example.com
defaults:
  url: ${{{{ vars.host }}}}/mails
  retries: 2
  headers: {{X-Team: growth}}
jobs:
  welcome-{n}:
    body: {{to: customer{n}@example.com, template: welcome}}
  reminder-{n}:
    delay: 1d
    body: {{to: customer{n}@example.com, template: reminder}}
""",
    """\
description: Report {n}
url: https://reports.example.com/run
dedup: {{id: report-{n}}}
flow_control: {{key: reports, parallelism: 4}}
callback:
  url: https://reports.example.com/done
body: '{{"report": {n}, "format": "pdf"}}'
content_type: application/json
""",
)
WRONG = "url: https://api.example.com/orders\nretries: many\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Who is measured, and who is not and why."""

    commands: dict[str, list[str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def write_jobs(folder: Path, count: int) -> Path:
    """Write so many job files, of four shapes in turn."""
    folder.mkdir()
    for number in range(count):
        (folder / f"job-{number:05d}.yaml").write_text(SHAPES[number % len(SHAPES)].format(n=number))
    return folder


def line_up(folder: Path, tools: Path) -> Field:
    """Name the commands that check a folder, as far as they can be had."""
    field = Field()
    field.commands[OURS] = [sys.executable, "-m", "qstash_jobs", "validate", str(folder)]
    check = shutil.which(CHECK, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if check:
        files = [str(file) for file in sorted(folder.iterdir())]
        field.commands[CHECK] = [check, "--schemafile", str(SCHEMA), *files]
    else:
        field.missing.append(f"{CHECK} was not measured: it is not installed")
    ajv = install_ajv(tools)
    if isinstance(ajv, str):
        field.missing.append(f"{AJV} was not measured: {ajv}")
    else:
        options = ["--spec=draft2020", "--strict=false", "-c", "ajv-formats"]
        field.commands[AJV] = [str(ajv), "validate", *options, "-s", str(SCHEMA), "-d", f"{folder}/*.yaml"]
    field.commands[EVENTS] = [sys.executable, "-c", READ_EVENTS, str(folder)]
    return field


def install_ajv(tools: Path) -> Path | str:
    """Install ajv-cli with npm into a folder, and give its command; or say why not."""
    npm = shutil.which("npm")
    if npm is None:
        return "there is no npm"
    # its own command, not npx, which would be measured with it
    command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(tools), "ajv-cli@5"]
    done = subprocess.run([*command, "ajv-formats@2"], capture_output=True, text=True, check=False)
    if done.returncode:
        return f"npm could not install it: {done.stderr.strip()[:200]}"
    return tools / "node_modules" / ".bin" / "ajv"


def prove(commands: Mapping[str, Sequence[str]], folder: Path) -> None:
    """Let every command that checks accept the files, and refuse them with a wrong one in one's place."""
    file = folder / "job-00003.yaml"
    good = file.read_text()
    for name, command in commands.items():
        if name == EVENTS:
            continue
        for text, accepted in ((good, True), (WRONG, False)):
            file.write_text(text)
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if (done.returncode == 0) is not accepted:
                verdict = "refused good" if accepted else "accepted wrong"
                raise RuntimeError(f"{name} {verdict} files: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        file.write_text(good)


def judge(costs: Mapping[str, Sequence[Cost]], files: int) -> tuple[Panel, list[Target]]:
    """Hold the costs against the targets."""
    title = f"validate, {files:,} files"
    work = dict.fromkeys(costs, files)
    ours = rates(costs[OURS], files)
    beside = CHECK if CHECK in costs else OURS
    panel = draw_up(costs, rates(costs[beside], files), work=work, title=title, unit=f"× {beside}'s rate")
    targets = [
        Target(text=f"{title}: × {peer}", ratio=ratio_of(ours, rates(costs[peer], files)), goal=goal)
        for peer, goal in ((CHECK, 10.0), (AJV, 2.0))
        if peer in costs
    ]
    time = ratio_of(walls(costs[OURS]), walls(costs[EVENTS]))
    targets.append(
        Target(text=f"{title}: × the time of reading the YAML events", ratio=time, goal=2.5, at_most=True)
    )
    return panel, targets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1_000)
    parser.add_argument("--repetitions", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = write_jobs(Path(name) / "jobs", arguments.files)
        field = line_up(folder, Path(name) / "tools")
        prove(field.commands, folder)
        contenders = [Contender(name=who, command=command) for who, command in field.commands.items()]
        costs = compare(contenders, os.environ, repetitions=arguments.repetitions)
    panel, targets = judge(costs, arguments.files)
    tell(Result(panels=[panel], targets=targets, notes=field.missing))


if __name__ == "__main__":
    main()
