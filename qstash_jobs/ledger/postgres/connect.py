"""An Address -> a connection whose commits last, or LedgerError saying why there can be none."""

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from qstash_jobs.errors import LedgerError
from qstash_jobs.ledger.postgres.address import Address
from qstash_jobs.ledger.postgres.faults import as_ledger_errors, describe_refusal

SCHEMA = "qstash_jobs"
"""Where the ledger's tables are, so that they get in nobody's way."""

OLDEST = 13
"""The oldest major version of the server."""

# postgresql.org/docs, "Parameter Key Words"; each can be said in the address
_DEFAULTS = {
    "connect_timeout": "10",
    "fallback_application_name": "qstash-jobs",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}

# postgresql.org/docs, "Client Connection Defaults" and "Connections and Authentication". A runner that stands still,
# or is cut off, must not keep others waiting: the server ends its transactions, and notices when it is gone.
_SETTINGS = {
    "search_path": SCHEMA,
    "client_min_messages": "warning",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "statement_timeout": "0",
    "lock_timeout": "20s",
    "idle_in_transaction_session_timeout": "15s",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    # every statement here finds its rows by an index; with statistics that are young the planner may think otherwise
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_seqscan": "off",
    "jit": "off",
}

_DURABLE = ("on", "remote_apply")
"""Values of synchronous_commit with which what was committed outlasts the server's sudden end, a standby included."""


def connect(address: Address, *, read_only: bool) -> psycopg.Connection:
    """Connect, and see to it that what is committed is durable."""
    try:
        words = {**_DEFAULTS, **conninfo_to_dict(address.url), "client_encoding": "UTF8"}
        connection = psycopg.connect(make_conninfo("", **words), autocommit=True)
    except (psycopg.Error, UnicodeError) as error:
        if isinstance(error, psycopg.Error):
            raise LedgerError(describe_refusal(error, address)) from error
        raise LedgerError(f"the ledger's address {address} cannot be used: {error}") from error
    try:
        with as_ledger_errors(address):
            _check(connection, address, read_only=read_only)
            _set(connection, read_only=read_only)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: psycopg.Connection, address: Address, *, read_only: bool) -> None:
    major = connection.info.server_version // 10_000
    if major < OLDEST:
        raise LedgerError(
            f"the server of the ledger {address} is PostgreSQL {major}, and the ledger needs {OLDEST} or newer"
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise LedgerError(
            f"the database of the ledger {address} has the encoding {encoding}; create one with ENCODING 'UTF8'"
        )
    row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
    if row is not None and row[0] and not read_only:
        raise LedgerError(
            f"the server of the ledger {address} is a standby, which can only be read; name the primary with --ledger"
        )


def _set(connection: psycopg.Connection, *, read_only: bool) -> None:
    settings = {**_SETTINGS, "default_transaction_read_only": "on" if read_only else "off"}
    row = connection.execute("SELECT current_setting('synchronous_commit')").fetchone()
    if row is None or row[0] not in _DURABLE:
        settings["synchronous_commit"] = "on"
    calls = [
        sql.SQL("set_config({}, {}, false)").format(sql.Literal(name), sql.Literal(value))
        for name, value in settings.items()
    ]
    connection.execute(sql.SQL("SELECT {}").format(sql.SQL(", ").join(calls)))
