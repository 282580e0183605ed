"""A path -> the ledger in one SQLite file: what is known of runs and messages goes in, and is found again.

Every write is one transaction, on the disk when its call returns (WAL with synchronous=FULL). A ledger belongs to
the thread that opened it.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from qstash_jobs.errors import LedgerError
from qstash_jobs.ledger import columns, opening
from qstash_jobs.ledger.faults import as_ledger_errors
from qstash_jobs.ledger.lock import hold
from qstash_jobs.ledger.names import Names
from qstash_jobs.ledger.search import Search
from qstash_jobs.record import OpenKey, Record, Result, Run, RunKey, Slot, Window

_PAGE = 500
"""Rows read at a time, so that a slow reader neither holds them all nor keeps the journal from being emptied."""

_PUT_MESSAGE = f"REPLACE INTO messages ({columns.MESSAGE}) VALUES ({', '.join('?' * 21)})"  # noqa: S608

_SET_RESULT = (
    "UPDATE messages SET state = ?1, settled_at = ?2, endpoints = ?3, status = ?4, error = ?5 "
    "WHERE key = ?6 AND job = ?7 AND generation = ?10 AND attempt = ?11 AND "
)
_SET_RESULT_BY_ROW = _SET_RESULT + "row = ?8 AND row_key = ''"
_SET_RESULT_BY_ROW_KEY = _SET_RESULT + "row_key = ?9 AND row_key <> ''"

_PUT_WINDOW = (
    "REPLACE INTO windows (dedup_id, until, owner, key, job, row, row_key, generation) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)

_FIND_BY_ROW = (
    f"SELECT {columns.MESSAGE} FROM messages WHERE key = ? AND job = ? "  # noqa: S608
    "AND row IN (SELECT value FROM json_each(?)) AND row_key = ''"
)

_FIND_BY_ROW_KEY = (
    f"SELECT {columns.MESSAGE} FROM messages INDEXED BY messages_row_key WHERE key = ? AND job = ? "  # noqa: S608
    "AND row_key IN (SELECT value FROM json_each(?)) AND row_key <> ''"
)

_PAGE_OF_MESSAGES = (
    f"SELECT {columns.MESSAGE} FROM messages WHERE key = ? "  # noqa: S608
    "AND (job, row, row_key, generation) > (?, ?, ?, ?) AND (? IS NULL OR run = ?) "
    f"ORDER BY job, row, row_key, generation LIMIT {_PAGE}"
)

_RUN = (
    "number, started_at, project, environment, target, paths, options, expected, ended_at, exit_code, totals"
)


def open_sqlite(path: Path, *, read_only: bool = False, busy_s: float = 10) -> "SqliteLedger":
    """Open the ledger at a path, making it where there is none, unless it is only to be read.

    `busy_s` is how long to wait while another program writes. Raises LedgerError, with a sentence that says what to
    do, for what cannot be a ledger or cannot be used as one.
    """
    path = path.absolute()
    return SqliteLedger(path, opening.connect(path, read_only=read_only, busy_s=busy_s))


class SqliteLedger:
    """A `boundary.Ledger`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self._names = Names(connection)
        with self._reporting():
            self._id, self._fingerprint_key = self._connection.execute(
                "SELECT id, fingerprint_key FROM meta"
            ).fetchone()

    @property
    def id(self) -> str:
        return str(self._id)

    @property
    def fingerprint_key(self) -> bytes:
        return bytes(self._fingerprint_key)

    def close(self) -> None:
        """Close the ledger; once more does nothing."""
        with self._reporting():
            self._connection.close()

    def lock(self, scopes: Sequence[str], *, wait_s: float = 0) -> AbstractContextManager[None]:
        return hold(opening.lock_folder(self._path), scopes, wait_s=wait_s)

    # runs and their keys

    def open_key(self, key: RunKey, *, run: str, at: datetime) -> OpenKey:
        with self._writing():
            return self._open_key(key, run=run, at=at)

    def find_key(self, key: RunKey) -> OpenKey | None:
        with self._reporting():
            return self._find_key(key)

    def last_generation(self, key: int, job: str) -> int | None:
        with self._reporting():
            row = self._connection.execute(
                "SELECT max(generation) FROM messages WHERE key = ? AND job = ?", (key, self._names.find(job))
            ).fetchone()
            return None if row[0] is None else int(row[0])

    def start_run(self, run: Run) -> None:
        """Record a run before its first message; its keys are opened with it."""
        with self._writing():
            self._connection.execute(
                f"INSERT INTO runs ({_RUN}) VALUES ({', '.join('?' * 11)})",  # noqa: S608
                columns.write_run(run, self._names.number),
            )
            for text in run.keys:
                key = RunKey(project=run.project, environment=run.environment, target=run.target, text=text)
                self._open_key(key, run=run.id, at=run.started_at)

    def end_run(self, run: str, *, at: datetime, exit_code: int, totals: dict[str, int]) -> None:
        with self._writing():
            ended = self._connection.execute(
                "UPDATE runs SET ended_at = ?, exit_code = ?, totals = ? WHERE number = ?",
                (columns.write_time(at), exit_code, json.dumps(totals), self._names.find(run)),
            )
            if not ended.rowcount:
                raise LedgerError(f"the ledger {self._path} knows no run {run}")

    def runs(self, *, limit: int | None = None) -> Iterator[Run]:
        before: int | None = None
        while limit is None or limit > 0:
            size = _PAGE if limit is None else min(_PAGE, limit)
            page = self._read_runs("(?1 IS NULL OR number < ?1)", (before,), size)
            if not page:
                return
            yield from page
            before = self._number(page[-1].id)
            limit = None if limit is None else limit - len(page)

    def find_runs(self, beginning: str) -> list[Run]:
        return self._read_runs(
            "substr((SELECT text FROM names WHERE names.number = runs.number), 1, length(?1)) = ?1",
            (beginning,),
            -1,
        )

    # messages

    def find(self, slots: Sequence[Slot]) -> list[Record | None]:
        asked: dict[tuple[str, bool], list[int | str]] = {}
        for slot in slots:
            asked.setdefault((slot.job, bool(slot.row_key)), []).append(_identity(slot))
        found: dict[tuple[str, int | str], list[Record]] = {}
        with self._reporting():
            for (job, by_row_key), identities in asked.items():
                for record in self._find(slots[0].key, job, identities, by_row_key=by_row_key):
                    found.setdefault((job, _identity(record.slot)), []).append(record)
        return [_latest(found.get((slot.job, _identity(slot)), ()), slot.generation) for slot in slots]

    def find_windows(self, dedup_ids: Sequence[str]) -> dict[str, Window]:
        found = {}
        with self._reporting():
            for dedup_id in dedup_ids:
                row = self._connection.execute(
                    "SELECT until, owner, key, job, row, row_key, generation FROM windows WHERE dedup_id = ?",
                    (columns.write_dedup_id(dedup_id),),
                ).fetchone()
                if row is not None:
                    found[dedup_id] = columns.read_window(row, dedup_id, self._names.text)
        return found

    def write(
        self,
        *,
        results: Sequence[Result] = (),
        intents: Sequence[Record] = (),
        windows: Sequence[Window] = (),
        released: Sequence[str] = (),
    ) -> None:
        number = self._names.number
        with self._writing():
            by_row = [columns.write_result(one, number) for one in results if not one.slot.row_key]
            by_row_key = [columns.write_result(one, number) for one in results if one.slot.row_key]
            self._connection.executemany(_SET_RESULT_BY_ROW, by_row)
            self._connection.executemany(_SET_RESULT_BY_ROW_KEY, by_row_key)
            self._release(released)
            self._connection.executemany(_PUT_MESSAGE, [columns.write_record(one, number) for one in intents])
            self._connection.executemany(_PUT_WINDOW, [columns.write_window(one, number) for one in windows])

    def release_windows(self, dedup_ids: Sequence[str]) -> None:
        with self._writing():
            self._release(dedup_ids)

    def messages(self, *, run: str | None = None) -> Iterator[Record]:
        number = None if run is None else self._number(run)
        if run is not None and number is None:
            return
        for key in self._keys(number):
            yield from self._messages_of(key, number)

    def find_messages(self, text: str, *, run: str | None = None) -> list[Record]:
        number = None if run is None else self._number(run)
        if run is not None and number is None:
            return []
        with self._reporting():
            return Search(self._connection, self._names, number).find(text)

    # inside

    def _reporting(self) -> AbstractContextManager[None]:
        return as_ledger_errors(self._path)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Write everything inside the block in one transaction, or nothing."""
        with self._reporting():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                self._names.forget()
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _release(self, dedup_ids: Sequence[str]) -> None:
        ids = [(columns.write_dedup_id(one),) for one in dedup_ids]
        self._connection.executemany("DELETE FROM windows WHERE dedup_id = ?", ids)

    def _number(self, name: str) -> int | None:
        with self._reporting():
            return self._names.find(name)

    def _open_key(self, key: RunKey, *, run: str, at: datetime) -> OpenKey:
        names = (key.project, key.environment, key.target, key.text)
        number = self._names.number(run)
        self._connection.execute(
            "INSERT INTO keys (project, environment, target, text, first_run, started_at) "
            "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (*names, number, columns.write_time(at)),
        )
        opened = self._find_key(key)
        if opened is None:
            raise LedgerError(f"the ledger {self._path} lost a run key that was just written")
        self._connection.execute(
            "INSERT INTO run_keys (run, key) VALUES (?, ?) ON CONFLICT DO NOTHING", (number, opened.number)
        )
        return opened

    def _find_key(self, key: RunKey) -> OpenKey | None:
        row = self._connection.execute(
            "SELECT number, first_run, started_at FROM keys "
            "WHERE project = ? AND environment = ? AND target = ? AND text = ?",
            (key.project, key.environment, key.target, key.text),
        ).fetchone()
        return None if row is None else columns.read_key(row, key, self._names.text)

    def _read_runs(self, condition: str, values: tuple[Any, ...], size: int) -> list[Run]:
        with self._reporting():
            rows = self._connection.execute(
                f"SELECT {_RUN} FROM runs WHERE {condition} ORDER BY number DESC LIMIT {size}",  # noqa: S608
                values,
            ).fetchall()
            return [columns.read_run(row, self._run_keys(row[0]), self._names.text) for row in rows]

    def _run_keys(self, run: int) -> list[str]:
        rows = self._connection.execute(
            "SELECT text FROM run_keys JOIN keys ON keys.number = run_keys.key "
            "WHERE run_keys.run = ? ORDER BY run_keys.rowid",
            (run,),
        )
        return [row[0] for row in rows]

    def _keys(self, run: int | None) -> list[int]:
        with self._reporting():
            rows = self._connection.execute(
                "SELECT number FROM keys WHERE ?1 IS NULL "
                "OR number IN (SELECT key FROM run_keys WHERE run = ?1) ORDER BY number",
                (run,),
            )
            return [row[0] for row in rows]

    def _find(
        self, key: int, job: str, identities: Sequence[int | str], *, by_row_key: bool
    ) -> Iterator[Record]:
        number = self._names.find(job)
        if number is None:
            return
        rows = self._connection.execute(
            _FIND_BY_ROW_KEY if by_row_key else _FIND_BY_ROW, (key, number, json.dumps(identities))
        )
        for row in rows.fetchall():
            yield columns.read_record(row, self._names.text)

    def _messages_of(self, key: int, run: int | None) -> Iterator[Record]:
        after: tuple[int, int, str, int] = (0, -1, "", 0)
        while True:
            with self._reporting():
                rows = self._connection.execute(_PAGE_OF_MESSAGES, (key, *after, run, run)).fetchall()
                page = [columns.read_record(row, self._names.text) for row in rows]
            yield from page
            if len(page) < _PAGE:
                return
            after = tuple(rows[-1][1:5])


def _identity(slot: Slot) -> int | str:
    return slot.row_key or slot.row


def _latest(records: Sequence[Record], generation: int) -> Record | None:
    """Return the record of the highest generation at or below one."""
    fitting = [record for record in records if record.slot.generation <= generation]
    return max(fitting, key=lambda record: record.slot.generation, default=None)
