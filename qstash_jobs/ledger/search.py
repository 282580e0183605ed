"""What a person types to mean a message -> the messages that it may mean.

None of this has an index, because random keys would be most of the ledger's cost: a search reads the whole table,
in about a second for a million messages.
"""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from qstash_jobs.ledger import columns
from qstash_jobs.ledger.names import Names
from qstash_jobs.record import Record
from qstash_jobs.value import dataclass

MOST = 20
"""Messages given at most."""

_DIGITS = 40
"""Of our ids, after `qj-`."""

_OF_RUN = "(:run IS NULL OR key IN (SELECT key FROM run_keys WHERE run = :run))"

_OF_JOBS = "job IN (SELECT value FROM json_each(:jobs))"

_HAS_MESSAGE_ID = (
    "CASE WHEN substr(endpoints, 1, 1) = '[' "
    "THEN EXISTS (SELECT 1 FROM json_each(endpoints) WHERE json_extract(value, '$[0]') = :text) "
    "ELSE endpoints = :text END"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row as a person names it: by its key, or by its number where it has none."""

    key: str
    number: int
    """-1 where the key is no number."""


class JobNames(Protocol):
    """The names of jobs, as a ledger has them."""

    def find_full(self, name: str) -> list[int]:
        """Return the number of a full name, if it has one."""

    def find_by_id(self, job_id: str) -> list[int]:
        """Return the numbers of the full names that end in a job's id."""


class Search:
    """Looks for messages, in the whole ledger or among those of one run's keys."""

    def __init__(self, connection: sqlite3.Connection, names: Names, run: int | None) -> None:
        self._connection = connection
        self._names = names
        self._run = run

    def find(self, text: str) -> list[Record]:
        """Find messages by a QStash id, by the beginning of our id, or by name; those written last come first."""
        if text.startswith("qj-"):
            ids = id_range(text)
            return self._select("id BETWEEN :first AND :last", first=ids[0], last=ids[1]) if ids else []
        if text.startswith("msg_"):
            return self._select(_HAS_MESSAGE_ID, text=text)
        return find_by_name(text, self._names, self._select_named)

    def _select_named(self, jobs: Sequence[int], row: Row | None) -> list[Record]:
        if row is None:
            return self._select(_OF_JOBS, jobs=json.dumps(jobs))
        return self._select(
            f"{_OF_JOBS} AND (row_key = :row_key OR row_key = '' AND row = :row)",
            jobs=json.dumps(jobs),
            row_key=row.key,
            row=row.number,
        )

    def _select(self, condition: str, **values: object) -> list[Record]:
        rows = self._connection.execute(
            f"SELECT {columns.MESSAGE} FROM messages WHERE {condition} AND {_OF_RUN} "  # noqa: S608
            f"ORDER BY run DESC, generation DESC, key DESC, job, row, row_key LIMIT {MOST}",
            {**values, "run": self._run},
        )
        return [columns.read_record(row, self._names.text) for row in rows]


def id_range(text: str) -> tuple[bytes, bytes] | None:
    """Give the first and the last of our ids that begin so, as they are stored; None where none can."""
    digits = text.removeprefix("qj-").lower()
    if len(digits) > _DIGITS or set(digits) - set("0123456789abcdef"):
        return None
    return bytes.fromhex(digits.ljust(_DIGITS, "0")), bytes.fromhex(digits.ljust(_DIGITS, "f"))


def find_by_name(
    text: str, names: JobNames, select: Callable[[Sequence[int], Row | None], list[Record]]
) -> list[Record]:
    """Find messages by full name, or where none has it, by the bare id of their job.

    A job with rows stands for any of its messages. `select` reads the messages of some jobs, and of one row only
    if it is given.
    """
    for find_jobs in (names.find_full, names.find_by_id):
        found: list[Record] = []
        for job, row in _read_names(text):
            jobs = find_jobs(job)
            found += select(jobs, row) if jobs else []
        if found:
            return found[:MOST]
    return []


def _read_names(text: str) -> Iterator[tuple[str, Row | None]]:
    """Give every way to read a text as `job` or `job[row key]`; `identity.message_name` writes it."""
    yield text, None
    for place, letter in enumerate(text):
        if letter == "[" and text.endswith("]"):
            yield text[:place], _read_row(re.sub(r"\\(.)", r"\1", text[place + 1 : -1]))


def _read_row(key: str) -> Row:
    return Row(key=key, number=int(key) if key.isascii() and key.isdigit() and len(key) < 18 else -1)
