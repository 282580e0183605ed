"""A folder, a chaotic QStash, and the lives of the command line in them -> whether the promise was kept.

After every life the server's own record is held against the ledger and against what that life has printed.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any

from chaos_server import ChaosServer
from faults.chaos_qstash import ChaosQStash
from faults.shared_time import SharedTime

from qstash_jobs.ledger.sqlite import open_sqlite
from qstash_jobs.record import Record, State

PROGRAM = Path(__file__).parent / "program.py"

MAY_HAVE_ARRIVED = frozenset(
    {State.SENDING, State.IN_DOUBT, State.PUBLISHED, State.DEDUPLICATED, State.PARTIAL}
)
"""Where the ledger has to have what the server took."""


@dataclass(frozen=True, kw_only=True)
class Life:
    """One process, from its beginning to its end."""

    code: int
    """Its exit code; -9 where it was killed."""
    printed: list[dict[str, Any]]
    said: str
    """What stands on stderr."""
    peak_mib: float
    crossings: dict[str, int]

    @property
    def was_killed(self) -> bool:
        return self.code == -9


@dataclass(kw_only=True)
class Findings:
    """Where the promise was not kept: nothing, all being well."""

    lost: list[str] = field(default_factory=list)
    """Neither settled nor visibly unfinished."""
    doubled: list[str] = field(default_factory=list)
    """Accepted more than once."""
    lies: list[str] = field(default_factory=list)
    """Said or written, and not so."""
    unrecorded: list[str] = field(default_factory=list)
    """Taken by the server, and not so much as claimed in the ledger."""
    faults: list[str] = field(default_factory=list)
    """A traceback, or an ending as a fault of the program."""

    def __iter__(self) -> Iterator[str]:
        for kind in ("lost", "doubled", "lies", "unrecorded", "faults"):
            yield from (f"{kind}: {one}" for one in getattr(self, kind))

    def __bool__(self) -> bool:
        return any(True for _ in self)

    def add(self, others: "Findings") -> None:
        for kind in ("lost", "doubled", "lies", "unrecorded", "faults"):
            getattr(self, kind).extend(getattr(others, kind))


class Launcher:
    """Begins processes of the command line; one at a time lives."""

    def __init__(self, *, preload: Path | None = None, environment: dict[str, str] | None = None) -> None:
        env = {"PATH": "/usr/bin:/bin", **_python_path(), **(environment or {})}
        if preload is not None:
            env["LD_PRELOAD"] = str(preload)
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
        )

    def begin(self, order: dict[str, Any]) -> int:
        """Begin a process; return its id."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        pid: int = self._hear()["pid"]
        return pid

    def wait(self) -> dict[str, Any]:
        """Wait for its end; say how it was."""
        return self._hear()

    def close(self) -> None:
        self._process.communicate(timeout=60)

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the launcher has gone"
        heard: dict[str, Any] = json.loads(line)
        return heard


def _python_path() -> dict[str, str]:
    """Let the processes have the package that is tested here: it may be a copy."""
    return {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}


