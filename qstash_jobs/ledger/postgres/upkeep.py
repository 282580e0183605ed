"""A ledger's tables -> what is not in order in them; and less of them, where they have grown old."""

from collections.abc import Iterator
from datetime import datetime

from qstash_jobs.ledger import columns
from qstash_jobs.ledger.postgres.channel import Channel
from qstash_jobs.ledger.postgres.connect import SCHEMA
from qstash_jobs.ledger.upkeep import DOUBTFUL, FAULTS, say_fault
from qstash_jobs.record import Pruned

_TABLES = ("messages", "windows", "evidence", "listed", "run_keys", "keys", "runs", "names")

_USED = (
    "greatest(keys.started_at, "
    "(SELECT max(greatest(runs.started_at, runs.ended_at)) FROM run_keys "
    "JOIN runs ON runs.number = run_keys.run WHERE run_keys.key = keys.number), "
    "(SELECT max(greatest(settled_at, maybe_wall)) FROM messages WHERE messages.key = keys.number))"
)
"""When a key was last used: a run that goes on writes all the time. (`greatest` passes over what is NULL)"""


def check(channel: Channel) -> Iterator[str]:
    """Read everything and say what is not in order, a sentence each."""
    for condition, fault in FAULTS.items():
        number = _count(channel, f"messages WHERE {condition}")
        if number:
            yield say_fault(number, fault)


def newest_at(channel: Channel) -> datetime | None:
    """Return the latest moment that anything was written with."""
    row = channel.execute(
        "SELECT greatest((SELECT max(greatest(started_at, ended_at)) FROM runs), "
        "(SELECT max(greatest(settled_at, maybe_wall)) FROM messages), (SELECT max(at) FROM evidence))"
    ).fetchone()
    return columns.read_time(row[0]) if row is not None and row[0] else None


def forget(channel: Channel, *, before: datetime, now: datetime) -> Pruned:
    """Forget what was last used before a moment; whoever calls this has the transaction."""
    cutoff, held_from = columns.write_time(before), now.timestamp()
    rows = channel.execute(f"SELECT number FROM keys WHERE {_USED} < %s".encode(), (cutoff,))  # noqa: S608
    old = [number for (number,) in rows]
    doubtful = _count(channel, f"messages WHERE key = ANY(%s) AND {DOUBTFUL}", old)
    rows = channel.execute(
        f"SELECT DISTINCT key FROM messages WHERE key = ANY(%s) AND {DOUBTFUL}".encode(),  # noqa: S608
        (old,),
    )
    old = sorted(set(old) - {number for (number,) in rows})
    rows = channel.execute(
        "SELECT DISTINCT key FROM windows WHERE key = ANY(%s) AND until > %s", (old, held_from)
    )
    held = {number for (number,) in rows}
    return _forget_keys(channel, sorted(set(old) - held), cutoff, doubtful=doubtful, held=len(held))


def _forget_keys(channel: Channel, old: list[int], cutoff: int, *, doubtful: int, held: int) -> Pruned:
    def delete(text: str, *values: object) -> int:
        return channel.execute(f"DELETE FROM {text}".encode(), values).rowcount  # noqa: S608

    messages, windows = (
        delete("messages WHERE key = ANY(%s)", old),
        delete("windows WHERE key = ANY(%s)", old),
    )
    for table in ("evidence", "listed", "run_keys"):
        delete(f"{table} WHERE key = ANY(%s)", old)
    keys = delete("keys WHERE number = ANY(%s)", old)
    rows = channel.execute(
        "DELETE FROM runs WHERE greatest(started_at, ended_at) < %s "
        "AND number NOT IN (SELECT run FROM run_keys) RETURNING number",
        (cutoff,),
    )
    runs = [number for (number,) in rows]
    # other names may be in the memory of a run that is under way; an old run's id is in nobody's any more
    delete(
        "names WHERE number = ANY(%s) AND number NOT IN (SELECT first_run FROM keys) "
        "AND number NOT IN (SELECT run FROM messages)",
        runs,
    )
    return Pruned(
        runs=len(runs),
        keys=keys,
        messages=messages,
        windows=windows,
        doubtful=doubtful,
        held=held,
        freed_bytes=0,
    )


def give_back(channel: Channel) -> int:
    """Give the room of what was forgotten back, as far as others can go on meanwhile; return how many bytes."""
    before = _size(channel)
    channel.execute(f"VACUUM (ANALYZE) {', '.join(_TABLES)}".encode())
    return max(0, before - _size(channel))


def _size(channel: Channel) -> int:
    row = channel.execute(
        "SELECT sum(pg_total_relation_size(oid)) FROM pg_class "
        "WHERE relnamespace = to_regnamespace(%s) AND relkind = 'r'",
        (SCHEMA,),
    ).fetchone()
    return int(row[0]) if row is not None else 0


def _count(channel: Channel, text: str, *values: object) -> int:
    row = channel.execute(f"SELECT count(*) FROM {text}".encode(), values).fetchone()  # noqa: S608
    return int(row[0]) if row is not None else 0
