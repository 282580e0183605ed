"""What a run did to its ledger's files -> what these may be after a power loss at any moment, and what is in them.

What was not synced may be there or not, in parts of any size and any order; or up to any byte, with nothing, zeros or
noise behind it. A name is there for sure once its folder was synced, and names come in their order. Whatever was about
to be sent before the loss has to stand in the ledger.
"""

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from faults.chaos_qstash import read_names
from faults.fate import Fate
from faults.fates import WELL, cuts, drops
from faults.judge import MAY_HAVE_ARRIVED
from faults.lives import Launcher
from faults.trial import trial

from qstash_jobs.errors import LedgerError
from qstash_jobs.ledger.sqlite import open_sqlite

SOURCE = Path(__file__).with_name("record_writes.c")
GRAINS = (1, 7, 64, 512, 4096)
"""Bytes that are written as a whole or not at all: a disk's sector, a page, and less than either."""

MOST_PARTS = 4096


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that the process did; what its fields mean stands in `record_writes.c`."""

    kind: str
    inode: int = 0
    offset: int = 0
    data: bytes = b""

    @property
    def paths(self) -> list[str]:
        return self.data.decode().split("\n")


def read_journal(journal: bytes) -> Iterator[Step]:
    """Read what `record_writes.c` and `program.py` have written down."""
    at = 0

    def number(size: int) -> int:
        nonlocal at
        at += size
        return int.from_bytes(journal[at - size : at], "little")

    def rest() -> bytes:
        nonlocal at
        size = number(4)
        at += size
        return journal[at - size : at]

    while at < len(journal):
        kind = chr(number(1))
        inode = number(8) if kind in "WTFN" else 0
        offset = number(8) if kind in "WT" else 0
        yield Step(kind=kind, inode=inode, offset=offset, data=rest() if kind in "WNRUS" else b"")


@dataclass
class Disk:
    """The files as they surely are, and what may have reached them besides."""

    files: dict[int, bytearray] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    pending: dict[int, list[Step]] = field(default_factory=dict)
    pending_names: list[Step] = field(default_factory=list)

    def take(self, step: Step) -> None:
        match step.kind:
            case "W" | "T":
                self.pending.setdefault(step.inode, []).append(step)
            case "N" | "R" | "U":
                self.pending_names.append(step)
            case "F":
                for one in self.pending.pop(step.inode, ()):
                    _apply(self.files.setdefault(step.inode, bytearray()), one)
                if step.inode not in self.inodes:  # a folder
                    _rename(self.names, self.pending_names)
                    self.pending_names = []

    @property
    def inodes(self) -> set[int]:
        created = {step.inode for step in self.pending_names if step.kind == "N"}
        return {*self.names.values(), *created}

    def images(self, random: Random, number: int) -> Iterator[dict[str, bytes]]:
        """What may be there after a loss now: nothing of what was not synced, all of it, parts, and torn tails."""
        yield self._image(0, {})
        yield self._image(len(self.pending_names), self.pending)
        for _ in range(number if self.pending or self.pending_names else 0):
            names = random.randint(0, len(self.pending_names))
            yield self._image(names, {inode: _pick(steps, random) for inode, steps in self.pending.items()})
            yield self._image(names, {inode: _tear(steps, random) for inode, steps in self.pending.items()})

    def _image(self, names: int, kept: Mapping[int, Sequence[Step]]) -> dict[str, bytes]:
        """Build the files of so many names, with what was kept of the writes that were not synced."""
        files = {inode: bytearray(data) for inode, data in self.files.items()}
        for inode, steps in kept.items():
            for step in steps:
                _apply(files.setdefault(inode, bytearray()), step)
        there = dict(self.names)
        _rename(there, self.pending_names[:names])
        return {path: bytes(files.get(inode, b"")) for path, inode in there.items()}


def _apply(file: bytearray, step: Step) -> None:
    if step.kind == "T":
        del file[step.offset :]
        file.extend(bytes(step.offset - len(file)))
        return
    file.extend(bytes(max(0, step.offset - len(file))))
    file[step.offset : step.offset + len(step.data)] = step.data


def _pick(steps: Sequence[Step], random: Random) -> list[Step]:
    """Keep some of the parts that writes may fall into."""
    share, grain = random.random(), random.choice(GRAINS)
    return [part for step in steps for part in _cut(step, grain) if random.random() < share]


def _cut(step: Step, grain: int) -> Iterator[Step]:
    """Cut a write into what is written as a whole."""
    if step.kind == "T":
        yield step
        return
    grain = max(grain, len(step.data) // MOST_PARTS)
    start = 0
    while start < len(step.data):
        size = grain - (step.offset + start) % grain
        yield replace(step, offset=step.offset + start, data=step.data[start : start + size])
        start += size


def _tear(steps: Sequence[Step], random: Random) -> list[Step]:
    """Keep all up to one byte, whichever; behind it there may be nothing, zeros or noise."""
    left = random.randrange(sum(len(step.data) for step in steps) + 1)
    tail = random.choice(["nothing", "zeros", "noise"])
    kept = []
    for step in steps:
        whole, rest = step.data[:left], len(step.data) - left
        left = max(0, left - len(step.data))
        if rest <= 0:
            kept.append(step)
            continue
        if step.kind == "T" or tail == "nothing":
            return [*kept, replace(step, data=whole)] if whole else kept
        kept.append(replace(step, data=whole + (bytes(rest) if tail == "zeros" else random.randbytes(rest))))
    return kept


def _rename(names: dict[str, int], steps: Sequence[Step]) -> None:
    for step in steps:
        match step.kind:
            case "N":
                names[step.paths[0]] = step.inode
            case "R":
                if step.paths[0] in names:
                    names[step.paths[1]] = names.pop(step.paths[0])
            case "U":
                names.pop(step.paths[0], None)


@dataclass(kw_only=True)
class Losses:
    """What was found in the images."""

    images: int = 0
    unrecorded: list[str] = field(default_factory=list)
    """Sent before the loss, and not in the ledger after it."""
    unreadable: list[str] = field(default_factory=list)


def build_recorder(folder: Path) -> Path | None:
    """Compile what records writes; None where there is no compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    built = folder / "record_writes.so"
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(built), str(SOURCE), "-ldl", "-lpthread"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return built


