"""The table of messages; whoever calls these has the transaction and turns errors into LedgerErrors."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from qstash_jobs.ledger import columns
from qstash_jobs.ledger.names import Names
from qstash_jobs.record import Record, Result, Slot

# replaces the row of the same place and, where rows moved, the one of the same row key
_PUT_MESSAGE = f"REPLACE INTO messages ({columns.MESSAGE}) VALUES ({', '.join('?' * 21)})"  # noqa: S608

_SET_RESULT = (
    "UPDATE messages SET state = ?1, settled_at = ?2, endpoints = ?3, status = ?4, error = ?5 "
    "WHERE key = ?6 AND job = ?7 AND generation = ?10 AND attempt = ?11 AND "
)
_SET_RESULT_IN_PLACE = _SET_RESULT + "row = ?8 AND row_key = ?9"
_SET_RESULT_BY_ROW_KEY = _SET_RESULT + "row_key = ?9 AND row_key <> ''"

_FIND_BY_ROW = (
    f"SELECT {columns.MESSAGE} FROM messages WHERE key = ? AND job = ? "  # noqa: S608
    "AND row IN (SELECT value FROM json_each(?)) AND row_key = ''"
)

# left to itself, SQLite reads all rows of the job
_FIND_BY_ROW_KEY = (
    f"SELECT {columns.MESSAGE} FROM messages INDEXED BY messages_row_key WHERE key = ? AND job = ? "  # noqa: S608
    "AND row_key IN (SELECT value FROM json_each(?)) AND row_key <> ''"
)

_PAGE_OF_MESSAGES = (
    f"SELECT {columns.MESSAGE} FROM messages WHERE key = ? "  # noqa: S608
    "AND (job, row, row_key, generation) > (?, ?, ?, ?) AND (? IS NULL OR run = ?) "
    "ORDER BY job, row, row_key, generation LIMIT ?"
)

_PAGE_OF_DOUBTS = (
    f"SELECT {columns.MESSAGE} FROM messages WHERE key = ? "  # noqa: S608
    "AND (job, row, row_key, generation) > (?, ?, ?, ?) AND state IN ('sending', 'in_doubt') "
    "ORDER BY job, row, row_key, generation LIMIT ?"
)

Place = tuple[int, int, str, int]
"""Where a message stands within its key: its job's number, row, row key and generation."""

FIRST: Place = (0, -1, "", 0)
"""Before every message."""


class Messages:
    """What is known of messages."""

    def __init__(self, connection: sqlite3.Connection, names: Names) -> None:
        self._connection = connection
        self._names = names

    def put(self, records: Sequence[Record]) -> None:
        number = self._names.number
        self._connection.executemany(_PUT_MESSAGE, [columns.write_record(one, number) for one in records])

    def settle(self, results: Sequence[Result]) -> None:
        """Write results, each only if its attempt is still the last one."""
        number = self._names.number
        written = [columns.write_result(one, number) for one in results]
        found = self._connection.executemany(_SET_RESULT_IN_PLACE, written).rowcount
        if found < len(written):
            # a row with a key of its own may stand elsewhere by now; to write one twice changes nothing
            by_row_key = [columns.write_result(one, number) for one in results if one.slot.row_key]
            self._connection.executemany(_SET_RESULT_BY_ROW_KEY, by_row_key)

    def find(self, slots: Sequence[Slot]) -> list[Record | None]:
        asked: dict[tuple[str, bool], list[int | str]] = {}
        for slot in slots:
            asked.setdefault((slot.job, bool(slot.row_key)), []).append(_identity(slot))
        found: dict[tuple[str, int | str], list[Record]] = {}
        for (job, by_row_key), identities in asked.items():
            for record in self._find(slots[0].key, job, identities, by_row_key=by_row_key):
                found.setdefault((job, _identity(record.slot)), []).append(record)
        if not found:
            return [None] * len(slots)
        return [_latest(found.get((slot.job, _identity(slot)), ()), slot.generation) for slot in slots]

    def last_generation(self, key: int, job: str) -> int | None:
        row = self._connection.execute(
            "SELECT max(generation) FROM messages WHERE key = ? AND job = ?", (key, self._names.find(job))
        ).fetchone()
        return None if row[0] is None else int(row[0])

    def page(self, key: int, *, run: int | None, after: Place, size: int) -> tuple[list[Record], Place]:
        """Read the messages of a key that stand after a place, and of one run only if it is given."""
        return self._page(_PAGE_OF_MESSAGES, (key, *after, run, run, size), after)

    def page_of_doubts(self, key: int, *, after: Place, size: int) -> tuple[list[Record], Place]:
        """Read the messages of a key that stand after a place and may have been accepted."""
        return self._page(_PAGE_OF_DOUBTS, (key, *after, size), after)

    def _page(self, question: str, values: tuple[Any, ...], after: Place) -> tuple[list[Record], Place]:
        rows = self._connection.execute(question, values).fetchall()
        page = [columns.read_record(row, self._names.text) for row in rows]
        return page, tuple(rows[-1][1:5]) if rows else after

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


def _identity(slot: Slot) -> int | str:
    return slot.row_key or slot.row


def _latest(records: Sequence[Record], generation: int) -> Record | None:
    """Return the record of the highest generation at or below one."""
    fitting = [record for record in records if record.slot.generation <= generation]
    return max(fitting, key=lambda record: record.slot.generation, default=None)
