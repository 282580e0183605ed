"""The tables of evidence and of what QStash's log listed; whoever calls these has the transaction."""

import json
import sqlite3
from collections.abc import Sequence

from qstash_jobs.ledger import columns
from qstash_jobs.ledger.names import Names
from qstash_jobs.record import Evidence, Listed, Slot

_OF_MESSAGE = "key = ? AND job = ? AND row_key = ? AND (row_key <> '' OR row = ?) AND generation = ?"


class Testimony:
    """What others than QStash's answers said of messages."""

    def __init__(self, connection: sqlite3.Connection, names: Names) -> None:
        self._connection = connection
        self._names = names

    def add(self, evidence: Sequence[Evidence]) -> None:
        self._connection.executemany(
            "INSERT INTO evidence (key, job, row, row_key, generation, at, witness, verdict, who) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [columns.write_evidence(one, self._names.number) for one in evidence],
        )

    def find(self, slot: Slot) -> tuple[Evidence, ...]:
        """Look up what is known of one message, oldest first."""
        rows = self._connection.execute(
            f"SELECT at, witness, verdict, who FROM evidence WHERE {_OF_MESSAGE} ORDER BY number",  # noqa: S608
            (slot.key, self._names.find(slot.job), slot.row_key or "", slot.row, slot.generation),
        )
        return tuple(columns.read_evidence(row, slot) for row in rows)

    def put_listed(self, key: int, listed: Sequence[Listed]) -> None:
        self._connection.executemany(
            "REPLACE INTO listed (key, label, at, endpoints) VALUES (?, ?, ?, ?)",
            [
                (key, one.label, columns.write_time(one.at), columns.write_endpoints(one.endpoints))
                for one in listed
            ],
        )

    def find_listed(self, key: int, labels: Sequence[str]) -> dict[str, Listed]:
        if self._connection.execute("SELECT 1 FROM listed WHERE key = ? LIMIT 1", (key,)).fetchone() is None:
            return {}
        rows = self._connection.execute(
            "SELECT label, at, endpoints FROM listed "
            "WHERE key = ? AND label IN (SELECT value FROM json_each(?))",
            (key, json.dumps(labels)),
        )
        return {row[0]: columns.read_listed(*row) for row in rows}
