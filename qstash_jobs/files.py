"""Paths -> job files and data files: found, opened without ever waiting, and kept inside their project."""

import os
import stat
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path, PurePath
from typing import BinaryIO

from qstash_jobs.errors import UsageError
from qstash_jobs.value import dataclass

JOB_SUFFIXES = (".yaml", ".yml")
PROJECT_FILE = "qstash-jobs.yaml"
DOCUMENT_BYTES = 16 * 1024 * 1024
BODY_BYTES = 50 * 1024 * 1024
"""The largest message of any plan (upstash.com/pricing/qstash)."""
BLOCK_BYTES = 64 * 1024


class FileError(UsageError):
    """a file cannot be read"""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPath:
    """A file that was found, and the project it belongs to."""

    path: str
    """Absolute, links followed: however a file was reached, its jobs have one name."""
    shown: str
    """Relative to the working directory where it lies below, for people."""
    root: Path
    """The project: names of jobs are relative to it, and files that a job names lie in it."""
    name: str
    """The path without suffix, relative to the project: what names of jobs begin with."""
    named: bool
    """It was given itself, not found in a folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Folder:
    """What the files of a folder have in common."""

    root: Path
    shown: str
    """What is shown before a file's own name."""
    name: str
    """What stands before a file's stem in the names of its jobs."""


def find_job_files(paths: list[str], *, here: Path) -> list[JobPath]:
    """Find the job files under some paths, sorted; UsageError for a path that isn't there or holds none."""
    found: dict[str, JobPath] = {}
    for text in paths:
        given = here / text
        in_folder = _is_folder(given, text)
        folders: dict[str, _Folder] = {}
        for path in _find_below(given, text, here) if in_folder else [os.path.realpath(given)]:
            place, _, file = path.rpartition("/")
            if place not in folders:
                folders[place] = _look_at(Path(place or "/"), given if in_folder else given.parent, here)
            folder = folders[place]
            job_path = JobPath(
                path=path,
                shown=folder.shown + file,
                root=folder.root,
                name=folder.name + PurePath(file).stem,
                named=not in_folder,
            )
            found.setdefault(path, job_path)
    _refuse_equal_names(found.values())
    return sorted(found.values(), key=lambda job_path: job_path.path.split("/"))


def list_job_files(folder: Path, *, here: Path) -> list[JobPath]:
    """Find the job files below a folder, of which there may be none."""
    text = str(folder)
    return find_job_files([text], here=here) if any(_walk(os.path.realpath(folder), here)) else []


def _look_at(folder: Path, given: Path, here: Path) -> _Folder:
    root = find_root(folder, given=given)
    return _Folder(
        root=root, shown=_begin(show(folder, here)), name=_begin(folder.relative_to(root).as_posix())
    )


def _begin(folder: str) -> str:
    return "" if folder == "." else folder.rstrip("/") + "/"


def _is_folder(given: Path, text: str) -> bool:
    if not text:
        raise FileError("a PATH is empty; write . for the working directory")
    if given.name == PROJECT_FILE:
        raise FileError(f"{text} is the project file; name a job file, or the folder of them")
    try:
        return stat.S_ISDIR(given.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError) as error:
        if given.is_symlink():
            raise FileError(f"{text} is a link that leads nowhere") from error
        raise FileError(f"there is no file or folder {text}") from error
    except (OSError, ValueError) as error:
        raise _unreadable(text, error) from error


def _find_below(folder: Path, text: str, here: Path) -> list[str]:
    files = list(_walk(os.path.realpath(folder), here))
    if not files:
        raise FileError(f"no job files in {text}: nothing there ends in {' or '.join(JOB_SUFFIXES)}")
    return files


def _walk(folder: str, here: Path) -> Iterator[str]:
    """Find the job files below a folder; a link to another folder is not followed."""
    try:
        with os.scandir(folder) as entries:
            visible = sorted(
                (entry.name, entry.path, entry.is_symlink(), entry.is_dir(follow_symlinks=False))
                for entry in entries
                if not entry.name.startswith(".")
            )
    except OSError as error:
        # the jobs in it would be left out and nobody told
        raise _unreadable(show(Path(folder), here), error) from error
    for name, path, is_link, is_folder in visible:
        if is_folder:
            yield from _walk(path, here)
        elif name.endswith(JOB_SUFFIXES) and name != PROJECT_FILE:
            if not is_link:
                yield path
            elif not Path(path).is_dir():
                yield _follow(path, here)


def _follow(link: str, here: Path) -> str:
    """Give what a link leads to, so that however a file is reached it has one name."""
    path = os.path.realpath(link)
    if not os.path.lexists(path):
        raise FileError(f"{show(Path(link), here)} is a link that leads nowhere")
    return path


