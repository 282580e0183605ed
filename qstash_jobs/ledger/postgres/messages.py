"""The table of messages; whoever calls these has the transaction and turns errors into LedgerErrors.

A claim is written only where nobody else has the message, a result only where no later claim was written. Both are
one statement for many rows, so that the server itself decides between runners who try at once.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from qstash_jobs.boundary import Identity
from qstash_jobs.ledger import columns
from qstash_jobs.ledger.postgres.arrays import write_array
from qstash_jobs.ledger.postgres.channel import Channel
from qstash_jobs.ledger.postgres.names import Names
from qstash_jobs.ledger.postgres.text import escape, unescape
from qstash_jobs.record import Record, Result, Slot

_TYPES = (
    *(
        "integer",
        "integer",
        "bigint",
        "text",
        "integer",
        "bytea",
        "text",
        "bytea",
        "text",
        "bigint",
        "integer",
    ),
    *(
        "integer",
        "bigint",
        "text",
        "bigint",
        "integer",
        "double precision",
        "bigint",
        "text",
        "integer",
        "text",
    ),
)
"""Of `columns.MESSAGE`, in its order."""

_TARGET, _ENDPOINTS, _ERROR = 13, 18, 20
"""Where `columns.MESSAGE` has what QStash or a file may have put anything into."""

_KEPT = ("key", "job", "row_key", "generation")

_CHANGED = ", ".join(
    f"{name} = excluded.{name}"
    for name in [*(one for one in columns.MESSAGE.split(", ") if one not in _KEPT), "holder", "held_until"]
)

# A claim is the next attempt after the one that its runner knew, anything else leaves the number as it was. A claim of
# the same runner that is there already is one whose commit was not answered.
_IS_FREE = (
    "(messages.holder = excluded.holder AND messages.attempt = excluded.attempt) OR ("
    "messages.attempt = excluded.attempt - CASE excluded.state WHEN 'sending' THEN 1 ELSE 0 END "
    "AND messages.state NOT IN ('published', 'partial', 'abandoned') "
    "AND (excluded.state <> 'sending' OR messages.state <> 'deduplicated') "
    "AND (messages.state <> 'sending' OR messages.holder = excluded.holder "
    "OR messages.held_until < clock_timestamp()))"
)

_PUT = (
    f"INSERT INTO messages ({columns.MESSAGE}, holder, held_until) "  # noqa: S608
    "SELECT *, %s, clock_timestamp() + %s * interval '1 second' "
    f"FROM unnest({', '.join(f'%s::{one}[]' for one in _TYPES)}) "
    "ON CONFLICT ({arbiter}) DO UPDATE SET "
    f"{_CHANGED} WHERE {_IS_FREE} RETURNING job, row, row_key, generation"
)
_PUT_BY_ROW = _PUT.replace("{arbiter}", "key, job, row, row_key, generation")
_PUT_BY_ROW_KEY = _PUT.replace("({arbiter})", "(key, job, row_key, generation) WHERE row_key <> ''")

# Left to itself, the planner reads all rows of a key for each of a statement's; OFFSET 0 has it look each one up.
_LOOK_UP = "CROSS JOIN LATERAL (SELECT messages.*, messages.ctid AS place FROM messages WHERE {same} OFFSET 0) AS known"
_BY_ROW = (
    "messages.key = {given}.key AND messages.job = {given}.job AND messages.row = {given}.row "
    "AND messages.row_key = ''"
)
_BY_ROW_KEY = (
    "messages.key = {given}.key AND messages.job = {given}.job AND messages.row_key = {given}.row_key "
    "AND messages.row_key <> ''"
)

_SET_RESULTS = (
    "WITH new AS (SELECT * FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::integer[], %s::text[], "  # noqa: S608
    "%s::integer[], %s::integer[], %s::bigint[], %s::text[], %s::integer[], %s::bigint[]) "
    "AS new (state, settled_at, endpoints, status, error, key, job, row, row_key, generation, attempt)), "
    f"found AS (SELECT new.*, known.place FROM new {_LOOK_UP}) "
    "UPDATE messages SET state = found.state, settled_at = found.settled_at, endpoints = found.endpoints, "
    "status = found.status, error = found.error FROM found "
    "WHERE messages.ctid = found.place AND messages.attempt = found.attempt "
    "RETURNING found.key, found.job, found.row, found.row_key, found.generation"
)
_OF_ATTEMPT = " AND messages.generation = new.generation AND messages.attempt = new.attempt"
_SET_RESULTS_BY_ROW = _SET_RESULTS.format(same=_BY_ROW.format(given="new") + _OF_ATTEMPT)
_SET_RESULTS_BY_ROW_KEY = _SET_RESULTS.format(same=_BY_ROW_KEY.format(given="new") + _OF_ATTEMPT)

_IS_HELD = "state = 'sending' AND holder <> %s AND held_until >= clock_timestamp()"

_KNOWN = ", ".join(f"known.{name}" for name in columns.MESSAGE.split(", "))

_FIND = (
    f"SELECT {_KNOWN}, {_IS_HELD} "  # noqa: S608
    "FROM (SELECT %s::integer AS key, * FROM unnest(%s::integer[], %s::bigint[], %s::text[]) "
    f"AS asked (job, row, row_key)) AS asked {_LOOK_UP}"
)
_FIND_BY_ROW = _FIND.format(same=_BY_ROW.format(given="asked"))
_FIND_BY_ROW_KEY = _FIND.format(same=_BY_ROW_KEY.format(given="asked"))

_PAGE = (
    f"SELECT {columns.MESSAGE}, {_IS_HELD} FROM messages WHERE key = %s "  # noqa: S608
    "AND (job, row, row_key, generation) > (%s, %s, %s, %s) AND {of} "
    "ORDER BY job, row, row_key, generation LIMIT %s"
)
_PAGE_OF_RUN = _PAGE.replace("{of}", "(%s::integer IS NULL OR run = %s)")
_PAGE_OF_DOUBTS = _PAGE.replace("{of}", "state IN ('sending', 'in_doubt')")

Place = tuple[int, int, str, int]
"""Where a message stands within its key: its job's number, row, row key and generation."""