class Trial:
    """Messages that are published by one life of the program after the other."""

    def __init__(
        self, folder: Path, launcher: Launcher, service: ChaosQStash, url: str, names: Sequence[str]
    ) -> None:
        self.folder = folder
        self.service = service
        self.names = list(names)
        self.findings = Findings()
        self.lives: list[Life] = []
        self.ledger_path = folder / "state" / "ledger.db"
        self._launcher = launcher
        self._numbers = count()
        self._environment = {
            "QSTASH_URL": url,
            "QSTASH_TOKEN": "token",
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "LANG": "C.UTF-8",
            "PATH": "/usr/bin:/bin",
        }
        self.write("a")

    def write(self, content: str) -> None:
        """Write the job file; another content is another body in every message."""
        (self.folder / "rows.csv").write_text("\n".join(["id", *self.names]) + "\n")
        (self.folder / "mail.yaml").write_text(
            "jobs:\n  mail:\n    url: https://example.com/${{ row.id }}\n"
            f"    body: {{for: '${{{{ row.id }}}}', content: {content}}}\n"
            "    for_each: {file: rows.csv, key: id}\n"
        )

    @property
    def shared(self) -> SharedTime:
        return self.service.shared

    def live(
        self,
        *more: str,
        kill_after: tuple[int, float] | None = None,
        launcher: Launcher | None = None,
        **order: Any,
    ) -> Life:
        """Let a process run to its end, and judge it.

        `kill_after` kills it when so many more things have happened at the server, and so many seconds have passed.
        """
        number, launcher = next(self._numbers), launcher or self._launcher
        paths = {name: self.folder / f"{name}-{number}" for name in ("stdout", "stderr", "crossings")}
        words = ["run", "mail.yaml", "--run-key", "k", "--format", "jsonl", "--yes", *more]
        ledger = order.pop("ledger", self.ledger_path)
        first = self.service.events
        pid = launcher.begin(
            {
                "words": [*words, "--ledger", f"sqlite://{ledger}"],
                "folder": str(self.folder),
                "environment": self._environment,
                "time": str(self.folder / "time"),
                "deadline_s": 0.7,
                **{name: str(path) for name, path in paths.items()},
                **order,
            }
        )
        has_ended = Event()
        killer = None
        if kill_after is not None:
            killer = Thread(target=self._kill, args=(pid, has_ended, first, *kill_after))
            killer.start()
        ended = launcher.wait()
        has_ended.set()
        if killer is not None:
            killer.join(10)
        life = self._read(ended, paths)
        self.lives.append(life)
        self.findings.add(self._judge(life))
        return life

    def _kill(self, pid: int, has_ended: Event, first: int, events: int, seconds: float) -> None:
        while not self.service.await_event(first + events, within_s=0.1):
            if has_ended.is_set():
                return
        if not has_ended.wait(seconds):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _read(self, ended: dict[str, Any], paths: dict[str, Path]) -> Life:
        printed = []
        out = paths["stdout"].read_text() if paths["stdout"].exists() else ""
        # the last line may have been cut short with its process
        for line in out.splitlines(keepends=True):
            if line.endswith("\n"):
                printed.append(json.loads(line))
        crossings = paths["crossings"]
        return Life(
            code=ended["code"],
            printed=printed,
            said=paths["stderr"].read_text() if paths["stderr"].exists() else "",
            peak_mib=ended["peak_kib"] / 1024,
            # a kill may have come while they were written
            crossings=json.loads(crossings.read_text()) if ended["code"] >= 0 and crossings.exists() else {},
        )

    # judging

    def records(self) -> dict[str, Record]:
        """What the ledger knows, by the last parts of the destinations."""
        if not self.ledger_path.exists():
            return {}
        with closing(open_sqlite(self.ledger_path, read_only=True)) as ledger:
            return {one.target.rpartition("/")[2]: one for one in ledger.messages()}

    def _judge(self, life: Life) -> Findings:
        found = Findings()
        if life.code == 70 or "Traceback" in life.said or "trace is in" in life.said:
            traces = [path.read_text()[-2000:] for path in self.folder.glob("qstash-jobs-*.log")]
            found.faults.append(f"exit {life.code}: {life.said[-2000:]} {traces}")
        records = self.records()
        for name, acceptances in list(self.service.acceptances.items()):
            ours = [one for one in acceptances if not one.elsewhere]
            if len(acceptances) > 1:
                found.doubled.append(f"{name}: {[(one.message_id, one.at_s) for one in acceptances]}")
            record = records.get(name)
            if ours and (record is None or record.state not in MAY_HAVE_ARRIVED):
                found.unrecorded.append(f"{name} is {record.state if record else 'unknown'}")
        for name, record in records.items():
            found.lies += self._check(name, str(record.state), record.message_ids, "the ledger")
        for line in life.printed:
            name = line["name"].rpartition("[")[2].rstrip("]")
            found.lies += self._check(name, line["state"], line["message_ids"], "the run")
        if not life.was_killed:
            self._check_ending(life, records, found)
        return found

    def _check(self, name: str, state: str, ids: Sequence[str], who: str) -> Iterator[str]:
        """Hold what was said of one message against what the server did."""
        real = {one.message_id for one in self.service.acceptances.get(name, ())}
        claimed, is_published = set(ids), state in ("published", "partial")
        others = {f"stranger_{name}"} if state in ("deduplicated", "skipped") else set()
        if (is_published and not ids) or not claimed <= real | others:
            yield f"{who} says {name} is {state} as {list(ids)}, and it is {sorted(real)}"
        elif state == "rejected" and real:
            yield f"{who} says {name} is rejected, and it is {sorted(real)}"

    def _check_ending(self, life: Life, records: dict[str, Record], found: Findings) -> None:
        """Nothing may be missing behind an exit code that says that all is well."""
        states = {name: str(records[name].state) if name in records else "planned" for name in self.names}
        done = {"published", "deduplicated", "partial", "abandoned"}
        unfinished = {name: state for name, state in states.items() if state not in done}
        if life.code == 0 and unfinished:
            found.lost += [f"exit 0, and {name} is {state}" for name, state in unfinished.items()]
        in_doubt = {name for name, state in unfinished.items() if state in ("in_doubt", "sending")}
        if in_doubt and life.code not in (3, 4, 6, 130, 143):
            # before its first message nothing has been settled or hidden by a run
            if life.code in (2, 7) and not life.printed and "redirect" not in life.said:
                return
            found.lies.append(
                f"exit {life.code}, and {sorted(in_doubt)[:5]} are in doubt: {life.said[-300:]}"
            )

    # to the end

    def finish(self, *more: str, lives: int = 30) -> Life:
        """Run again until nothing is left to be done, as a user would; return the last life."""
        states = self._states()
        for _ in range(lives):
            life = self.live(*more)
            before, states = states, self._states()
            if life.code == 0 or (life.code in (1, 3) and states == before):
                break
        else:
            self.findings.lost.append(f"not finished in {lives} runs: {life.said[-500:]}")
        return life

    def _states(self) -> dict[str, str]:
        return {name: str(record.state) for name, record in self.records().items()}

    @property
    def in_doubt(self) -> list[str]:
        records = self.records()
        return [name for name in self.names if name in records and records[name].state is State.IN_DOUBT]


@contextmanager
def trial(folder: Path, launcher: Launcher, names: Sequence[str], **chaos: Any) -> Iterator[Trial]:
    """Set a trial up: its folder, its server with `chaos`, its clock."""
    folder.mkdir(parents=True, exist_ok=True)
    shared = SharedTime(folder / "time")
    service = ChaosQStash(shared, **chaos)
    with closing(shared), ChaosServer(service) as server:
        yield Trial(folder, launcher, service, server.url, names)
