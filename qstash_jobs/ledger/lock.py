"""Scopes -> locks that the system takes back by itself when their holder ends, however it ends.

Each scope is a file in a folder beside the ledger. It is never deleted: a deleted one could be held by one run and
made anew by another.
"""

import hashlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from qstash_jobs.errors import LedgerError, LockedError

_POLL_S = 0.1


@contextmanager
def hold(folder: Path, scopes: Sequence[str], *, wait_s: float) -> Iterator[None]:
    """Hold every scope inside the block; LockedError when one is still taken after `wait_s`.

    They are taken in one order by everybody, so that two runs that wait cannot wait for each other.
    """
    deadline_s = time.monotonic() + wait_s
    with ExitStack() as held:
        for scope in sorted(set(scopes)):
            held.enter_context(_hold_one(folder / _name(scope), deadline_s))
        yield


@contextmanager
def _hold_one(path: Path, deadline_s: float) -> Iterator[None]:
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        file = os.open(path, flags, 0o600)
    except OSError as error:
        raise LedgerError(f"the lock {path} cannot be made: {error.strerror}") from error
    try:
        _wait_for(file, path, deadline_s)
        _sign(file)
        yield
    finally:
        os.close(file)


def _wait_for(file: int, path: Path, deadline_s: float) -> None:
    try:
        while not _take(file):
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                raise LockedError(f"another run of these jobs is under way{_read_holder(file)}")
            # what is waited for is another process, and only real time brings its end nearer
            time.sleep(min(_POLL_S, left_s))  # noqa: TID251
    except OSError as error:
        raise LedgerError(f"the lock {path} cannot be taken: {error.strerror}") from error


def _sign(file: int) -> None:
    """Leave word of who holds the lock; for the message only, so a full disk is no reason to stop here."""
    with suppress(OSError):
        now = datetime.now(UTC)  # noqa: TID251 - the holder's own clock, for people to read
        os.ftruncate(file, 0)
        os.lseek(file, 0, os.SEEK_SET)
        os.write(file, f"pid {os.getpid()} since {now:%Y-%m-%d %H:%M:%S} UTC".encode("ascii"))


def _read_holder(file: int) -> str:
    os.lseek(file, 0, os.SEEK_SET)
    word = os.read(file, 100).decode("ascii", "replace")
    return f" ({word})" if word.startswith("pid ") and word.isprintable() else ""


def _name(scope: str) -> str:
    return hashlib.sha256(scope.encode("utf-8", "surrogatepass")).hexdigest()[:32]


if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30
    """The byte that is locked: not one of the word's, since a locked one cannot be read."""

    def _take(file: int) -> bool:
        os.lseek(file, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

else:
    import fcntl

    def _take(file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
