"""The long form of the fault tests: every figure that the promise is held to, as a table; `nox -s storm` runs it.

usage: python tests/faults/storm.py [PART ...]

Ends with 1 where a figure is missed, and says which. Parts: storm, kills, cuts, power, mutants, postgres, deadline,
memory.
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from time import monotonic

sys.path.insert(0, str(Path(__file__).parent.parent))

from faults import mutants, postgres_storm
from faults.answers import answer_statuses, cut_answers, cut_requests, measure_deadlines, measure_memory
from faults.figures import Measured, count_broken, find_missed, write_table
from faults.judge import Findings
from faults.kills import WAYS, break_disk, can_mount, choose, fill_disk, find_seams, kill_at
from faults.lives import Launcher
from faults.power_loss import build_recorder, lose_power
from faults.storms import Figures, rage
from postgres_server import find_programs

SEEDS = 10
PUBLICATIONS = 1_030
KILLS = 52
"""Of each seed."""

MB_A_MIB = 1.048576


def storm(folder: Path, launcher: Launcher) -> Measured:
    figures = Figures()
    for seed in range(SEEDS):
        where = folder / str(seed)
        figures.add(rage(where, launcher, seed=seed, messages=PUBLICATIONS, kills=KILLS))
    show(figures.findings)
    return {
        ("storm", "seeds"): SEEDS,
        ("storm", "publications"): figures.publications,
        ("storm", "SIGKILLs"): figures.kills,
        ("storm", "chaotic answers"): 100 * figures.chaotic / max(1, figures.requests),
        ("storm", "in doubt at the end"): 100 * figures.doubted / (SEEDS * PUBLICATIONS),
        **count_broken("storm", figures.findings),
    }


def kills(folder: Path, launcher: Launcher) -> Measured:
    found, number, broken = Findings(), 0, 0
    for way, words in WAYS.items():
        crossings = find_seams(folder / f"{way} quiet", launcher, words)
        for seam, time in choose(crossings, every=1):
            number += 1
            found.add(kill_at(folder / f"{number}", launcher, words, seam, time))
        for first in range(1, crossings["before a statement"] + 1):
            for times, when in ((1, "before"), (1, "after"), (10_000, "before")):
                broken += 1
                found.add(break_disk(folder / f"f{way}{broken}", launcher, words, fail=(first, times, when)))
        for size_bytes in range(100_000, 220_000, 2_000) if can_mount(folder) else ():
            broken += 1
            found.add(fill_disk(folder / f"f{way}{broken}", launcher, words, size_bytes=size_bytes))
    show(found)
    return {
        ("kills", "kills, one at every crossing of every seam"): number,
        ("kills", "disks that fail or are full"): broken,
        **count_broken("kills", found),
    }


def cuts(folder: Path, launcher: Launcher) -> Measured:
    found, number = Findings(), 0
    for size in (1, 3):
        for takes in (True, False):
            for reset in (True, False):
                where = folder / f"{size} {takes} {reset}"
                some, more = cut_answers(where, launcher, size=size, takes=takes, reset=reset)
                number += some
                found.add(more)
    for reset in (True, False):
        some, more = cut_requests(folder / f"requests {reset}", launcher, reset=reset)
        number += some
        found.add(more)
    statuses, more = answer_statuses(folder / "statuses", launcher)
    found.add(more)
    show(found)
    return {
        ("cuts", "cuts, at every byte of requests and answers"): number,
        ("cuts", "statuses"): statuses,
        **count_broken("cuts", found),
    }


def power(folder: Path, _: Launcher) -> Measured:
    recorder = build_recorder(folder)
    if recorder is None:
        return {}
    losses = lose_power(folder, recorder, messages=24, parts=6)
    show([*losses.unrecorded, *losses.unreadable])
    return {
        ("power", "images of power losses"): losses.images,
        ("power", "sent and unrecorded"): len(losses.unrecorded),
        ("power", "unreadable"): len(losses.unreadable),
    }


def hunt_mutants(_: Path, __: Launcher) -> Measured:
    caught = mutants.hunt(mutants.MUTANTS)
    every = len(mutants.MUTANTS)
    return {("mutants", "mutants"): every, ("mutants", "not caught"): every - len(caught)}


def postgres(folder: Path, _: Launcher) -> Measured:
    programs = find_programs()
    if programs is None:
        return {}
    runners = 10
    raging = postgres_storm.Storm(folder, programs, messages=10_000, runners=runners, seed=1, batch_size=20)
    figures = raging.rage(kills=60, restarts=5)
    show(figures.details)
    print(f"  {figures}, exits {dict(figures.exits)}", flush=True)
    return {
        ("postgres", "messages"): figures.messages,
        ("postgres", "runners at a time"): runners,
        ("postgres", "SIGKILLs of runners"): figures.kills,
        ("postgres", "SIGKILLs of the database"): figures.restarts,
        ("postgres", "lost"): figures.lost,
        ("postgres", "doubled"): figures.doubled,
        ("postgres", "lies"): figures.lies,
        ("postgres", "in doubt at the end"): 100 * figures.doubted / figures.messages,
        ("postgres", "tracebacks"): figures.tracebacks,
    }


def deadline(_: Path, __: Launcher) -> Measured:
    took = measure_deadlines(30.0)
    return {
        ("deadline", "slow servers"): len(took),
        ("deadline", "the shortest"): min(took.values()),
        ("deadline", "the longest"): max(took.values()),
    }


def memory(folder: Path, launcher: Launcher) -> Measured:
    peaks, found = measure_memory(folder, launcher)
    show(found)
    for name in sorted(peaks, key=lambda name: -peaks[name])[:5]:
        print(f"  {peaks[name] * MB_A_MIB:.0f} MB: {name}", flush=True)
    return {
        ("memory", "heavy answers"): len(peaks),
        ("memory", "most memory"): max(peaks.values()) * MB_A_MIB,
        ("memory", "tracebacks"): len(found.faults),
    }


def show(findings: Findings | Sequence[str]) -> None:
    """Show how the promise was not kept."""
    for finding in findings:
        print(f"  {finding[:500]}", flush=True)


PARTS: dict[str, Callable[[Path, Launcher], Measured]] = {
    "deadline": deadline,
    "memory": memory,
    "cuts": cuts,
    "kills": kills,
    "power": power,
    "mutants": hunt_mutants,
    "postgres": postgres,
    "storm": storm,
}


def main(*names: str) -> None:
    measured: Measured = {}
    chosen = {name: PARTS[name] for name in names or PARTS}
    with closing(Launcher()) as launcher:
        for name, part in chosen.items():
            began_s = monotonic()
            with tempfile.TemporaryDirectory() as folder:
                measured |= part(Path(folder), launcher)
            print(f"{name}: {monotonic() - began_s:.0f} s", flush=True)
    print("", *write_table(measured), sep="\n")
    missed = list(find_missed(measured, chosen))
    print(*(f"missed: {one}" for one in missed), sep="\n", end="\n" if missed else "")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
