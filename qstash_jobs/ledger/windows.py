"""The table of windows; whoever calls these has the transaction and turns errors into LedgerErrors."""

import sqlite3
from collections.abc import Sequence

from qstash_jobs.ledger import columns
from qstash_jobs.ledger.names import Names
from qstash_jobs.record import Window

_WINDOW = "until, owner, key, job, row, row_key, generation"


class Windows:
    """Which deduplication ids the ledger holds, and for whom."""

    def __init__(self, connection: sqlite3.Connection, names: Names) -> None:
        self._connection = connection
        self._names = names

    def find(self, dedup_ids: Sequence[str]) -> dict[str, Window]:
        found = {}
        for dedup_id in dedup_ids:
            row = self._connection.execute(
                f"SELECT {_WINDOW} FROM windows WHERE dedup_id = ?",  # noqa: S608
                (columns.write_dedup_id(dedup_id),),
            ).fetchone()
            if row is not None:
                found[dedup_id] = columns.read_window(row, dedup_id, self._names.text)
        return found

    def page(self, *, after: bytes | str | None, size: int) -> tuple[list[Window], bytes | str | None]:
        """Read the windows whose ids stand after one, and where they end."""
        # sqlite.org/datatype3.html: a text is less than any blob
        rows = self._connection.execute(
            f"SELECT {_WINDOW}, dedup_id FROM windows WHERE ?1 IS NULL OR dedup_id > ?1 "  # noqa: S608
            "ORDER BY dedup_id LIMIT ?2",
            (after, size),
        ).fetchall()
        page = [
            columns.read_window(row[:-1], columns.read_dedup_id(row[-1]), self._names.text) for row in rows
        ]
        return page, rows[-1][-1] if rows else after

    def put(self, windows: Sequence[Window]) -> None:
        number = self._names.number
        self._connection.executemany(
            f"REPLACE INTO windows (dedup_id, {_WINDOW}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            [columns.write_window(one, number) for one in windows],
        )

    def release(self, dedup_ids: Sequence[str]) -> None:
        ids = [(columns.write_dedup_id(one),) for one in dedup_ids]
        self._connection.executemany("DELETE FROM windows WHERE dedup_id = ?", ids)
