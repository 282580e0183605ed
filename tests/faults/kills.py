"""A process that kills itself at a seam, at each of them in turn -> what its successors made of it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from faults.judge import Findings
from faults.lives import Launcher, Life
from faults.trial import Trial, trial

NAMES = [f"m{number:02}" for number in range(6)]

WAYS = {"one by one": ("--batch-size", "1", "--concurrency", "2"), "in batches": ("--batch-size", "3")}


def find_seams(folder: Path, launcher: Launcher, words: tuple[str, ...]) -> dict[str, int]:
    """Count how often each seam is crossed where all goes well."""
    with trial(folder, launcher, NAMES) as quiet:
        life = quiet.live(*words)
        assert life.code == 0
        return life.crossings


def choose(crossings: dict[str, int], *, every: int) -> Iterator[tuple[str, int]]:
    """Choose where to kill: at each seam the first time and the last, and every so-manieth time between."""
    for seam, number in sorted(crossings.items()):
        yield from ((seam, time) for time in sorted({1, number, *range(1, number + 1, every)}))


def kill_at(folder: Path, launcher: Launcher, words: tuple[str, ...], seam: str, time: int) -> Findings:
    """Let a run kill itself there, and finish it with another."""
    with trial(folder, launcher, NAMES) as victim:
        life = victim.live(*words, kill=[seam, time])
        # how often a seam of the network is crossed is not the same each time
        if not life.was_killed and life.code != 0:
            victim.findings.faults.append(f"was to be killed, and ended with {life.code}: {life.said}")
        last = victim.live(*words)
        if last.code != 0 or sorted(victim.service.acceptances) != NAMES:
            victim.findings.lost.append(f"exit {last.code} after a kill {seam}, {time}: {last.said}")
        return victim.findings


def break_disk(folder: Path, launcher: Launcher, words: tuple[str, ...], **how: Any) -> Findings:
    """Let the ledger's disk break in a first run, and finish with another whose disk is whole again."""
    with trial(folder, launcher, NAMES) as victim:
        check_broken(victim, victim.live(*words, **how), how)
        last = victim.live(*words)
        if last.code != 0:
            victim.findings.lost.append(f"exit {last.code} after {how}: {last.said}")
        return victim.findings


def fill_disk(folder: Path, launcher: Launcher, words: tuple[str, ...], *, size_bytes: int) -> Findings:
    """Put the ledger on a file system of that size, and make room before the second run; only root can."""
    state = folder / "state"
    state.mkdir(parents=True)
    _mount("-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(state))
    try:
        with trial(folder, launcher, NAMES) as victim:
            check_broken(victim, victim.live(*words), size_bytes)
            _mount("-o", "remount,size=64m", str(state))
            last = victim.live(*words)
            if last.code != 0:
                victim.findings.lost.append(f"exit {last.code} after {size_bytes} bytes: {last.said}")
            return victim.findings
    finally:
        subprocess.run(["umount", str(state)], check=True, capture_output=True, timeout=30)


def can_mount(folder: Path) -> bool:
    """Say whether this user may mount a file system of its own."""
    try:
        _mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder))
    except (OSError, subprocess.CalledProcessError):
        return False
    subprocess.run(["umount", str(folder)], check=True, capture_output=True, timeout=30)
    return True


def check_broken(victim: Trial, life: Life, how: object) -> None:
    """A run whose disk breaks ends in 6, and what it cannot write down it says."""
    if life.code not in (0, 6):
        victim.findings.faults.append(f"exit {life.code} for {how}: {life.said}")
    told = {id_ for line in life.printed for id_ in line["message_ids"]}
    known = {id_ for record in victim.records().values() for id_ in record.message_ids}
    unsaid = [
        one.message_id
        for one in victim.service.accepted
        if one.message_id not in told | known and one.message_id not in life.said
    ]
    if unsaid:
        victim.findings.lies.append(f"{unsaid} were taken, and nobody was told ({how}): {life.said}")


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True, timeout=30)
