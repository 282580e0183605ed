"""The tables of runs and run keys; whoever calls these has the transaction and turns errors into LedgerErrors."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from qstash_jobs.ledger import columns
from qstash_jobs.ledger.postgres.channel import Channel
from qstash_jobs.ledger.postgres.names import Names
from qstash_jobs.record import OpenKey, Run, RunKey

_RUN = (
    "number, started_at, project, environment, target, paths, options, expected, ended_at, exit_code, totals"
)


class Runs:
    """Runs, and the keys that they share."""

    def __init__(self, channel: Channel, names: Names) -> None:
        self._channel = channel
        self._names = names

    def start(self, run: Run) -> None:
        # once more, where the answer to the first time was lost, changes nothing
        self._channel.execute(
            f"INSERT INTO runs ({_RUN}) VALUES ({', '.join(['%s'] * 11)}) ON CONFLICT DO NOTHING",  # noqa: S608
            columns.write_run(run, self._names.number),
        )
        for text in run.keys:
            key = RunKey(project=run.project, environment=run.environment, target=run.target, text=text)
            self.open_key(key, run=run.id, at=run.started_at)

    def end(self, run: str, *, at: datetime, exit_code: int, totals: dict[str, int]) -> bool:
        """Write how a run ended; say whether there is such a run."""
        ended = self._channel.execute(
            "UPDATE runs SET ended_at = %s, exit_code = %s, totals = %s WHERE number = %s",
            (columns.write_time(at), exit_code, json.dumps(totals), self._names.find(run)),
        )
        return bool(ended.rowcount)

    def page(self, *, before: str | None, size: int) -> list[Run]:
        """Read the newest runs, or the newest before one."""
        number = None if before is None else self._names.find(before)
        return self._read(
            "%(number)s::integer IS NULL OR number < %(number)s", {"number": number, "size": size}
        )

    def find(self, beginning: str) -> list[Run]:
        if "\0" in beginning:
            return []
        return self._read(
            "starts_with((SELECT text FROM names WHERE names.number = runs.number), %(beginning)s)",
            {"beginning": beginning, "size": None},
        )

    def open_key(self, key: RunKey, *, run: str, at: datetime) -> OpenKey:
        number = self._names.number(run)
        opened = self.find_key(key)
        if opened is None:
            self._channel.execute(
                "INSERT INTO keys (project, environment, target, text, first_run, started_at) "
                "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                (key.project, key.environment, key.target, key.text, number, columns.write_time(at)),
            )
            (opened,) = self._read_keys(key)
        self._channel.execute(
            "INSERT INTO run_keys (run, key) VALUES (%s, %s) ON CONFLICT DO NOTHING", (number, opened.number)
        )
        return opened

    def find_key(self, key: RunKey) -> OpenKey | None:
        return next(self._read_keys(key), None)

    def keys(self) -> list[OpenKey]:
        """List every key, in the order of their first runs."""
        rows = self._channel.execute(
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
        rows = self._channel.execute(
            "SELECT number FROM keys WHERE %(run)s::integer IS NULL "
            "OR number IN (SELECT key FROM run_keys WHERE run = %(run)s) ORDER BY number",
            {"run": run},
        )
        return [row[0] for row in rows]

    def _read_keys(self, key: RunKey) -> Iterator[OpenKey]:
        rows = self._channel.execute(
            "SELECT number, first_run, started_at FROM keys "
            "WHERE project = %s AND environment = %s AND target = %s AND text = %s",
            (key.project, key.environment, key.target, key.text),
        )
        return (columns.read_key(row, key, self._names.text) for row in rows.fetchall())

    def _read(self, condition: str, values: Mapping[str, Any]) -> list[Run]:
        rows = self._channel.execute(
            f"SELECT {_RUN} FROM runs WHERE {condition} ORDER BY number DESC LIMIT %(size)s".encode(),  # noqa: S608
            values,
        ).fetchall()
        return [columns.read_run(row, self._keys_of(row[0]), self._names.text) for row in rows]

    def _keys_of(self, run: int) -> list[str]:
        rows = self._channel.execute(
            "SELECT text FROM run_keys JOIN keys ON keys.number = run_keys.key "
            "WHERE run_keys.run = %s ORDER BY run_keys.place",
            (run,),
        )
        return [row[0] for row in rows]
