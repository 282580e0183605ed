"""The SQLite file of a state: opened for one server alone, read once, written in batches.

SQLite's own lock keeps other servers out; the system takes it back from a process that was killed.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from qstash_jobs.errors import UsageError
from qstash_jobs.local.kept.restore import Kept
from qstash_jobs.local.kept.rows import Batch

APPLICATION_ID = 1902799983
"""`qjlo` as a number."""
VERSION = 1

_SETTINGS = (
    # Nobody else may read it meanwhile either: the lock is taken by the first write, and kept.
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA synchronous = FULL",
    "PRAGMA fullfsync = ON",
    "PRAGMA checkpoint_fullfsync = ON",
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA trusted_schema = OFF",
)

_TABLES = f"""
CREATE TABLE position (only INTEGER PRIMARY KEY CHECK (only = 1), value TEXT NOT NULL);
CREATE TABLE messages (
    number INTEGER PRIMARY KEY, account TEXT NOT NULL, value TEXT NOT NULL, body BLOB NOT NULL,
    due_ms INTEGER NOT NULL, retried INTEGER NOT NULL, ended TEXT, cancelled INTEGER NOT NULL,
    active INTEGER NOT NULL, in_queue INTEGER NOT NULL, dead_letter TEXT, parent INTEGER
);
CREATE TABLE events (
    message INTEGER NOT NULL, sequence INTEGER NOT NULL, time_ms INTEGER NOT NULL, state TEXT NOT NULL,
    error TEXT, next_ms INTEGER, answer TEXT, body BLOB, PRIMARY KEY (message, sequence)
) WITHOUT ROWID;
CREATE TABLE things (
    account TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
    made INTEGER PRIMARY KEY AUTOINCREMENT, UNIQUE (account, kind, name)
);
CREATE TABLE dedup (account TEXT NOT NULL, key BLOB NOT NULL, number INTEGER NOT NULL, at_ms INTEGER NOT NULL);
CREATE INDEX dedup_by_time ON dedup (at_ms);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
"""

_WRITES = (
    ("messages", "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
    (
        "courses",
        """UPDATE messages SET due_ms = ?, retried = ?, ended = ?, cancelled = ?, active = ?, in_queue = ?,
        dead_letter = ?, parent = ? WHERE number = ?""",
    ),
    ("events", "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)"),
    ("gone", "DELETE FROM messages WHERE number = ?"),
    ("gone", "DELETE FROM events WHERE message = ?"),
    ("lost_things", "DELETE FROM things WHERE account = ? AND kind = ? AND name = ?"),
    (
        "things",
        """INSERT INTO things (account, kind, name, value) VALUES (?, ?, ?, ?)
        ON CONFLICT (account, kind, name) DO UPDATE SET value = excluded.value""",
    ),
    ("dedup", "INSERT INTO dedup VALUES (?, ?, ?, ?)"),
)


class StateFile:
    """An open file; one thread at a time uses it."""

    def __init__(self, path: Path) -> None:
        """Open a file, or make it. Raises UsageError."""
        self.path = path
        _look(path)
        with _as_usage_errors(path):
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rwc", uri=True, timeout=0, check_same_thread=False
            )
            self._connection.isolation_level = None
            try:
                self._open()
            except BaseException:
                self._connection.close()
                raise

    def read(self) -> Kept:
        """Read all of it, row by row, while nothing is written."""
        with _as_usage_errors(self.path):
            found = self._connection.execute("SELECT value FROM position").fetchone()
        return Kept(
            position=None if found is None else found[0],
            messages=self._rows("SELECT * FROM messages ORDER BY number"),
            events=self._rows("SELECT * FROM events ORDER BY message, sequence"),
            things=self._rows("SELECT account, kind, name, value FROM things ORDER BY made"),
            dedup=self._rows("SELECT account, key, number, at_ms FROM dedup ORDER BY at_ms, rowid"),
        )

    def write(self, batches: Sequence[Batch]) -> None:
        """Write batches, all of them or nothing; they are on the disk when this returns. Raises sqlite3.Error."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            for batch in batches:
                self._write(batch)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Close it, and let others in."""
        self._connection.close()

    def _write(self, batch: Batch) -> None:
        for name, statement in _WRITES:
            self._connection.executemany(statement, getattr(batch, name))
        self._connection.execute("DELETE FROM dedup WHERE at_ms <= ?", (batch.dedup_before_ms,))
        self._connection.execute("INSERT OR REPLACE INTO position VALUES (1, ?)", (batch.position,))

    def _open(self) -> None:
        for setting in _SETTINGS:
            self._connection.execute(setting)
        is_new = not self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if not is_new:
            self._check()
        self._connection.execute("PRAGMA journal_mode = WAL")
        if is_new:
            self._connection.executescript(f"BEGIN IMMEDIATE;{_TABLES}COMMIT;")
        # The lock is taken by a write.
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("DELETE FROM position WHERE false")
        self._connection.execute("COMMIT")

    def _check(self) -> None:
        (application_id,) = self._connection.execute("PRAGMA application_id").fetchone()
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if application_id != APPLICATION_ID:
            raise _not_ours(self.path)
        if version > VERSION:
            raise UsageError(
                f"{self.path} was written by a newer qstash-jobs (its version is {version}, this one knows "
                f"{VERSION}); use that one, or name another file with --state"
            )

    def _rows(self, query: str) -> Iterator[tuple[object, ...]]:
        with _as_usage_errors(self.path):
            yield from self._connection.execute(query)


def _look(path: Path) -> None:
    """Make a file that only its owner reads, where there is none: it will hold bodies and signing keys."""
    try:
        if path.is_symlink() or path.exists():
            if not path.is_file():
                raise UsageError(f"{path} is not a file; name another one with --state")
            return
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"the state file {path} cannot be made: {reason.lower()}") from error


def _not_ours(path: Path) -> UsageError:
    return UsageError(f"{path} is not a state file of the local server; name another one with --state")


@contextmanager
def _as_usage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        code = error.sqlite_errorname if hasattr(error, "sqlite_errorname") else ""
        if code.startswith("SQLITE_BUSY"):
            raise UsageError(
                f"{path} is in use by another server; stop that one, or name another file with --state"
            ) from error
        if code.startswith("SQLITE_NOTADB"):
            raise _not_ours(path) from error
        raise UsageError(f"the state file {path} cannot be used: {str(error).lower()}") from error
