"""A folder, a chaotic QStash, and the lives of the command line in them -> whether the promise was kept.

After every life the server's own record is held against the ledger and against what that life has printed.
"""

import json
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import count, groupby
from pathlib import Path
from threading import Event, Thread
from typing import Any

from chaos_server import ChaosServer
from faults.chaos_qstash import ChaosQStash
from faults.fate import Deck
from faults.fates import FATES
from faults.hindsight import Traits
from faults.judge import Case, Findings, judge
from faults.lives import Launcher, Life
from faults.shared_time import SharedTime

from qstash_jobs.ledger.sqlite import open_sqlite
from qstash_jobs.record import Record, State

DESTINATIONS = {
    "mail": "    url: https://example.com/${{ row.id }}\n",
    "group": "    url_group: ${{ row.id }}\n",
    "queued": "    url: https://example.com/${{ row.id }}\n    queue: orders\n",
}
"""What the kinds of jobs say of where their messages go."""


class Trial:
    """Messages that are published by one life of the program after the other."""

    def __init__(
        self,
        folder: Path,
        launcher: Launcher,
        service: ChaosQStash,
        url: str,
        names: Sequence[str],
        *,
        groups: Sequence[str] = (),
        queued: Sequence[str] = (),
    ) -> None:
        """Some of the messages may go to URL groups of their names, and some over one queue, in their order."""
        self.folder = folder
        self.service = service
        self.names = list(names)
        self._ways = {**dict.fromkeys(groups, "group"), **dict.fromkeys(queued, "queued")}
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
        """Write the job file, a job for each stretch of one kind; another content is another body in every message."""
        text = "jobs:\n"
        stretches = groupby(self.names, key=lambda name: self._ways.get(name, "mail"))
        for number, (way, names) in enumerate(stretches):
            (self.folder / f"rows{number}.csv").write_text("\n".join(["id", *names]) + "\n")
            text += f"  {way}{number}:\n{DESTINATIONS[way]}"
            text += f"    body: {{for: '${{{{ row.id }}}}', content: {content}}}\n"
            text += f"    for_each: {{file: rows{number}.csv, key: id}}\n"
        (self.folder / "mail.yaml").write_text(text)

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

        `kill_after` kills it at the very moment when so many more things have happened at the server, or so many
        seconds later, at no moment in particular.
        """
        words = ["run", "mail.yaml", "--run-key", "k", "--format", "jsonl", "--yes", *more]
        life = self._live(words, kill_after, launcher or self._launcher, order)
        self.lives.append(life)
        case = Case(life=life, records=self.records(), names=self.names, service=self.service)
        self.findings.add(judge(case))
        self.findings.faults += self._find_faults(life)
        return life

    def _live(
        self,
        words: Sequence[str],
        kill_after: tuple[int, float] | None,
        launcher: Launcher,
        order: dict[str, Any],
    ) -> Life:
        number = next(self._numbers)
        paths = {name: self.folder / f"{name}-{number}" for name in ("stdout", "stderr", "crossings")}
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
        with self._killing(pid, first, kill_after):
            ended = launcher.wait()
        return self._read(ended, paths, is_run=words[0] == "run")

    @contextmanager
    def _killing(self, pid: int, first: int, kill_after: tuple[int, float] | None) -> Iterator[None]:
        """Kill a process when that is due, if it has not ended by then."""
        has_ended = Event()
        killers = []

        def kill() -> None:
            if not has_ended.is_set():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

        def kill_later(seconds: float) -> None:
            if not has_ended.wait(seconds):
                kill()

        def kill_in_time() -> None:
            assert kill_after is not None
            if seconds := kill_after[1]:
                killers.append(Thread(target=kill_later, args=(seconds,)))
                killers[-1].start()
            else:
                kill()

        if kill_after is not None:
            self.service.call_at(first + kill_after[0], kill_in_time)
        yield
        has_ended.set()
        for killer in killers:
            killer.join(10)

    def _read(self, ended: dict[str, Any], paths: dict[str, Path], *, is_run: bool) -> Life:
        printed = []
        out = paths["stdout"].read_text() if paths["stdout"].exists() and is_run else ""
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

    def _find_faults(self, life: Life) -> Iterator[str]:
        if life.code == 70 or "Traceback" in life.said or "trace is in" in life.said:
            traces = [path.read_text()[-2000:] for path in self.folder.glob("qstash-jobs-*.log")]
            yield f"exit {life.code}: {life.said[-2000:]} {traces}"

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

    def settle(self) -> None:
        """Settle what is in doubt as a person would, who has looked at the destination."""
        for name, record in self.records().items():
            if record.state is State.IN_DOUBT:
                found = "published" if self.service.acceptances.get(name) else "not-published"
                life = self._live(["resolve", record.id, "--as", found], None, self._launcher, {})
                if life.code != 0:
                    self.findings.faults.append(f"exit {life.code} for {name} as {found}: {life.said}")

    def _states(self) -> dict[str, str]:
        return {name: str(record.state) for name, record in self.records().items()}

    @property
    def in_doubt(self) -> list[str]:
        records = self.records()
        return [name for name in self.names if name in records and records[name].state is State.IN_DOUBT]


@contextmanager
def trial(
    folder: Path,
    launcher: Launcher,
    names: Sequence[str],
    *,
    groups: Sequence[str] = (),
    queued: Sequence[str] = (),
    seed: int = 0,
    share: float = 0.0,
    **traits: Any,
) -> Iterator[Trial]:
    """Set a trial up: its folder, its server of those traits, of whose answers a share is chaos, and its clock."""
    folder.mkdir(parents=True, exist_ok=True)
    shared = SharedTime(folder / "time")
    service = ChaosQStash(shared, Deck(FATES, seed=seed, share=share), Traits(**traits))
    with closing(shared), ChaosServer(service) as server:
        yield Trial(folder, launcher, service, server.url, names, groups=groups, queued=queued)
