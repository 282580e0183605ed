"""A path -> an open SQLite database that is one of our ledgers, or LedgerError saying why it cannot be.

The ledger's file is looked at from outside only: opening and closing it by other means would drop the locks that
SQLite holds on it in this process.
"""

import os
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path

from qstash_jobs.errors import LedgerError
from qstash_jobs.ledger.faults import NOT_A_LEDGER, as_ledger_errors
from qstash_jobs.ledger.lock import hold
from qstash_jobs.ledger.migrations import migrate, newest, read_version

_APPLICATION_ID = 1902800738
"""`qjob` as a number; the first migration writes it."""

_OLDEST_SQLITE = (3, 38, 0)

_SETTINGS = (
    "PRAGMA synchronous = FULL",
    # sqlite.org/pragma.html: what F_FULLFSYNC is for; only macOS has it
    "PRAGMA fullfsync = ON",
    "PRAGMA checkpoint_fullfsync = ON",
    # KiB; twice as much costs that memory and gains nothing, whether row keys come in order or at random
    "PRAGMA cache_size = -4000",
    "PRAGMA trusted_schema = OFF",
)


def connect(path: Path, *, read_only: bool, busy_s: float) -> sqlite3.Connection:
    """Open a ledger's database, making it and bringing it up to date where that is needed and allowed."""
    require_sqlite(sqlite3.sqlite_version_info)
    if not _look(path):
        if read_only:
            raise LedgerError(f"there is no ledger at {path}; the first run makes it")
        _make(path)
    with as_ledger_errors(path):
        if read_only:
            return _connect_to_read(path, busy_s)
        connection = _connect(path, "rw", busy_s)
        try:
            _check(connection, path)
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


def lock_folder(path: Path) -> Path:
    """Return the folder that holds a ledger's locks."""
    return path.with_name(path.name + ".lock.d")


def require_sqlite(version: tuple[int, ...]) -> None:
    """Refuse an SQLite that lacks what the ledger uses."""
    if version < _OLDEST_SQLITE:
        shown, needed = (".".join(map(str, numbers)) for numbers in (version, _OLDEST_SQLITE))
        raise LedgerError(
            f"this Python has SQLite {shown}, and the ledger needs {needed}; use a newer Python"
        )


def _connect(path: Path, mode: str, busy_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode={mode}", uri=True, timeout=busy_s, isolation_level=None
    )
    for setting in _SETTINGS:
        connection.execute(setting)
    return connection


def _connect_to_read(path: Path, busy_s: float) -> sqlite3.Connection:
    connection = _connect(path, "ro", busy_s)
    try:
        _check(connection, path)
        version = read_version(connection)
    except BaseException:
        connection.close()
        raise
    if version == newest():
        return connection
    connection.close()
    connect(path, read_only=False, busy_s=busy_s).close()
    return _connect(path, "ro", busy_s)


def _look(path: Path) -> bool:
    """Say whether something is there, and refuse what can be no ledger."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise LedgerError(f"the ledger {path} cannot be reached: {_reason(error)}") from error
    kind = _kind(status.st_mode)
    if kind is not None:
        raise LedgerError(f"the ledger {path} is {kind}, not a file; name another one with --ledger")
    if status.st_size == 0:
        raise LedgerError(
            f"the ledger {path} is an empty file, so what it knew is lost; put a copy of it back, "
            "or remove it to start with an empty ledger"
        )
    return True


def _kind(mode: int) -> str | None:
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    return "a folder" if stat.S_ISDIR(mode) else "a device, pipe or socket"


def _check(connection: sqlite3.Connection, path: Path) -> None:
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    if application_id != _APPLICATION_ID:
        raise LedgerError(NOT_A_LEDGER.format(path=path))
    version = read_version(connection)
    if version > newest():
        raise LedgerError(
            f"the ledger {path} was written by a newer qstash-jobs (its schema is {version}, this one knows "
            f"{newest()}); use that version, or name another file with --ledger"
        )
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    migrate(connection)
    # SQLite opens what it may not write for reading, and says so at the first write: this one, which changes nothing
    connection.execute("DELETE FROM meta WHERE false")
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise LedgerError(f"the ledger {path} is on a file system without shared memory; use a local disk")


def _make(path: Path) -> None:
    """Make an empty ledger beside its place, and move it there when it is whole.

    A program that is ended half-way leaves no ledger, rather than half of one.
    """
    _make_folders(path.parent)
    with hold(lock_folder(path), ["create"], wait_s=60):
        if _look(path):
            return
        _refuse_remains(path)
        unfinished = path.with_name(path.name + ".new")
        try:
            for left in (unfinished, *_companions(unfinished)):
                left.unlink(missing_ok=True)
            os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            with as_ledger_errors(path), closing(_connect(unfinished, "rw", 0)) as connection:
                # nobody opens it before it is whole, and closing it syncs all that was written until then
                connection.execute("PRAGMA synchronous = OFF")
                _prepare(connection, path)
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute(
                    "INSERT INTO meta (id, fingerprint_key) VALUES (?, ?)",
                    (os.urandom(8).hex(), os.urandom(32)),
                )
            unfinished.rename(path)
            _sync_folder(path.parent)
        except OSError as error:
            raise LedgerError(f"the ledger {path} cannot be made: {_reason(error)}") from error


def _make_folders(folder: Path) -> None:
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        for one in reversed(missing):
            one.mkdir(mode=0o700, exist_ok=True)
            _sync_folder(one.parent)
    except OSError as error:
        raise LedgerError(f"the folder {folder} for the ledger cannot be made: {_reason(error)}") from error


def _refuse_remains(path: Path) -> None:
    """Refuse to start beside a journal whose ledger is gone: SQLite would play it into the new one."""
    for companion in _companions(path):
        if companion.exists():
            raise LedgerError(
                f"{companion} is left of a ledger that is gone; put the ledger back, "
                "or remove this file too to start with an empty one"
            )


def _companions(path: Path) -> list[Path]:
    # sqlite.org/tempfiles.html
    return [path.with_name(path.name + ending) for ending in ("-wal", "-shm", "-journal")]


def _sync_folder(folder: Path) -> None:
    """Make a new name in a folder outlast a power loss; Windows has no such call and does not need one."""
    if sys.platform == "win32":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
