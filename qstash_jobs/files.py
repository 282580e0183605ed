"""Paths -> job files and data files: found, opened without ever waiting, and kept inside their project."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from qstash_jobs.errors import UsageError

JOB_SUFFIXES = (".yaml", ".yml")
PROJECT_FILE = "qstash-jobs.yaml"
DOCUMENT_BYTES = 16 * 1024 * 1024
BODY_BYTES = 50 * 1024 * 1024
"""The largest message of any plan (upstash.com/pricing/qstash)."""
BLOCK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPath:
    """A file that was found, and the project it belongs to."""

    path: Path
    """Absolute, links followed: however a file was reached, its jobs have one name."""
    shown: str
    """Relative to the working directory where it lies below, for people."""
    root: Path
    """The project: names of jobs are relative to it, and files that a job names lie in it."""
    named: bool
    """It was given itself, not found in a folder."""

    @property
    def name(self) -> str:
        """The path without suffix, relative to the project: what names of jobs begin with."""
        return self.path.relative_to(self.root).with_suffix("").as_posix()


def find_job_files(paths: list[str], *, here: Path) -> list[JobPath]:
    """Find the job files under some paths, sorted; UsageError for a path that isn't there or holds none."""
    found: dict[Path, JobPath] = {}
    for text in paths:
        given = here / text
        if given.is_dir():
            files = sorted(_walk(given))
            if not files:
                raise UsageError(f"no job files in {text}: nothing there ends in .yaml or .yml")
        elif given.exists():
            files = [given]
        else:
            raise UsageError(f"there is no file or folder {text}")
        for file in files:
            absolute = file.resolve()
            root = find_root(absolute, given=given if given.is_dir() else given.parent)
            found.setdefault(
                absolute,
                JobPath(path=absolute, shown=show(absolute, here), root=root, named=not given.is_dir()),
            )
    return sorted(found.values(), key=lambda job_path: job_path.path.parts)


def _walk(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            if name.endswith(JOB_SUFFIXES) and not name.startswith(".") and name != PROJECT_FILE:
                yield Path(place) / name


def find_root(file: Path, *, given: Path) -> Path:
    """Find a job file's project: the folder of the project file, else the git work tree's top, else what was given."""
    for folder in file.parents:
        if (folder / PROJECT_FILE).is_file():
            return folder
    for folder in file.parents:
        if (folder / ".git").exists():
            return folder
    return given.resolve()


def show(path: Path, here: Path) -> str:
    """Write a path for people: relative to the working directory where it lies below it."""
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def read_document(path: Path) -> bytes:
    """Read a job file whole; UsageError where it is no regular file or too large."""
    return _read(path, most=DOCUMENT_BYTES + 1)


def read_body(path: Path, *, root: Path) -> bytes:
    """Read a file that becomes a body: inside the project, regular, of a message's size at most."""
    content = _read(inside(path, root), most=BODY_BYTES + 1)
    if len(content) > BODY_BYTES:
        raise UsageError(f"{path.name} is over {BODY_BYTES // 1024**2} MiB, more than any QStash plan takes")
    return content


def inside(path: Path, root: Path) -> Path:
    """Resolve a path, links and all; UsageError where it leads out of the project."""
    real = path.resolve()
    if not real.is_relative_to(root.resolve()):
        raise UsageError(f"{path.name} lies outside the project {root}")
    return real


def _open(path: Path) -> int:
    """Open for reading without ever waiting: a FIFO would block for good."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise UsageError(f"{path} is not a regular file")
    return handle


def _read(path: Path, *, most: int) -> bytes:
    with open(_open(path), "rb") as file:
        try:
            return file.read(most)
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from error


class ChangedError(UsageError):
    """a file changed while it was being read"""


class Reading:
    """A data file that is read twice, block by block: the second time has to meet what the first one saw."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._digests: list[bytes] = []
        self._complete = False

    def blocks(self) -> Iterator[bytes]:
        """Yield the file's bytes; ChangedError at the first block that is not as it was."""
        with open(_open(self._path), "rb") as file:
            number = 0
            while block := file.read(BLOCK_BYTES):
                self._check(number, block)
                yield block
                number += 1
        if self._complete and number != len(self._digests):
            raise ChangedError(f"{self._path} changed while it was being published from; run it again")
        self._complete = True

    def _check(self, number: int, block: bytes) -> None:
        digest = blake2b(block, digest_size=8).digest()
        if not self._complete:
            self._digests.append(digest)
        elif number >= len(self._digests) or self._digests[number] != digest:
            raise ChangedError(f"{self._path} changed while it was being published from; run it again")
