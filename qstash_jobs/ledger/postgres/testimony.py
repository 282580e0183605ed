"""The tables of evidence and of what QStash's log listed; whoever calls these has the transaction."""

from collections.abc import Sequence

from qstash_jobs.ledger import columns
from qstash_jobs.ledger.postgres.channel import Channel
from qstash_jobs.ledger.postgres.names import Names
from qstash_jobs.ledger.postgres.text import escape, unescape
from qstash_jobs.record import Evidence, Listed, Slot


class Testimony:
    """What others than QStash's answers said of messages."""

    def __init__(self, channel: Channel, names: Names) -> None:
        self._channel = channel
        self._names = names

    def add(self, evidence: Sequence[Evidence]) -> None:
        """Add what was found out; what is there already, because the answer to its commit was lost, is not doubled."""
        for one in evidence:
            self._channel.execute(
                "INSERT INTO evidence (key, job, row, row_key, generation, at, witness, verdict, who) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                columns.write_evidence(one, self._names.number),
            )

    def find(self, slot: Slot) -> tuple[Evidence, ...]:
        """Look up what is known of one message, oldest first."""
        rows = self._channel.execute(
            "SELECT at, witness, verdict, who FROM evidence WHERE key = %s AND job = %s AND row_key = %s "
            "AND (row_key <> '' OR row = %s) AND generation = %s ORDER BY number",
            (slot.key, self._names.find(slot.job), slot.row_key or "", slot.row, slot.generation),
        )
        return tuple(columns.read_evidence(row, slot) for row in rows)

    def put_listed(self, key: int, listed: Sequence[Listed]) -> None:
        rows = {
            one.label: (columns.write_time(one.at), escape(columns.write_endpoints(one.endpoints)))
            for one in listed
        }
        self._channel.execute(
            "INSERT INTO listed (key, label, at, endpoints) SELECT %s, new.label, new.at, new.endpoints "
            "FROM unnest(%s::text[], %s::bigint[], %s::text[]) AS new (label, at, endpoints) "
            "ORDER BY new.label "
            "ON CONFLICT (key, label) DO UPDATE SET at = excluded.at, endpoints = excluded.endpoints",
            (key, list(rows), [at for at, _ in rows.values()], [endpoints for _, endpoints in rows.values()]),
        )

    def find_listed(self, key: int, labels: Sequence[str]) -> dict[str, Listed]:
        if self._channel.execute("SELECT 1 FROM listed WHERE key = %s LIMIT 1", (key,)).fetchone() is None:
            return {}
        rows = self._channel.execute(
            "SELECT label, at, endpoints FROM listed WHERE key = %s AND label = ANY(%s::text[])",
            (key, list(labels)),
        )
        return {label: columns.read_listed(label, at, unescape(endpoints)) for label, at, endpoints in rows}
