"""What a person types to mean a message -> the messages that it may mean.

None of this has an index, because random keys would be most of the ledger's cost: a search reads the whole table.
"""

import json
from collections.abc import Sequence

from qstash_jobs.ledger.postgres.messages import Messages
from qstash_jobs.ledger.postgres.names import Names
from qstash_jobs.ledger.postgres.text import escape
from qstash_jobs.ledger.search import MOST, Row, find_by_name, id_range
from qstash_jobs.record import Record

_OF_RUN = "(%(run)s::integer IS NULL OR key IN (SELECT key FROM run_keys WHERE run = %(run)s))"

_OF_JOBS = "job = ANY(%(jobs)s)"

_ORDER = f"ORDER BY run DESC, generation DESC, key DESC, job, row, row_key LIMIT {MOST}"


class Search:
    """Looks for messages, in the whole ledger or among those of one run's keys."""

    def __init__(self, messages: Messages, names: Names, run: int | None) -> None:
        self._messages = messages
        self._names = names
        self._run = run

    def find(self, text: str) -> list[Record]:
        """Find messages by a QStash id, by the beginning of our id, or by name; those written last come first."""
        if "\0" in text:
            return []
        if text.startswith("qj-"):
            ids = id_range(text)
            return self._select("id BETWEEN %(first)s AND %(last)s", first=ids[0], last=ids[1]) if ids else []
        if text.startswith("msg_"):
            # an endpoint among several begins so; inside of a text the quotes would be escaped
            part = escape(f"[{json.dumps(text, ensure_ascii=False)},")
            return self._select(
                "(endpoints = %(text)s OR position(%(part)s IN endpoints) > 0)", text=escape(text), part=part
            )
        return find_by_name(text, self._names, self._select_named)

    def _select_named(self, jobs: Sequence[int], row: Row | None) -> list[Record]:
        if row is None:
            return self._select(_OF_JOBS, jobs=jobs)
        return self._select(
            f"{_OF_JOBS} AND (row_key = %(row_key)s OR row_key = '' AND row = %(row)s)",
            jobs=jobs,
            row_key=row.key,
            row=row.number,
        )

    def _select(self, condition: str, **values: object) -> list[Record]:
        return self._messages.select(f"{condition} AND {_OF_RUN} {_ORDER}", {**values, "run": self._run})
