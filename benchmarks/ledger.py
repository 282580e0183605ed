"""What the ledger takes of a run, and what a message costs where millions of others are in it already.

The ledger's share is the CPU that its methods take, of all that the process takes. A full ledger is made from the rows
of a run, multiplied in SQL; a run in it has a key of its own, as every run without a name has. The limit, `sqlite3
alone`, writes as many rows twice into a table without an index: what was begun, and what came of it.
"""

import argparse
import json
import shutil
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import process_time, thread_time
from typing import Any

from growth import each_s
from measure import Contender, Cost, compare, median, run
from result import Bar, Panel, Result, Target, ratio_of, tell
from rows import BATCH, OURS, service, write_files

COUNTED = ("open_key", "find_key", "start_run", "end_run", "find", "find_windows", "write", "close")
"""The ledger's methods that a run calls."""

LIMIT = "sqlite3 alone"
COPIED = 10_000
"""Rows of the run that a full ledger is made of."""

SHARE, FULL = 0.3, 1.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A run to be measured: how many rows, how they are sent, and what is in its ledger before."""

    rows: int
    size: int = BATCH
    before: int = 0

    @property
    def sending(self) -> str:
        return "one request a message" if self.size == 1 else f"batches of {self.size}"

    @property
    def name(self) -> str:
        number = "1 row" if self.rows == 1 else f"{self.rows:,} rows"
        return f"{OURS}, {self.sending}, {number} into {self.before:,}"


def run_counted(figures: str, command: Sequence[str]) -> None:
    """Run a command of `qstash-jobs` in this process, and add up what the ledger's methods take of it."""
    from qstash_jobs.cli import main
    from qstash_jobs.ledger.sqlite import SqliteLedger

    spent_s = 0.0

    def count(method: Any) -> Any:
        def counted(*given: Any, **named: Any) -> Any:
            nonlocal spent_s
            begin_s = thread_time()
            try:
                return method(*given, **named)
            finally:
                spent_s += thread_time() - begin_s

        return counted

    for name in COUNTED:
        setattr(SqliteLedger, name, count(getattr(SqliteLedger, name)))
    sys.argv = ["qstash-jobs", *command]
    try:
        main()
    finally:
        with Path(figures).open("a") as file:
            print(json.dumps(spent_s / process_time()), file=file)


