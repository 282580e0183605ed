"""The tables of runs and run keys; whoever calls these has the transaction and turns errors into LedgerErrors."""

import json
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from qstash_jobs.ledger import columns
from qstash_jobs.ledger.names import Names
from qstash_jobs.record import OpenKey, Run, RunKey

_RUN = (
    "number, started_at, project, environment, target, paths, options, expected, ended_at, exit_code, totals"
)


class Runs:
    """Runs, and the keys that they share."""

    def __init__(self, connection: sqlite3.Connection, names: Names) -> None:
        self._connection = connection
        self._names = names

    def start(self, run: Run) -> None:
        self._connection.execute(
            f"INSERT INTO runs ({_RUN}) VALUES ({', '.join('?' * 11)})",  # noqa: S608
            columns.write_run(run, self._names.number),
        )
        for text in run.keys:
            key = RunKey(project=run.project, environment=run.environment, target=run.target, text=text)
            self.open_key(key, run=run.id, at=run.started_at)

    def end(self, run: str, *, at: datetime, exit_code: int, totals: dict[str, int]) -> bool:
        """Write how a run ended; say whether there is such a run."""
        ended = self._connection.execute(
            "UPDATE runs SET ended_at = ?, exit_code = ?, totals = ? WHERE number = ?",
            (columns.write_time(at), exit_code, json.dumps(totals), self._names.find(run)),
        )
        return bool(ended.rowcount)

    def page(self, *, before: str | None, size: int) -> list[Run]:
        """Read the newest runs, or the newest before one."""
        number = None if before is None else self._names.find(before)
        return self._read("(?1 IS NULL OR number < ?1)", (number,), size)

    def find(self, beginning: str) -> list[Run]:
        condition = "substr((SELECT text FROM names WHERE names.number = runs.number), 1, length(?1)) = ?1"
        return self._read(condition, (beginning,), -1)

    def open_key(self, key: RunKey, *, run: str, at: datetime) -> OpenKey:
        names = (key.project, key.environment, key.target, key.text)
        number = self._names.number(run)
        self._connection.execute(
            "INSERT INTO keys (project, environment, target, text, first_run, started_at) "
            "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (*names, number, columns.write_time(at)),
        )
        (opened,) = self._read_keys(key)
        self._connection.execute(
            "INSERT INTO run_keys (run, key) VALUES (?, ?) ON CONFLICT DO NOTHING", (number, opened.number)
        )
        return opened

    def find_key(self, key: RunKey) -> OpenKey | None:
        return next(self._read_keys(key), None)

    def keys(self) -> list[OpenKey]:
        """List every key, in the order of their first runs."""
        rows = self._connection.execute(
            "SELECT number, first_run, started_at, project, environment, target, text FROM keys ORDER BY number"
        ).fetchall()
        return [
            columns.read_key(
                row[:3],
                RunKey(project=row[3], environment=row[4], target=row[5], text=row[6]),
                self._names.text,
            )
            for row in rows
        ]

    def key_numbers(self, run: int | None) -> list[int]:
        """List the keys of a run, or all of them, in the order of their first runs."""
        rows = self._connection.execute(
            "SELECT number FROM keys WHERE ?1 IS NULL "
            "OR number IN (SELECT key FROM run_keys WHERE run = ?1) ORDER BY number",
            (run,),
        )
        return [row[0] for row in rows]

    def _read_keys(self, key: RunKey) -> Iterator[OpenKey]:
        rows = self._connection.execute(
            "SELECT number, first_run, started_at FROM keys "
            "WHERE project = ? AND environment = ? AND target = ? AND text = ?",
            (key.project, key.environment, key.target, key.text),
        )
        return (columns.read_key(row, key, self._names.text) for row in rows.fetchall())

    def _read(self, condition: str, values: tuple[Any, ...], size: int) -> list[Run]:
        rows = self._connection.execute(
            f"SELECT {_RUN} FROM runs WHERE {condition} ORDER BY number DESC LIMIT {size}",  # noqa: S608
            values,
        ).fetchall()
        return [columns.read_run(row, self._keys_of(row[0]), self._names.text) for row in rows]

    def _keys_of(self, run: int) -> list[str]:
        rows = self._connection.execute(
            "SELECT text FROM run_keys JOIN keys ON keys.number = run_keys.key "
            "WHERE run_keys.run = ? ORDER BY run_keys.rowid",
            (run,),
        )
        return [row[0] for row in rows]
