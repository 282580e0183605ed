"""A ledger's database -> what is not in order in it; and less of it, where it has grown old."""

import sqlite3
from collections.abc import Iterator
from datetime import datetime

from qstash_jobs.ledger import columns
from qstash_jobs.record import Pruned, State

_MOST_FAULTS = 20
"""Faults of the file itself that are named."""

DOUBTFUL = f"state IN ('{State.SENDING}', '{State.IN_DOUBT}')"

_STATES = ", ".join(f"'{state}'" for state in State)

FAULTS = {
    f"state NOT IN ({_STATES})": "in a state that this version does not know",
    f"{DOUBTFUL} AND maybe_wall IS NULL": "that may have been accepted, with no moment at which that was",
    (
        "state = 'published' AND endpoints = '' AND NOT EXISTS (SELECT 1 FROM evidence "
        "WHERE evidence.key = messages.key AND evidence.job = messages.job "
        "AND evidence.row_key = messages.row_key AND evidence.verdict = 'published')"
    ): "published, with neither an id of QStash's nor anybody's word for it",
    "key NOT IN (SELECT number FROM keys)": "of a run key that is missing",
    (
        "job NOT IN (SELECT number FROM names) OR run NOT IN (SELECT number FROM names) "
        "OR file NOT IN (SELECT number FROM names)"
    ): "whose job, run or file has lost its name",
    "length(id) <> 20 OR length(fingerprint) <> 16": "with half an id",
}
"""What no message should be, and how to say it."""


def check(connection: sqlite3.Connection) -> Iterator[str]:
    """Read everything and say what is not in order, a sentence each."""
    faults = connection.execute(f"PRAGMA integrity_check({_MOST_FAULTS})").fetchall()
    yield from (f"the file is damaged: {text}" for (text,) in faults if text != "ok")
    for condition, fault in FAULTS.items():
        number = _count(connection, f"messages WHERE {condition}")
        if number:
            yield say_fault(number, fault)


def say_fault(number: int, fault: str) -> str:
    """Say how many messages are as none should be."""
    return f"{number:,} {'message is' if number == 1 else 'messages are'} there {fault}"


def newest_at(connection: sqlite3.Connection) -> datetime | None:
    """Return the latest moment that anything was written with."""
    newest = connection.execute(
        "SELECT max(at) FROM (SELECT max(max(started_at, coalesce(ended_at, 0))) AS at FROM runs "
        "UNION ALL SELECT max(max(settled_at, coalesce(maybe_wall, 0))) FROM messages "
        "UNION ALL SELECT max(at) FROM evidence)"
    ).fetchone()[0]
    return columns.read_time(newest) if newest else None


# forgetting

_USED = (
    "max(keys.started_at, "
    "coalesce((SELECT max(max(runs.started_at, coalesce(runs.ended_at, 0))) FROM run_keys "
    "JOIN runs ON runs.number = run_keys.run WHERE run_keys.key = keys.number), 0), "
    "coalesce((SELECT max(max(settled_at, coalesce(maybe_wall, 0))) FROM messages "
    "WHERE messages.key = keys.number), 0))"
)
"""When a key was last used: a run that goes on writes all the time."""


def forget(connection: sqlite3.Connection, *, before: datetime, now: datetime) -> Pruned:
    """Forget what was last used before a moment; whoever calls this has the transaction."""
    cutoff, held_from = columns.write_time(before), now.timestamp()
    connection.execute(f"CREATE TEMP TABLE old AS SELECT number FROM keys WHERE {_USED} < ?", (cutoff,))  # noqa: S608
    try:
        doubtful = _count(connection, f"messages WHERE key IN (SELECT number FROM old) AND {DOUBTFUL}")  # noqa: S608
        connection.execute(f"DELETE FROM old WHERE number IN (SELECT key FROM messages WHERE {DOUBTFUL})")  # noqa: S608
        held = _count(connection, "old WHERE number IN (SELECT key FROM windows WHERE until > ?)", held_from)
        connection.execute(
            "DELETE FROM old WHERE number IN (SELECT key FROM windows WHERE until > ?)", (held_from,)
        )
        return _forget_old(connection, cutoff, doubtful=doubtful, held=held)
    finally:
        if connection.in_transaction:
            connection.execute("DROP TABLE temp.old")


def _forget_old(connection: sqlite3.Connection, cutoff: int, *, doubtful: int, held: int) -> Pruned:
    def delete(text: str, *values: object) -> int:
        return connection.execute(f"DELETE FROM {text}", values).rowcount  # noqa: S608

    of_old = "key IN (SELECT number FROM old)"
    messages, windows = delete(f"messages WHERE {of_old}"), delete(f"windows WHERE {of_old}")
    for table in ("evidence", "listed", "run_keys"):
        delete(f"{table} WHERE {of_old}")
    keys = delete("keys WHERE number IN (SELECT number FROM old)")
    runs = connection.execute(
        "DELETE FROM runs WHERE max(started_at, coalesce(ended_at, 0)) < ? "
        "AND number NOT IN (SELECT run FROM run_keys) RETURNING number",
        (cutoff,),
    ).fetchall()
    # other names may be in the memory of a run that is under way; an old run's id is in nobody's any more
    connection.executemany(
        "DELETE FROM names WHERE number = ?1 AND NOT EXISTS (SELECT 1 FROM keys WHERE first_run = ?1) "
        "AND NOT EXISTS (SELECT 1 FROM messages WHERE run = ?1) AND ?1 < (SELECT max(number) FROM names)",
        runs,
    )
    return Pruned(
        runs=len(runs),
        keys=keys,
        messages=messages,
        windows=windows,
        doubtful=doubtful,
        held=held,
        freed_bytes=0,
    )


def give_back(connection: sqlite3.Connection) -> int:
    """Give the room of what was forgotten back to the disk; return how many bytes, 0 where others are busy here."""
    before = _size(connection)
    try:
        connection.execute("VACUUM")
        # what vacuuming wrote stands in the journal until then
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError as error:
        # sqlite.org/rescode.html: somebody else reads or writes, or there is no room for the copy
        if error.sqlite_errorname.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL")):
            return 0
        raise
    return max(0, before - _size(connection))


def _size(connection: sqlite3.Connection) -> int:
    (pages,), (page_bytes,) = (
        connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size")
    )
    return int(pages * page_bytes)


def _count(connection: sqlite3.Connection, text: str, *values: object) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {text}", values).fetchone()[0])  # noqa: S608
