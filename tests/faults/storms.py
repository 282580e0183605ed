"""Chaotic answers, kills, clocks that jump and machines that are started anew -> what a run key came to in the end."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from faults.trial import Findings, Launcher, Trial, trial

SHARE = 0.3
"""Of the answers that are chaos."""


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
    elsewhere = random.sample(names, messages // 100)
    with trial(
        folder, launcher, names, seed=seed, share=SHARE, elsewhere=elsewhere, lag_s=random.uniform(0, 90)
    ) as storm:
        killed = 0
        while killed < kills:
            _disturb(storm, random)
            share = max(0.002, 1 - len(storm.service.acceptances) / messages)
            most = max(2, round(1.6 * share * messages / (kills - killed + 1)))
            size, after = _choose(random, most)
            life = storm.live(*size, kill_after=(after, random.uniform(0, 0.02)))
            killed += life.was_killed
            if life.code == 0:
                break
        storm.shared.set_wrong(0)
        # what waits for the log's second answer is settled by a run some minutes later
        storm.finish("--batch-size", "5", lives=200)
        storm.shared.advance(900)
        last = storm.finish("--batch-size", "5", lives=50)
        return _sum_up(storm, last.code, killed)


def _choose(random: Random, most: int) -> tuple[tuple[str, ...], int]:
    """Choose how a run sends, and after how many events it is killed."""
    batch_size = random.choice([1, 1, 3, 8])
    words = ("--batch-size", str(batch_size), "--concurrency", str(random.choice([1, 2, 4, 8])))
    return words, random.randrange(0, 1 + 2 * max(1, most // batch_size))


def _disturb(storm: Trial, random: Random) -> None:
    """Let time pass between two lives, now and then; or set the clock wrong; or start the machine anew."""
    chance = random.random()
    if chance < 0.10:
        storm.shared.advance(random.uniform(0, 200))
    elif chance < 0.104:
        storm.shared.advance(random.uniform(500, 900))
    elif chance < 0.20:
        storm.shared.restart_machine()
    elif chance < 0.25:
        storm.shared.set_wrong(random.choice([0.0, -3600.0, -100.0, -20.0, 20.0, 100.0, 3600.0]))


def _sum_up(storm: Trial, last_code: int, killed: int) -> Figures:
    service, doubted = storm.service, storm.in_doubt
    if bool(doubted) != (last_code == 3):
        storm.findings.lies.append(f"exit {last_code}, and {len(doubted)} are in doubt")
    settled: dict[str, Any] = {**service.acceptances, **dict.fromkeys(doubted)}
    storm.findings.lost += [f"{name} was never accepted" for name in storm.names if name not in settled]
    return Figures(
        publications=len(service.accepted),
        requests=service.requests,
        chaotic=sum(service.fates.values()),
        kills=killed,
        runs=len(storm.lives),
        doubted=len(doubted),
        findings=storm.findings,
        fates=service.fates,
        endings=Counter(life.code for life in storm.lives),
    )
