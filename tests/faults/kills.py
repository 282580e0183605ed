"""A process that kills itself at a seam, at each of them in turn -> what its successors made of it."""

from collections.abc import Iterator
from pathlib import Path

from faults.trial import Findings, Launcher, trial

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


def fail_at(folder: Path, launcher: Launcher, words: tuple[str, ...], fail: tuple[int, int, str]) -> Findings:
    """Let statements of the ledger fail, and finish with a run whose disk is whole again."""
    with trial(folder, launcher, NAMES) as victim:
        life = victim.live(*words, fail=list(fail))
        if life.code not in (0, 6):
            victim.findings.faults.append(f"exit {life.code} for {fail}: {life.said}")
        told = {id_ for line in life.printed for id_ in line["message_ids"]}
        known = {id_ for record in victim.records().values() for id_ in record.message_ids}
        unsaid = [
            one.message_id
            for one in victim.service.accepted
            if one.message_id not in told | known and one.message_id not in life.said
        ]
        if unsaid:
            victim.findings.lies.append(f"{unsaid} were taken, and nobody was told ({fail}): {life.said}")
        last = victim.live(*words)
        if last.code != 0:
            victim.findings.lost.append(f"exit {last.code} after {fail}: {last.said}")
        return victim.findings