FIRST: Place = (0, -1, "", 0)
"""Before every message."""


class Messages:
    """What is known of messages, by one runner."""

    def __init__(self, channel: Channel, names: Names, *, holder: int, lease_s: float) -> None:
        self._channel = channel
        self._names = names
        self._holder = holder
        self._lease_s = lease_s

    def put(self, records: Sequence[Record]) -> frozenset[Identity]:
        """Write claims and the like; return those that were not written, because another runner has the message."""
        numbers = self._names.number_all(names_of(records))
        # of two for one message the later counts; one order for everybody, so that runners don't wait in a circle
        last = {one.slot.identity: one for one in records}
        written_out = [columns.write_record(one, numbers.__getitem__) for one in last.values()]
        rows = sorted(written_out, key=lambda row: _order(row[:5]))
        written: set[tuple[Any, ...]] = set()
        for statement, chosen in (
            (_PUT_BY_ROW, [row for row in rows if not row[3]]),
            (_PUT_BY_ROW_KEY, [row for row in rows if row[3]]),
        ):
            if chosen:
                values = (self._holder, self._lease_s, *_turn(chosen))
                for job, row, row_key, generation in self._channel.execute(statement.encode(), values):
                    written.add((job, row_key or row, generation))
        if len(written) == len(last):
            return frozenset()
        return frozenset(
            identity
            for identity, one in last.items()
            if (numbers[one.slot.job], identity[2], identity[3]) not in written
        )

    def settle(self, results: Sequence[Result]) -> frozenset[Identity]:
        """Write results, each only if its attempt is still the last one; return those that were not written."""
        numbers = self._names.number_all({one.slot.job for one in results})
        written_out = [columns.write_result(one, numbers.__getitem__) for one in results]
        rows = sorted(written_out, key=lambda row: _order(row[5:10]))
        written: set[tuple[Any, ...]] = set()
        for statement, chosen in (
            (_SET_RESULTS_BY_ROW, [row for row in rows if not row[8]]),
            (_SET_RESULTS_BY_ROW_KEY, [row for row in rows if row[8]]),
        ):
            if chosen:
                written.update(self._channel.execute(statement.encode(), _turn(chosen, texts=(2, 4))))
        return frozenset(
            one.slot.identity
            for one in results
            if columns.write_slot(one.slot, numbers.__getitem__) not in written
        )

    def find(self, slots: Sequence[Slot]) -> list[Record | None]:
        numbers = self._names.find_all({slot.job for slot in slots})
        found: dict[tuple[str, int | str], list[Record]] = {}
        for statement, chosen in (
            (_FIND_BY_ROW, [slot for slot in slots if not slot.row_key and slot.job in numbers]),
            (_FIND_BY_ROW_KEY, [slot for slot in slots if slot.row_key and slot.job in numbers]),
        ):
            if chosen:
                asked = {(numbers[slot.job], slot.row, slot.row_key or "") for slot in chosen}
                values = (self._holder, slots[0].key, *map(write_array, zip(*asked, strict=True)))
                for record in self._read(self._channel.execute(statement.encode(), values).fetchall()):
                    found.setdefault((record.slot.job, _identity(record.slot)), []).append(record)
        return [_latest(found.get((slot.job, _identity(slot)), ()), slot.generation) for slot in slots]

    def last_generation(self, key: int, job: str) -> int | None:
        row = self._channel.execute(
            "SELECT max(generation) FROM messages WHERE key = %s AND job = %s", (key, self._names.find(job))
        ).fetchone()
        return None if row is None or row[0] is None else int(row[0])

    def page(self, key: int, *, run: int | None, after: Place, size: int) -> tuple[list[Record], Place]:
        """Read the messages of a key that stand after a place, and of one run only if it is given."""
        return self._page(_PAGE_OF_RUN, (self._holder, key, *after, run, run, size), after)

    def page_of_doubts(self, key: int, *, after: Place, size: int) -> tuple[list[Record], Place]:
        """Read the messages of a key that stand after a place and may have been accepted."""
        return self._page(_PAGE_OF_DOUBTS, (self._holder, key, *after, size), after)

    def _page(self, question: str, values: tuple[Any, ...], after: Place) -> tuple[list[Record], Place]:
        rows = self._channel.execute(question.encode(), values).fetchall()
        return self._read(rows), tuple(rows[-1][1:5]) if rows else after

    def select(self, condition: str, values: dict[str, object]) -> list[Record]:
        """Read the messages that a condition with named values describes, as `search` writes it."""
        held = _IS_HELD.replace("%s", "%(holder)s")
        rows = self._channel.execute(
            f"SELECT {columns.MESSAGE}, {held} FROM messages WHERE {condition}".encode(),  # noqa: S608
            {**values, "holder": self._holder},
        )
        return self._read(rows.fetchall())

    def _read(self, rows: Sequence[tuple[Any, ...]]) -> list[Record]:
        self._names.learn(number for row in rows for number in (row[1], row[10], row[11], row[15] or row[1]))
        return [self._read_one(row) for row in rows]

    def _read_one(self, row: tuple[Any, ...]) -> Record:
        values = list(row[:21])
        for place in (_TARGET, _ENDPOINTS, _ERROR):
            values[place] = unescape(values[place])
        return columns.read_record(values, self._names.text, is_held=row[21])