def lose_power(folder: Path, recorder: Path, *, messages: int, parts: int, seed: int = 0) -> Losses:
    """Publish with all writes recorded, in lives that are killed too; then look into every image."""
    journal, state = folder / "journal", folder / "trial" / "state"
    launcher = Launcher(
        preload=recorder, environment={"RECORD_JOURNAL": str(journal), "RECORD_FOLDER": str(state)}
    )
    names = [f"m{number:03}" for number in range(messages)]
    with closing(launcher), trial(folder / "trial", launcher, names) as recorded:
        recorded.service.plan += _doubts(Random(seed), 10 * messages)
        how = {"journal": str(journal), "checkpoint_pages": 12}
        recorded.live("--batch-size", "1", "--concurrency", "2", kill_after=(messages, 0), **how)
        recorded.live("--batch-size", "3", kill=["before ledger.end_run", 1], **how)
        recorded.live("--batch-size", "2", **how)
        assert not recorded.findings, list(recorded.findings)
        assert len(recorded.service.acceptances) > messages / 2
    return look_into(list(read_journal(journal.read_bytes())), folder, parts=parts, seed=seed)


def _doubts(random: Random, number: int) -> list[Fate]:
    """Choose what becomes of requests: never a refusal, after which nothing of what was sent has to be known."""
    chances = [
        WELL,
        WELL,
        WELL,
        cuts(0.5, reset=True),
        drops(takes=True, reset=True),
        drops(takes=False, reset=False),
    ]
    return random.choices(chances, k=number)


def look_into(steps: Sequence[Step], folder: Path, *, parts: int, seed: int) -> Losses:
    """Build the images after each step, and open each ledger as a run would."""
    random, disk, losses = Random(seed), Disk(), Losses()
    sent: set[str] = set()
    seen: set[int] = set()
    for number, step in enumerate(steps):
        disk.take(step)
        if step.kind == "S":
            target, _, body = step.data.partition(b"\n")
            sent.update(read_names(target.decode(), body))
        for image in disk.images(random, parts):
            # what was looked into before, with as much sent, needs no second look
            mark = hash((len(sent), *sorted(image.items())))
            if mark in seen:
                continue
            seen.add(mark)
            losses.images += 1
            _look_into(image, folder / "image", sent, f"after step {number} of {len(steps)}", losses)
    assert sent, "nothing was sent, so that nothing was tried"
    return losses


def _look_into(image: dict[str, bytes], folder: Path, sent: set[str], when: str, losses: Losses) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path, data in image.items():
        name = path.rpartition("/")[2]
        if name.startswith("ledger.db") and not name.endswith("-shm"):
            (folder / name).write_bytes(data)
    ledger = folder / "ledger.db"
    if not ledger.exists():
        losses.unrecorded += [f"{when}: there is no ledger, and {len(sent)} were sent"] if sent else []
        return
    try:
        with closing(open_sqlite(ledger)) as opened:
            faults = opened.check()
            known = {one.target.rpartition("/")[2]: one.state for one in opened.messages()}
    except LedgerError as error:
        losses.unreadable.append(f"{when}: {error}")
        return
    losses.unreadable += [f"{when}: {fault}" for fault in faults]
    missing = [name for name in sorted(sent) if known.get(name) not in MAY_HAVE_ARRIVED]
    losses.unrecorded += [f"{when}: {name} is {known.get(name, 'unknown')}" for name in missing]
