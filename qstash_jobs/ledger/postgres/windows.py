"""The table of windows; whoever calls these has the transaction and turns errors into LedgerErrors."""

from collections.abc import Sequence, Set

from qstash_jobs.boundary import Identity
from qstash_jobs.ledger import columns
from qstash_jobs.ledger.postgres.channel import Channel
from qstash_jobs.ledger.postgres.names import Names
from qstash_jobs.record import Window

# two numbers lock something else than one does, as `holds` and `migrations` use it
_QUEUE = (0x716A, 1)
"""The advisory lock under which one transaction at a time changes windows."""

_WINDOW = "until, owner, key, job, row, row_key, generation"

# what `publish.decide.refuse_window` lets through: the same message's, or one that is over and of the same job
_PUT = (
    f"INSERT INTO windows (dedup_id, {_WINDOW}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) "  # noqa: S608
    "ON CONFLICT (dedup_id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _WINDOW.split(", "))
    + " WHERE (windows.owner = excluded.owner AND windows.until <= extract(epoch FROM clock_timestamp())) "
    "OR (windows.key = excluded.key AND windows.job = excluded.job "
    "AND windows.generation = excluded.generation AND windows.row_key = excluded.row_key "
    "AND (windows.row_key <> '' OR windows.row = excluded.row))"
)


class Windows:
    """Which deduplication ids the ledger holds, and for whom."""

    def __init__(self, channel: Channel, names: Names) -> None:
        self._channel = channel
        self._names = names

    def find(self, dedup_ids: Sequence[str]) -> dict[str, Window]:
        asked = {_write_id(one): one for one in dedup_ids}
        rows = self._channel.execute(
            f"SELECT dedup_id, {_WINDOW} FROM windows WHERE dedup_id = ANY(%s::bytea[])",  # noqa: S608
            (list(asked),),
        ).fetchall()
        return {asked[row[0]]: columns.read_window(row[1:], asked[row[0]], self._names.text) for row in rows}

    def page(self, *, after: bytes, size: int) -> tuple[list[Window], bytes]:
        """Read the windows whose ids stand after one, and where they end."""
        rows = self._channel.execute(
            f"SELECT {_WINDOW}, dedup_id FROM windows WHERE dedup_id > %s ORDER BY dedup_id LIMIT %s",  # noqa: S608
            (after, size),
        ).fetchall()
        page = [columns.read_window(row[:-1], _read_id(row[-1]), self._names.text) for row in rows]
        return page, rows[-1][-1] if rows else after

    def queue_up(self) -> None:
        """Wait for the transactions of others that take windows or give them back, before anything else in this one.

        They lock messages and windows by turns, so that no order of rows keeps them from waiting in a circle.
        """
        self._channel.execute("SELECT pg_advisory_xact_lock(%s, %s)", _QUEUE)

    def put(self, windows: Sequence[Window]) -> frozenset[str]:
        """Take windows; return the ids that another message holds."""
        numbers = self._names.number_all(name for one in windows for name in (one.job, one.slot.job))
        taken = set()
        for window in sorted(windows, key=lambda one: one.dedup_id):
            values = columns.write_window(window, numbers.__getitem__)
            if not self._channel.execute(_PUT, (_write_id(window.dedup_id), *values[1:])).rowcount:
                taken.add(window.dedup_id)
        return frozenset(taken)

    def release(self, dedup_ids: Sequence[str], *, but_of: Set[Identity]) -> None:
        """Give windows back, but for those of messages that another runner has claimed: it goes on with them."""
        found = self.find(dedup_ids) if but_of else {}
        kept = {id_ for id_, window in found.items() if window.slot.identity in but_of}
        ids = sorted(_write_id(id_) for id_ in dedup_ids if id_ not in kept)
        self._channel.execute("DELETE FROM windows WHERE dedup_id = ANY(%s::bytea[])", (ids,))


def _write_id(dedup_id: str) -> bytes:
    """Write a derived id as its 20 bytes behind a one, and any other as text behind a zero."""
    written = columns.write_dedup_id(dedup_id)
    return b"\0" + written.encode() if isinstance(written, str) else b"\1" + written


def _read_id(stored: bytes) -> str:
    return columns.read_dedup_id(stored[1:].decode() if stored[:1] == b"\0" else stored[1:])
