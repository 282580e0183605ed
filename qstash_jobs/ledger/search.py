"""What a person types to mean a message -> the messages that it may mean.

None of this has an index, because random keys would be most of the ledger's cost: a search reads the whole table,
in about a second for a million messages.
"""

import re
import sqlite3
from collections.abc import Iterator

from qstash_jobs.ledger import columns
from qstash_jobs.ledger.names import Names
from qstash_jobs.record import Record

MOST = 20
"""Messages given at most."""

_DIGITS = 40
"""Of our ids, after `qj-`."""

_OF_RUN = "(:run IS NULL OR key IN (SELECT key FROM run_keys WHERE run = :run))"

_HAS_MESSAGE_ID = (
    "CASE WHEN substr(endpoints, 1, 1) = '[' "
    "THEN EXISTS (SELECT 1 FROM json_each(endpoints) WHERE json_extract(value, '$[0]') = :text) "
    "ELSE endpoints = :text END"
)


class Search:
    """Looks for messages, in the whole ledger or among those of one run's keys."""

    def __init__(self, connection: sqlite3.Connection, names: Names, run: int | None) -> None:
        self._connection = connection
        self._names = names
        self._run = run

    def find(self, text: str) -> list[Record]:
        """Find messages by a QStash id, by the beginning of our id, or by full name; those written last come first.

        The bare name of a job with rows means any of its messages.
        """
        if text.startswith("qj-"):
            ids = id_range(text)
            return self._select("id BETWEEN :first AND :last", first=ids[0], last=ids[1]) if ids else []
        return (
            self._select(_HAS_MESSAGE_ID, text=text) if text.startswith("msg_") else self._find_by_name(text)
        )

    def _find_by_name(self, text: str) -> list[Record]:
        job = self._names.find(text)
        found = [] if job is None else self._select("job = :job", job=job)
        for name, row_key in read_row_names(text):
            job = self._names.find(name)
            if job is not None:
                row = int(row_key) if row_key.isascii() and row_key.isdigit() and len(row_key) < 18 else -1
                found += self._select(
                    "job = :job AND (row_key = :row_key OR row_key = '' AND row = :row)",
                    job=job,
                    row_key=row_key,
                    row=row,
                )
        return found[:MOST]

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


def read_row_names(text: str) -> Iterator[tuple[str, str]]:
    """Give every way to read a text as `job[row key]`; `identity.message_name` writes it."""
    for place, letter in enumerate(text):
        if letter == "[" and text.endswith("]"):
            yield text[:place], re.sub(r"\\(.)", r"\1", text[place + 1 : -1])
