"""Scopes -> holds on them that the server takes back by itself when their holder's session ends, however it ends.

Each session that holds anything has one advisory lock, on a number of its own. What it holds are lines of a table
that name this number: they count while the lock is held. So there is no limit to how much can be held, a line can
say which other runners may share it, and nobody has to clean up behind a runner that was killed.
"""

import os
import secrets
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from qstash_jobs.boundary import Scope
from qstash_jobs.errors import LedgerError, LockedError
from qstash_jobs.ledger.postgres.channel import Channel
from qstash_jobs.ledger.postgres.migrations import MUTEX

_POLL_S = 0.2

# postgresql.org/docs, "pg_locks": an advisory lock on a bigint has its upper half in classid, its lower in objid, and
# objsubid 1
_LIVING = (
    "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 "
    "AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)

_OTHERS = (
    "SELECT holds.scope, holds.run_key, holds.who, to_char(holds.since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') "
    "FROM unnest(%s::text[], %s::text[]) AS asked (scope, run_key) JOIN holds ON holds.scope = asked.scope "
    "WHERE holds.session <> %s "
    "AND (holds.run_key IS NULL OR asked.run_key IS NULL OR holds.run_key <> asked.run_key) "
    "ORDER BY holds.scope LIMIT 1"
)


class Holds:
    """What this runner holds against others."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._session: int | None = None
        self._files: dict[str, str | None] = {}
        self._queues: set[str] = set()

    @contextmanager
    def hold(self, scopes: Sequence[Scope], *, wait_s: float) -> Iterator[None]:
        """Hold every scope inside the block; LockedError when one is still taken after `wait_s`."""
        wanted = {scope.text: scope.run_key for scope in scopes}
        ends_s = time.monotonic() + wait_s
        while (other := self._channel.write(lambda: self._take(wanted))) is not None:
            left_s = ends_s - time.monotonic()
            if left_s <= 0:
                raise LockedError(f"another run of these jobs is under way ({other})")
            # what is waited for is another program, and only real time brings its end nearer
            time.sleep(min(_POLL_S, left_s))  # noqa: TID251
        self._files = wanted
        try:
            yield
        finally:
            self._files, self._queues = {}, set()
            with suppress(LedgerError):  # the end of the session lets go of everything
                self._channel.try_once(self._leave)

    def hold_queue(self, key: int, queue: str) -> bool:
        """Hold a queue of a run key until the jobs are let go; False while another runner has it."""
        scope = _name_queue(key, queue)
        if scope not in self._queues:
            if self._channel.write(lambda: self._take({scope: None})) is not None:
                return False
            self._queues.add(scope)
        return True

    def has_queue(self, key: int, queue: str) -> bool:
        """Say whether a queue is still held: a connection that was lost may have lost it too."""
        return _name_queue(key, queue) in self._queues

    def restore(self) -> None:
        """Take back on a new connection what the old one held; a queue that is another's by now is given up."""
        self._session = None
        with self._channel.transaction():
            if self._files and (other := self._take(self._files)) is not None:
                raise LedgerError(f"another run of these jobs began meanwhile ({other})")
            self._queues = {queue for queue in self._queues if self._take({queue: None}) is None}

    def _take(self, wanted: Mapping[str, str | None]) -> str | None:
        """Take all of these scopes; or none, and return who has one of them."""
        execute = self._channel.execute
        execute("SELECT pg_advisory_xact_lock(%s)", (MUTEX,))
        session = self._open_session()
        execute(f"DELETE FROM holds WHERE session NOT IN ({_LIVING})")  # noqa: S608
        other = execute(_OTHERS, (list(wanted), list(wanted.values()), session)).fetchone()
        if other is not None:
            return _describe(other)
        execute(
            "INSERT INTO holds (scope, session, run_key, who) "
            "SELECT scope, %s, run_key, %s FROM unnest(%s::text[], %s::text[]) AS asked (scope, run_key) "
            "ON CONFLICT DO NOTHING",
            (session, f"pid {os.getpid()} on {socket.gethostname()}", list(wanted), list(wanted.values())),
        )
        return None

    def _open_session(self) -> int:
        """Return this connection's number, with the lock on it."""
        if self._session is None:
            session = secrets.randbits(62)
            self._channel.execute("SELECT pg_advisory_lock(%s)", (session,))
            self._session = session
        return self._session

    def _leave(self) -> None:
        self._channel.execute("DELETE FROM holds WHERE session = %s", (self._session,))


def list_holders(channel: Channel) -> list[str]:
    """List who holds job files now."""
    rows = channel.execute(
        f"SELECT DISTINCT who FROM holds WHERE session IN ({_LIVING}) ORDER BY who"  # noqa: S608
    )
    return [who for (who,) in rows]


def _name_queue(key: int, queue: str) -> str:
    return f"queue {key} {queue}"


def _describe(other: tuple[str, str | None, str, str]) -> str:
    _, run_key, who, since = other
    return f"{who} since {since} UTC" + (f", under the run key {run_key}" if run_key is not None else "")
