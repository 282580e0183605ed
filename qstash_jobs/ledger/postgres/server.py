"""An Address -> what can be seen of the server behind it, before anything hangs on it."""

from qstash_jobs.ledger.postgres.address import Address
from qstash_jobs.ledger.postgres.channel import Channel
from qstash_jobs.ledger.postgres.holds import list_holders
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What a ledger's server is like."""

    version: str
    is_encrypted: bool
    is_durable: bool
    """What was committed outlasts a loss of power."""
    is_writable: bool
    """This user may write what a run writes."""
    holders: tuple[str, ...]
    """The runners that are under way."""


def look_at_server(address: Address) -> Server:
    """Look at the server of a ledger that is there; LedgerError where that cannot be done."""
    channel = Channel(address, read_only=True)
    try:
        return channel.run(lambda: _look(channel))
    finally:
        channel.close()


def _look(channel: Channel) -> Server:
    row = channel.execute(
        "SELECT current_setting('server_version'), current_setting('fsync') = 'on', "
        "coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false), "
        "has_table_privilege('messages', 'INSERT, UPDATE') AND has_table_privilege('holds', 'INSERT, DELETE') "
        "AND NOT pg_is_in_recovery()"
    ).fetchone()
    version, is_durable, is_encrypted, is_writable = row or ("unknown", True, False, False)
    return Server(
        version=version,
        is_durable=is_durable,
        is_encrypted=is_encrypted,
        is_writable=is_writable,
        holders=tuple(list_holders(channel)),
    )
