"""A path -> the ledger in one SQLite file: what is known of runs and messages goes in, and is found again.

Every write is one transaction, on the disk when its call returns (WAL with synchronous=FULL). A ledger belongs to
the thread that opened it.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime
from math import inf
from pathlib import Path

from qstash_jobs.boundary import Outrun, Scope
from qstash_jobs.errors import LedgerError
from qstash_jobs.ledger import opening, upkeep
from qstash_jobs.ledger.faults import as_ledger_errors
from qstash_jobs.ledger.lock import hold
from qstash_jobs.ledger.messages import FIRST, Messages, Place
from qstash_jobs.ledger.names import Names
from qstash_jobs.ledger.runs import Runs
from qstash_jobs.ledger.search import Search
from qstash_jobs.ledger.testimony import Testimony
from qstash_jobs.ledger.windows import Windows
from qstash_jobs.record import (
    Evidence,
    Listed,
    OpenKey,
    Pruned,
    Record,
    Result,
    Run,
    RunKey,
    Slot,
    Window,
)

_PAGE = 500
"""Rows read at a time, so that a slow reader neither holds them all nor keeps the journal from being emptied."""


def open_sqlite(path: Path, *, read_only: bool = False, busy_s: float = 10) -> "SqliteLedger":
    """Open the ledger at a path, making it where there is none, unless it is only to be read.

    `busy_s` is how long to wait while another program writes. Raises LedgerError, with a sentence that says what to
    do, for what cannot be a ledger or cannot be used as one.
    """
    path = path.absolute()
    connection = opening.connect(path, read_only=read_only, busy_s=busy_s)
    try:
        return SqliteLedger(path, connection)
    except BaseException:
        connection.close()
        raise


class SqliteLedger:
    """A `boundary.Ledger`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self._names = Names(connection)
        self._runs = Runs(connection, self._names)
        self._messages = Messages(connection, self._names)
        self._windows = Windows(connection, self._names)
        self._testimony = Testimony(connection, self._names)
        with self._reporting():
            row = connection.execute("SELECT id, fingerprint_key FROM meta").fetchone()
        if row is None:
            raise LedgerError(f"the ledger {path} has lost its own id; put a copy of it back")
        self._id, self._fingerprint_key = str(row[0]), bytes(row[1])

    @property
    def id(self) -> str:
        return self._id

    @property
    def fingerprint_key(self) -> bytes:
        return self._fingerprint_key

    def close(self) -> None:
        """Close the ledger; once more does nothing."""
        with self._reporting():
            self._connection.close()

    @property
    def claim_s(self) -> float:
        return inf

    def now(self) -> None:
        """The clock that runners share is the machine's own."""

    def lock(self, scopes: Sequence[Scope], *, wait_s: float = 0) -> AbstractContextManager[None]:
        """Hold scopes; nobody shares one, so that nothing else here has to ask for other runners."""
        return hold(opening.lock_folder(self._path), [scope.text for scope in scopes], wait_s=wait_s)

    def hold_queue(self, key: int, queue: str) -> bool:
        return True

    # runs and their keys

    def open_key(self, key: RunKey, *, run: str, at: datetime) -> OpenKey:
        with self._writing():
            return self._runs.open_key(key, run=run, at=at)

    def find_key(self, key: RunKey) -> OpenKey | None:
        with self._reporting():
            return self._runs.find_key(key)

    def recover_key(self, key: RunKey, *, run: str, at: datetime, listed: Sequence[Listed]) -> OpenKey:
        with self._writing():
            opened = self._runs.open_key(key, run=run, at=at)
            self._testimony.put_listed(opened.number, listed)
            return opened

    def find_listed(self, key: int, labels: Sequence[str]) -> dict[str, Listed]:
        with self._reporting():
            return self._testimony.find_listed(key, labels)

    def run_keys(self) -> Iterator[OpenKey]:
        with self._reporting():
            return iter(self._runs.keys())

    def start_run(self, run: Run) -> None:
        """Record a run before its first message; its keys are opened with it."""
        with self._writing():
            self._runs.start(run)

    def end_run(self, run: str, *, at: datetime, exit_code: int, totals: dict[str, int]) -> None:
        with self._writing():
            if not self._runs.end(run, at=at, exit_code=exit_code, totals=totals):
                raise LedgerError(f"the ledger {self._path} knows no run {run}")

    def runs(self, *, limit: int | None = None) -> Iterator[Run]:
        before: str | None = None
        while limit is None or limit > 0:
            with self._reporting():
                page = self._runs.page(before=before, size=_PAGE if limit is None else min(_PAGE, limit))
            if not page:
                return
            yield from page
            before = page[-1].id
            limit = None if limit is None else limit - len(page)

    def find_runs(self, beginning: str) -> list[Run]:
        with self._reporting():
            return self._runs.find(beginning)

    # messages

    def find(self, slots: Sequence[Slot]) -> list[Record | None]:
        with self._reporting():
            return self._messages.find(slots)

    def last_generation(self, key: int, job: str) -> int | None:
        with self._reporting():
            return self._messages.last_generation(key, job)

    def doubts(self, key: int) -> Iterator[Record]:
        return self._walk(lambda after: self._messages.page_of_doubts(key, after=after, size=_PAGE))

    def find_evidence(self, slots: Sequence[Slot]) -> list[tuple[Evidence, ...]]:
        with self._reporting():
            return [self._testimony.find(slot) for slot in slots]

    def newest_at(self) -> datetime | None:
        with self._reporting():
            return upkeep.newest_at(self._connection)

    def find_windows(self, dedup_ids: Sequence[str]) -> dict[str, Window]:
        with self._reporting():
            return self._windows.find(dedup_ids)

    def write(
        self,
        *,
        results: Sequence[Result] = (),
        intents: Sequence[Record] = (),
        windows: Sequence[Window] = (),
        released: Sequence[str] = (),
        evidence: Sequence[Evidence] = (),
        queues: Collection[tuple[int, str]] = (),
    ) -> Outrun:
        with self._writing():
            self._messages.settle(results)
            self._windows.release(released)
            self._messages.put(intents)
            self._windows.put(windows)
            self._testimony.add(evidence)
        return Outrun()

    def messages(self, *, run: str | None = None) -> Iterator[Record]:
        with self._reporting():
            number = self._names.find(run) if run is not None else None
            keys = self._runs.key_numbers(number) if run is None or number is not None else []
        for key in keys:
            yield from self._messages_of(key, number)

    def windows(self) -> Iterator[Window]:
        after: bytes | str | None = None
        while True:
            with self._reporting():
                page, after = self._windows.page(after=after, size=_PAGE)
            yield from page
            if len(page) < _PAGE:
                return

    def find_messages(self, text: str, *, run: str | None = None) -> list[Record]:
        with self._reporting():
            number = self._names.find(run) if run is not None else None
            if run is not None and number is None:
                return []
            return Search(self._connection, self._names, number).find(text)

    # upkeep

    def check(self) -> list[str]:
        with self._reporting():
            return list(upkeep.check(self._connection))

    def prune(self, *, before: datetime, now: datetime) -> Pruned:
        with self._writing():
            pruned = upkeep.forget(self._connection, before=before, now=now)
        self._names.forget()
        with self._reporting():
            return replace(pruned, freed_bytes=upkeep.give_back(self._connection))

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

    def _messages_of(self, key: int, run: int | None) -> Iterator[Record]:
        return self._walk(lambda after: self._messages.page(key, run=run, after=after, size=_PAGE))

    def _walk(self, read: Callable[[Place], tuple[list[Record], Place]]) -> Iterator[Record]:
        after = FIRST
        while True:
            with self._reporting():
                page, after = read(after)
            yield from page
            if len(page) < _PAGE:
                return
