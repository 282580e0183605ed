"""Many runners of one run key on a ledger in PostgreSQL, all of which is killed at random -> what became of it.

usage: postgres_storm.py [MESSAGES RUNNERS KILLS RESTARTS SEED]

Runners are processes that are killed with SIGKILL and replaced; so is every process of the database, which is then
started again. The server that they publish to loses some answers and refuses some requests. At the end what it has
accepted is held against the ledger.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parent.parent))

from chaos_server import Peer
from postgres_server import PostgresServer, find_programs
from publishing import Service, Stage, http, names, read_call, serve

from qstash_jobs.record import Record

RUNNER = Path(__file__).parent / "run_shared.py"

LEASE_S = 6.0
"""Short, so that what a killed runner had is soon free; requests have a third of it."""


@dataclass(kw_only=True)
class Figures:
    """What a storm came to."""

    messages: int
    lost: int = 0
    """Neither published nor visibly unfinished."""
    doubled: int = 0
    """Accepted more than once."""
    lies: int = 0
    """Published by the ledger, and never accepted with that id; or unsettled, with every runner done."""
    doubted: int = 0
    """In doubt at the end: attempted longer ago than QStash remembers, and not in its log."""
    details: list[str] = field(default_factory=list)
    """How the promise was not kept, and what is in doubt."""
    tracebacks: int = 0
    kills: int = 0
    restarts: int = 0
    runners: int = 0
    seconds: float = 0.0
    exits: Counter[int] = field(default_factory=Counter)
    workers: int = 0
    """Runners that published something."""

    def __str__(self) -> str:
        return (
            f"{self.messages:,} messages, {self.runners} runners, {self.kills} of them killed, "
            f"{self.restarts} kills of the database: "
            f"{self.lost} lost, {self.doubled} doubled, {self.lies} lies, {self.tracebacks} tracebacks, "
            f"{self.doubted} in doubt in {self.seconds:.0f} s "
            f"({self.workers} runners that ended had a share of the work)"
        )


class Unsteady(Service):
    """Accepts what is new, and loses some answers, before it was at work or after."""

    def __init__(self, random: Random) -> None:
        super().__init__(latency_s=0.002)
        self._random = random

    def __call__(self, peer: Peer) -> None:
        while raw := peer.read_request():
            if raw.startswith(b"GET "):
                peer.write(self.log.answer(raw))
            else:
                self._answer(peer, raw)

    def _answer(self, peer: Peer, raw: bytes) -> None:
        call = read_call(raw)
        with self._lock:
            fate = self._random.random()
            self.calls.append(call)
        if fate < 0.03:
            peer.reset()
        elif fate < 0.06:
            peer.write(http(503, {"error": "try again"}))
        elif fate < 0.09:
            self.act(call)
            peer.reset()
        else:
            peer.write(self.act(call))


class Storm:
    """The runners of one storm, and those who kill them."""

    def __init__(
        self, folder: Path, programs: Path, *, messages: int, runners: int, seed: int, batch_size: int = 5
    ) -> None:
        self.figures = Figures(messages=messages)
        self._folder = folder
        self._programs = programs
        self._messages = messages
        self._runners = runners
        self._batch_size = batch_size
        self._random = Random(seed)
        self._said_doubt = False
        self._running: list[subprocess.Popen[str]] = []

    def rage(self, *, kills: int, restarts: int) -> Figures:
        """Publish everything, while so many runners are killed, and the database so many times."""
        began_s = time.monotonic()
        service = Unsteady(Random(self._random.random()))
        # what is killed has to have been durable
        with (
            PostgresServer(self._programs, fsync="on", full_page_writes="on") as database,
            serve(service) as server,
        ):
            self._url, self._address = server.url, database.create_database()
            self._rage(service, database, kills=kills, restarts=restarts)
            self.figures.seconds = time.monotonic() - began_s
            self._judge(service)
        return self.figures

    def _rage(self, service: Service, database: PostgresServer, *, kills: int, restarts: int) -> None:
        """Kill at moments that are spread over the work, and let the last runners finish it."""
        moments = [(self._random.uniform(0.02, 0.9), "runner") for _ in range(kills)]
        moments += [(self._random.uniform(0.1, 0.8), "database") for _ in range(restarts)]
        for share, victim in sorted(moments):
            self._await(service, share)
            if victim == "database":
                database.kill()
                time.sleep(self._random.uniform(0, 0.5))
                database.start()
                self.figures.restarts += 1
            else:
                self._kill_one()
        while self._running:
            self._sweep()
            time.sleep(0.05)

    def _await(self, service: Service, share: float) -> None:
        """Keep the runners going until so much is accepted."""
        while len(service.order) < share * self._messages:
            self._sweep()
            while len(self._running) < self._runners:
                self._running.append(self._start())
            time.sleep(0.005)

    def _start(self) -> subprocess.Popen[str]:
        self.figures.runners += 1
        folder = self._folder / str(self.figures.runners)
        folder.mkdir()
        words = [folder, self._url, self._address, f"run{self.figures.runners}", self._messages]
        words += [self._batch_size, 4, LEASE_S, "-", "rows"]
        with (folder / "stderr").open("w") as said:
            return subprocess.Popen(
                [sys.executable, RUNNER, *map(str, words)], stdout=subprocess.PIPE, stderr=said, text=True
            )

    def _kill_one(self) -> None:
        if self._running:
            victim = self._running.pop(self._random.randrange(len(self._running)))
            victim.kill()
            victim.communicate(timeout=30)
            self.figures.kills += 1

    def _sweep(self) -> None:
        """Take in the runners that have ended."""
        for process in [one for one in self._running if one.poll() is not None]:
            self._running.remove(process)
            said, _ = process.communicate(timeout=30)
            self.figures.exits[process.returncode] += 1
            if process.returncode == 0:
                states = json.loads(said)["states"]
                self.figures.workers += states.get("published", 0) > 0
                self._said_doubt = self._said_doubt or "in_doubt" in states

    def _judge(self, service: Service) -> None:
        """Hold what the server has accepted against the ledger."""
        stage = Stage(self._folder, self._url, address=self._address)
        with closing(stage.open_ledger()) as ledger:
            known = {one.target.rpartition("/")[2]: one for one in ledger.messages()}
        ids = {name: f"msg_{number}" for number, name in enumerate(service.order, start=1)}
        errors = [path.read_text() for path in self._folder.glob("*/stderr")]
        self.figures.tracebacks = sum("Traceback" in said for said in errors)
        self.figures.doubled = sum(number > 1 for number in service.accepted.values())
        for name in names(self._messages):
            record = known.get(name)
            if record is None:
                self.figures.lost += 1
            elif record.state == "in_doubt" and self._said_doubt:
                self.figures.doubted += 1
            elif record.state not in _ends(record) or record.message_ids != (ids.get(name),):
                self.figures.lies += 1
            else:
                continue
            self.figures.details.append(f"{name} was accepted as {ids.get(name)}: {record}")


def _ends(record: Record) -> tuple[str, ...]:
    """Name the states that are true of a message that was accepted: whose an id of the user's is, nobody can tell."""
    return ("published",) if record.dedup_id == record.id else ("published", "deduplicated")


def main(
    messages: str = "10000", runners: str = "10", kills: str = "60", restarts: str = "5", seed: str = "1"
) -> None:
    programs = find_programs()
    assert programs is not None, "there is no PostgreSQL"
    with tempfile.TemporaryDirectory() as folder:
        storm = Storm(
            Path(folder),
            programs,
            messages=int(messages),
            runners=int(runners),
            seed=int(seed),
            batch_size=20,
        )
        figures = storm.rage(kills=int(kills), restarts=int(restarts))
    sys.stdout.write("\n".join((*figures.details, str(figures), f"exits {dict(figures.exits)}", "")))
    sys.exit(1 if figures.lost or figures.doubled or figures.lies or figures.tracebacks else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