def run_alone(database: str, rows: int) -> None:
    """Write rows twice, a batch a commit, as durably as the ledger does."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(
            "CREATE TABLE messages (row INTEGER PRIMARY KEY, id BLOB, state TEXT, message TEXT)"
        )
        for first in range(0, rows, BATCH):
            numbers = range(first, min(first + BATCH, rows))
            connection.execute("BEGIN")
            begun = [(row, bytearray(20), "sending", "") for row in numbers]
            connection.executemany("INSERT INTO messages VALUES (?, ?, ?, ?)", begun)
            connection.execute("COMMIT")
            connection.execute("BEGIN")
            settled = [("published", "msg_00000000000000000000000001", row) for row in numbers]
            connection.executemany("UPDATE messages SET state = ?, message = ? WHERE row = ?", settled)
            connection.execute("COMMIT")


def fill(ledger: Path, rows: int) -> None:
    """Multiply the one key that is in a ledger, with its rows."""
    with closing(sqlite3.connect(ledger / "ledger.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        names = [row[1] for row in connection.execute("PRAGMA table_info(messages)")]
        changed = {"key": "key + ?", "id": "randomblob(20)"}
        chosen = ", ".join(changed.get(name, name) for name in names)
        for copy in range(1, rows // COPIED):
            connection.execute("BEGIN")
            connection.execute(
                "INSERT INTO keys (number, project, environment, target, text, first_run, started_at) "
                "SELECT number + ?1, project, environment, target, text || ?1, first_run, started_at "
                "FROM keys WHERE number = 1",
                (copy,),
            )
            connection.execute(
                f"INSERT INTO messages ({', '.join(names)}) SELECT {chosen} FROM messages WHERE key = 1",
                (copy,),
            )
            connection.execute("COMMIT")


def line_up(folder: Path, ways: Sequence[Way]) -> list[Contender]:
    """Name the commands."""
    alone = folder / "alone.db"
    most = max(way.rows for way in ways)
    limit = [sys.executable, __file__, "--alone", str(alone), str(most)]
    return [
        *(contend(folder, way) for way in ways),
        Contender(name=LIMIT, command=limit, prepare=lambda: alone.unlink(missing_ok=True)),
    ]


def contend(folder: Path, way: Way) -> Contender:
    """Name the command of a run, whose messages are new to its ledger; an empty one is made anew for each."""
    ledger = folder / f"ledger-{way.before}"
    job = folder / str(way.rows) / "job.yaml"
    options = ["--yes", "--quiet", "--ledger", f"sqlite://{ledger}/ledger.db", "--batch-size", str(way.size)]
    return Contender(
        name=way.name,
        command=[sys.executable, __file__, "--counted", str(folder / way.name), "run", str(job), *options],
        prepare=(lambda: None) if way.before else partial(shutil.rmtree, ledger, ignore_errors=True),
    )


def make_full(folder: Path, before: int, env: Mapping[str, str]) -> None:
    """Make a ledger with so many rows in it."""
    run(contend(folder, Way(rows=COPIED, before=before)).command, env)
    fill(folder / f"ledger-{before}", before)


def read_shares(folder: Path, way: Way) -> list[float]:
    """Read what share of its CPU each repetition of a run spent in the ledger."""
    return [json.loads(line) for line in (folder / way.name).read_text().splitlines()]


def judge(
    costs: Mapping[str, Sequence[Cost]], shares: Mapping[Way, Sequence[float]], rows: int, full: Sequence[int]
) -> Result:
    """Hold shares and costs against the targets."""
    spent = {before: spent_s(costs, rows, before) for before in (0, *full)}
    bars = [
        Bar(
            name=f"{OURS}, {way.before:,} in it",
            ratio=ratio_of(spent[way.before], spent[0]),
            cost=median(costs[way.name]),
            work=rows,
        )
        for way in (Way(rows=rows, before=before) for before in spent)
    ]
    share = [
        Target(
            text=f"Ledger: share of a run's CPU, {way.sending}",
            ratio=ratio_of(each, [1.0] * len(each)),
            goal=SHARE,
            at_most=True,
        )
        for way, each in shares.items()
    ]
    return Result(
        panels=[
            Panel(
                title="A message, by the rows in its ledger",
                unit="× the CPU of one in an empty ledger, without the start",
                bars=bars,
                more_is_better=False,
            )
        ],
        targets=[
            *share,
            *(
                Target(
                    text=f"Ledger: CPU a message with {before:,} rows in it, × that of an empty one",
                    ratio=ratio_of(spent[before], spent[0]),
                    goal=FULL,
                    at_most=True,
                )
                for before in full
            ),
        ],
        notes=[write_limit(costs, shares, rows)],
    )


def spent_s(costs: Mapping[str, Sequence[Cost]], rows: int, before: int) -> list[float]:
    many, one = (costs[Way(rows=count, before=before).name] for count in (rows, 1))
    return each_s(many, one, rows)


def write_limit(costs: Mapping[str, Sequence[Cost]], shares: Mapping[Way, Sequence[float]], rows: int) -> str:
    """Say what the ledger takes of a row, and what SQLite takes by itself."""
    way = Way(rows=rows)
    ours = median(costs[way.name]).cpu_s * statistics.median(shares[way]) / rows
    limit = median(costs[LIMIT]).cpu_s / rows
    return (
        f"Ledger, batches of {BATCH}: {ours * 1e6:.1f} µs of CPU a message; {LIMIT}, two writes a row and nothing "
        f"else: {limit * 1e6:.1f} µs, its start included"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--full", type=int, nargs="*", default=[1_000_000, 5_000_000])
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--counted", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    parser.add_argument("--alone", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.counted:
        run_counted(arguments.counted[0], arguments.counted[1:])
        return
    if arguments.alone:
        run_alone(arguments.alone[0], int(arguments.alone[1]))
        return
    rows, full = arguments.rows, arguments.full
    counted = [Way(rows=rows), Way(rows=rows, size=1)]
    ways = [*counted, *(Way(rows=count, before=before) for before in (0, *full) for count in (1, rows))]
    with tempfile.TemporaryDirectory() as name, service(0) as (_, env):
        folder = Path(name)
        for count in {1, rows, COPIED}:
            write_files(folder / str(count), count)
        for before in full:
            make_full(folder, before, env)
        costs = compare(line_up(folder, list(dict.fromkeys(ways))), env, repetitions=arguments.repetitions)
        shares = {way: read_shares(folder, way) for way in counted}
    tell(judge(costs, shares, rows, full))


if __name__ == "__main__":
    main()
