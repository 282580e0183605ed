"""What is asked of the ledger's database -> its answer, over a connection that is made anew when it is lost.

A statement that was under way when the connection broke may or may not have been carried out. So everything that
goes through here has to be safe to do once more: what is read again, and what is written again finds its own writing.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg.abc import Params

from qstash_jobs.errors import LedgerError
from qstash_jobs.ledger.postgres.address import Address
from qstash_jobs.ledger.postgres.faults import as_ledger_errors, describe, is_conflict, is_lost
from qstash_jobs.ledger.postgres.migrations import open_ready

T = TypeVar("T")

PATIENCE_S = 60.0
"""How long a server that went away is waited for: one that restarts is back by then."""

_CONFLICTS = 10
"""How often something is tried that others are in the way of."""

_POLL_S = 0.25


class Channel:
    """The connection to a ledger's database."""

    def __init__(self, address: Address, *, read_only: bool, patience_s: float = PATIENCE_S) -> None:
        self.address = address
        self._read_only = read_only
        self._patience_s = patience_s
        self._has_given_up = False
        """The server was waited for in vain: whoever asks next waits no more, so that a run comes to its end."""
        self._connection = open_ready(address, read_only=read_only)
        with as_ledger_errors(address):
            self._identity = self._identify()
        self._restore: Callable[[], None] = lambda: None
        self._forget: Callable[[], None] = lambda: None

    def on_undo(self, forget: Callable[[], None]) -> None:
        """Have something done whenever a transaction was undone: what it wrote was never there."""
        self._forget = forget

    def on_reconnect(self, restore: Callable[[], None]) -> None:
        """Have something done on each new connection before anything else; it may use `execute`."""
        self._restore = restore

    def execute(self, statement: LiteralString | bytes, values: Params | None = None) -> psycopg.Cursor[Any]:
        """Run one statement, inside of `run` or `write`."""
        return self._connection.execute(statement, values, binary=True)

    def run(self, operation: Callable[[], T]) -> T:
        """Carry out what reads, or writes with one statement."""
        return self._insist(operation)

    def write(self, operation: Callable[[], T]) -> T:
        """Carry out what writes with several statements, all of it or nothing."""

        def in_transaction() -> T:
            try:
                with self.transaction():
                    return operation()
            except BaseException:
                self._forget()
                raise

        return self._insist(in_transaction)

    def try_once(self, operation: Callable[[], T]) -> T:
        """Carry out what nobody waits for where the server is gone."""
        with as_ledger_errors(self.address):
            return operation()

    def transaction(self) -> AbstractContextManager[object]:
        """Make what is executed inside the block one transaction; what is inside may not be tried again."""
        return self._connection.transaction()

    def close(self) -> None:
        self._connection.close()

    def _insist(self, operation: Callable[[], T]) -> T:
        conflicts = 0
        ends_s: float | None = None
        while True:
            try:
                with as_ledger_errors(self.address):
                    return operation()
            except LedgerError as error:
                cause = error.__cause__
                if not isinstance(cause, psycopg.Error):
                    raise
                if is_lost(cause, self._connection):
                    patience_s = 0.0 if self._has_given_up else self._patience_s
                    ends_s = ends_s or time.monotonic() + patience_s
                    self._reconnect(cause, ends_s)
                elif is_conflict(cause) and conflicts < _CONFLICTS:
                    conflicts += 1
                else:
                    raise

    def _reconnect(self, lost: psycopg.Error, ends_s: float) -> None:
        """Connect anew, as soon as the server takes connections, and take back what the old session held."""
        self._connection.close()
        while True:
            try:
                self._connection = open_ready(self.address, read_only=self._read_only)
                with as_ledger_errors(self.address):
                    self._end_old_session()
                    self._identity = self._identify()
                    self._restore()
            except LedgerError as error:
                self._connection.close()
                if time.monotonic() >= ends_s:
                    self._has_given_up = True
                    raise LedgerError(
                        f"{describe(lost, self.address)}; then for {self._patience_s:g} s: {error}"
                    ) from error
                # what is waited for is another machine, and only real time brings it back
                time.sleep(_POLL_S)  # noqa: TID251
            else:
                self._has_given_up = False
                return

    def _identify(self) -> tuple[Any, ...]:
        """Name the server's process behind this connection; its number alone may come again."""
        row = self.execute(
            "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
        ).fetchone()
        return tuple(row or ())

    def _end_old_session(self) -> None:
        """End the session of the lost connection, where the server has not noticed yet that it is lost."""
        if self._identity:
            self.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND backend_start = %s",
                self._identity,
            )
