"""Chaotic answers, kills, clocks that jump and machines that are started anew -> what a run key came to in the end."""

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from faults.judge import Findings
from faults.lives import Launcher
from faults.trial import Trial, trial

SHARE = 0.34
"""Of the answers that are chaos."""

STRETCH = 10
"""Messages that follow each other and go the same way."""

SEAMS = (
    "before a statement",
    "after a statement",
    "before ledger.write",
    "after ledger.write",
    "before the first byte",
    "before line.offer",
    "after line.offer",
    "before line.proceed",
    "before results.tell",
    "after results.tell",
)
WRONG_S = (0.0, -3600.0, -100.0, -20.0, 20.0, 100.0, 3600.0)
"""How far a runner's wall clock is set wrong."""


@dataclass(kw_only=True)
class Figures:
    """What storms came to."""

    publications: int = 0
    requests: int = 0
    chaotic: int = 0
    kills: int = 0
    runs: int = 0
    doubted: int = 0
    """Still in doubt at the end, and said so."""
    findings: Findings = field(default_factory=Findings)
    fates: Counter[str] = field(default_factory=Counter)
    endings: Counter[int] = field(default_factory=Counter)

    def add(self, other: "Figures") -> None:
        for name in ("publications", "requests", "chaotic", "kills", "runs", "doubted"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.findings.add(other.findings)
        self.fates += other.fates
        self.endings += other.endings


def rage(folder: Path, launcher: Launcher, *, seed: int, messages: int, kills: int) -> Figures:
    """Publish so many messages of one run key, while the runs are killed so many times."""
    random = Random(seed)
    names = [f"m{number:05}" for number in range(messages)]
    ways = [random.choices(["mail", "group", "queued"], [6, 2, 2])[0] for _ in range(messages // STRETCH + 1)]
    by_way = {
        way: [name for place, name in enumerate(names) if ways[place // STRETCH] == way]
        for way in ("group", "queued")
    }
    with trial(
        folder,
        launcher,
        names,
        groups=by_way["group"],
        queued=by_way["queued"],
        seed=seed,
        share=SHARE,
        elsewhere=random.sample(names, messages // 100),
        refuses=by_way["group"][::10],
        lag_s=random.uniform(0, 90),
        waits_s=random.uniform(0, 600),
    ) as storm:
        killed = _kill_on(storm, random, kills)
        storm.shared.set_wrong(0)
        # what waits for the log's second answer is settled by a run some minutes later
        storm.finish("--batch-size", "5", lives=200)
        storm.shared.advance(900)
        last = storm.finish("--batch-size", "5", lives=50)
        return _sum_up(storm, last.code, killed)


def _kill_on(storm: Trial, random: Random, kills: int) -> int:
    """Let runs be killed so many times, at moments that are spread over the work; count those that were."""
    killed = 0
    while killed < kills:
        _disturb(storm, random)
        left = max(0.002, 1 - len(storm.service.acceptances) / len(storm.names))
        most = max(2, round(1.6 * left * len(storm.names) / (kills - killed + 1)))
        size = random.choice([1, 1, 3, 8])
        words = ("--batch-size", str(size), "--concurrency", str(random.choice([1, 2, 4, 8])))
        life = storm.live(*words, **_choose_end(random, max(1, most // size)))
        killed += life.was_killed
        if life.code == 0:
            break
    return killed


def _choose_end(random: Random, most: int) -> dict[str, Any]:
    """Choose where a run is killed, when it has sent so many requests at most.

    That is a counted point, at the server or in the run itself, so that it comes on every machine; or soon after one.
    """
    if random.random() < 0.4:
        return {"kill": [random.choice(SEAMS), random.randrange(1, 2 + most)]}
    later_s = random.choice([0.0, 0.0, random.uniform(0, 0.02)])
    return {"kill_after": (random.randrange(0, 1 + 2 * most), later_s)}


def _disturb(storm: Trial, random: Random) -> None:
    """Let time pass between two lives, now and then; or set the clock wrong, also in the middle of the next; or start
    the machine anew."""
    chance = random.random()
    if chance < 0.10:
        storm.shared.advance(random.uniform(0, 200))
    elif chance < 0.104:
        storm.shared.advance(random.uniform(500, 900))
    elif chance < 0.20:
        storm.shared.restart_machine()
    elif chance < 0.25:
        storm.shared.set_wrong(random.choice(WRONG_S))
    elif chance < 0.35:
        # forward or back while it sends, and right again; its boot time goes on all the while
        first = storm.service.events + random.randrange(1, 20)
        storm.service.call_at(first, partial(storm.shared.set_wrong, random.choice(WRONG_S)))
        storm.service.call_at(first + random.randrange(1, 20), partial(storm.shared.set_wrong, 0.0))


def _sum_up(storm: Trial, last_code: int, killed: int) -> Figures:
    service, doubted = storm.service, storm.in_doubt
    if bool(doubted) != (last_code == 3):
        storm.findings.lies.append(f"exit {last_code}, and {len(doubted)} are in doubt")
    storm.settle()
    settled = storm.finish("--batch-size", "5", lives=200)
    # the log may take longer to list what another machine published than it is waited for: exit 1, and said so
    foreign = {name for name, record in storm.records().items() if record.is_foreign}
    if settled.code != bool(foreign) or storm.in_doubt or not foreign <= set(service.traits.elsewhere):
        storm.findings.lost.append(f"exit {settled.code} when all was settled: {settled.said[-500:]}")
    storm.findings.lost += [
        f"{name} was never accepted" for name in storm.names if not service.acceptances.get(name)
    ]
    return Figures(
        publications=len(service.acceptances),
        requests=service.requests,
        chaotic=sum(service.fates.values()),
        kills=killed,
        runs=len(storm.lives),
        doubted=len(doubted),
        findings=storm.findings,
        fates=service.fates,
        endings=Counter(life.code for life in storm.lives),
    )