def _refuse_equal_names(found: Iterable[JobPath]) -> None:
    names: dict[tuple[Path, str], JobPath] = {}
    for job_path in found:
        first = names.setdefault((job_path.root, job_path.name), job_path)
        if first is not job_path:
            raise FileError(
                f"{first.shown} and {job_path.shown} would give their jobs the same names; rename one of them"
            )


def find_root(folder: Path, *, given: Path) -> Path:
    """Find a folder's project: that of the project file, else the git work tree's top, else what was given."""
    for mark in (PROJECT_FILE, ".git"):
        for one in (folder, *folder.parents):
            # whatever it is: a project file that cannot be read must not turn the jobs into those of another project
            if os.path.lexists(one / mark):
                return one
    root = given.resolve()
    return root if folder.is_relative_to(root) else folder


def show(path: Path, here: Path) -> str:
    """Write a path for people: relative to the working directory where it lies below it."""
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def read_document(path: Path | str, *, shown: str) -> bytes:
    """Read a document whole, or as much as shows that it is too large; FileError where it is no regular file."""
    return _read(path, shown, most=DOCUMENT_BYTES + 1)


def read_body(path: Path, *, root: Path, shown: str) -> bytes:
    """Read a file that becomes a body: inside the project, regular, of a message's size at most."""
    content = _read(inside(path, root, shown=shown), shown, most=BODY_BYTES + 1)
    if len(content) > BODY_BYTES:
        raise FileError(f"{shown} is over {BODY_BYTES // 1024**2} MiB, more than any QStash plan takes")
    return content


def inside(path: Path, root: Path, *, shown: str) -> Path:
    """Resolve a path, links and all; FileError where it leads out of the project."""
    try:
        real = path.resolve()
    # RuntimeError: links that lead in a circle, before Python 3.13
    except (OSError, ValueError, RuntimeError) as error:
        raise _unreadable(shown, error) from error
    if not real.is_relative_to(root.resolve()):
        raise FileError(f"{shown} lies outside the project, which is the folder {root}")
    return real


def _open(path: Path | str, shown: str) -> int:
    """Open for reading without ever waiting: a FIFO would block for good."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except (OSError, ValueError) as error:
        raise _unreadable(shown, error) from error
    kind = os.fstat(handle).st_mode
    if stat.S_ISREG(kind):
        return handle
    os.close(handle)
    if stat.S_ISDIR(kind):
        raise FileError(f"{shown} is a folder, not a file")
    raise FileError(f"{shown} is a pipe, a device or a socket, not a file")


def _read(path: Path | str, shown: str, *, most: int) -> bytes:
    with open(_open(path, shown), "rb", buffering=0) as file:
        try:
            # room for as much as is allowed would be taken first: sixteen megabytes for a few hundred bytes
            return file.read(most) if os.fstat(file.fileno()).st_size >= most else file.readall()[:most]
        except OSError as error:
            raise _unreadable(shown, error) from error


def _unreadable(shown: str, error: Exception) -> FileError:
    match error:
        case OSError(strerror=str(reason)):
            return FileError(f"{shown} cannot be read: {reason.lower()}")
        case RuntimeError():
            return FileError(f"{shown} cannot be read: its links lead in a circle")
        case _:
            return FileError(f"{shown!r} cannot be the name of a file")


class ChangedError(FileError):
    """a file changed while it was being read"""


class Reading:
    """A data file that is read twice, block by block: the second time has to meet what the first one saw."""

    def __init__(self, path: Path, *, shown: str) -> None:
        self._path = path
        self._shown = shown
        self._digests: list[bytes] = []
        self._complete = False

    def blocks(self) -> Iterator[bytes]:
        """Yield the file's bytes; ChangedError at the first block that is not as it was."""
        with open(_open(self._path, self._shown), "rb") as file:
            number = 0
            while block := self._read_block(file):
                self._check(number, block)
                yield block
                number += 1
        if self._complete and number != len(self._digests):
            raise self._changed()
        self._complete = True

    def _read_block(self, file: BinaryIO) -> bytes:
        try:
            return file.read(BLOCK_BYTES)
        except OSError as error:
            raise _unreadable(self._shown, error) from error

    def _check(self, number: int, block: bytes) -> None:
        digest = blake2b(block, digest_size=8).digest()
        if not self._complete:
            self._digests.append(digest)
        elif number >= len(self._digests) or self._digests[number] != digest:
            raise self._changed()

    def _changed(self) -> ChangedError:
        return ChangedError(f"{self._shown} changed while it was being published from; run it again")
