"""How long a short command takes: `qstash-jobs --help` beside an empty Python, a run of one job beside the SDK.

The run checks its job and records its message on the disk in a ledger that does not exist yet; the script publishes
the same message with the official SDK and remembers nothing. The limits are an interpreter that imports click alone,
and one that sends the finished message with urllib3.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from measure import Contender, Cost, compare, median
from result import Bar, Panel, Result, Target, ratio_of, tell, walls
from rows import service

COMMAND = Path(sys.executable).with_name("qstash-jobs")
LOOPS = Path(__file__).with_name("loops.py")

HELP, EMPTY, CLICK = "qstash-jobs --help", "python -c pass", "python -c 'import click'"
RUN, SDK, BARE = "qstash-jobs run, one job", "the SDK, one message", "urllib3, one finished message"

JOB = """\
url: https://example.com/orders
body: {order: A-00000001, email: customer1@example.com, total: 1.01, note: thanks for order 1}
headers: {X-Team: billing}
retries: 3
labels: [orders]
"""

SDK_SCRIPT = """\
import sys
from qstash import QStash
QStash("token", base_url=sys.argv[1]).message.publish_json(
    url="https://example.com/orders",
    body={"order": "A-00000001", "email": "customer1@example.com", "total": 1.01, "note": "thanks for order 1"},
    headers={"X-Team": "billing"},
    retries=3,
    label="orders",
)
"""


def line_up(folder: Path, server: str) -> list[Contender]:
    """Name the commands."""
    (folder / "job.yaml").write_text(JOB)
    ledger = folder / "ledger"
    options = ["--yes", "--quiet", "--ledger", f"sqlite://{ledger}/ledger.db"]
    python = sys.executable
    return [
        Contender(name=EMPTY, command=[python, "-c", "pass"]),
        Contender(name=CLICK, command=[python, "-c", "import click"]),
        Contender(name=HELP, command=[str(COMMAND), "--help"]),
        Contender(
            name=RUN,
            command=[str(COMMAND), "run", str(folder / "job.yaml"), *options],
            prepare=partial(shutil.rmtree, ledger, ignore_errors=True),
        ),
        Contender(name=SDK, command=[python, "-c", SDK_SCRIPT, server]),
        Contender(name=BARE, command=[python, str(LOOPS), "urllib3", server, "-", "1", "1"]),
    ]


def draw_up(costs: Mapping[str, Sequence[Cost]], names: Sequence[str], beside: str, title: str) -> Panel:
    """Set times beside another time."""
    bars = [
        Bar(
            name=name,
            ratio=ratio_of(walls(costs[name]), walls(costs[beside])),
            cost=median(costs[name]),
            work=1,
        )
        for name in names
    ]
    return Panel(title=title, unit=f"× the time of {beside}", bars=bars, more_is_better=False)


def judge(costs: Mapping[str, Sequence[Cost]]) -> Result:
    """Hold the costs against the targets."""
    return Result(
        panels=[
            draw_up(costs, (EMPTY, CLICK, HELP), EMPTY, "Start: --help"),
            draw_up(costs, (SDK, RUN, BARE), SDK, "Start: a run of one job"),
        ],
        targets=[
            Target(
                text="Start: `--help`, × `python -c pass`",
                ratio=ratio_of(walls(costs[HELP]), walls(costs[EMPTY])),
                goal=5,
                at_most=True,
            ),
            Target(
                text="Start: a run of one job, × a script with the SDK",
                ratio=ratio_of(walls(costs[RUN]), walls(costs[SDK])),
                goal=0.6,
                at_most=True,
            ),
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=21)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, service(0) as (server, env):
        contenders = line_up(Path(name), server)
        compare(contenders, env, repetitions=1)  # compiles what was never imported
        costs = compare(contenders, env, repetitions=arguments.repetitions)
    tell(judge(costs))


if __name__ == "__main__":
    main()