def names_of(records: Sequence[Record]) -> Iterator[str]:
    """Give every name that records refer to, most of them many times."""
    for one in records:
        yield one.slot.job
        yield one.run
        yield one.file
        if one.first_maybe_sent is not None:
            yield one.first_maybe_sent.boot_id


def _turn(
    rows: Sequence[tuple[Any, ...]], *, texts: Sequence[int] = (_TARGET, _ENDPOINTS, _ERROR)
) -> list[str]:
    """Turn rows into columns, with what may hold anything made fit for PostgreSQL."""
    turned: list[Sequence[Any]] = list(zip(*rows, strict=True))
    for place in texts:
        turned[place] = list(map(escape, turned[place]))
    return list(map(write_array, turned))


def _order(slot: Sequence[Any]) -> tuple[Any, ...]:
    """Return what a slot is sorted by: a row that has a key may stand at another place in every runner's file."""
    key, job, row, row_key, generation = slot
    return key, job, row_key, 0 if row_key else row, generation


def _identity(slot: Slot) -> int | str:
    return slot.row_key or slot.row


def _latest(records: Sequence[Record], generation: int) -> Record | None:
    """Return the record of the highest generation at or below one."""
    fitting = [record for record in records if record.slot.generation <= generation]
    return max(fitting, key=lambda record: record.slot.generation, default=None)
