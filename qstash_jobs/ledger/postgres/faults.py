"""psycopg.Error -> LedgerError, in words that name the ledger and say what to do. No password is ever in them."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from qstash_jobs.errors import LedgerError
from qstash_jobs.ledger.postgres.address import Address


@contextmanager
def as_ledger_errors(address: Address) -> Iterator[None]:
    """Turn what the database refuses inside the block into LedgerErrors."""
    try:
        yield
    except psycopg.Error as error:
        raise LedgerError(describe(error, address)) from error
    except (UnicodeError, OverflowError) as error:
        raise LedgerError(f"the ledger {address} cannot hold this value: {error}") from error


def describe(error: psycopg.Error, address: Address) -> str:
    """Say what happened to the ledger and what to do about it."""
    words = say(error)
    code = error.sqlstate or ""
    for beginning, sentence in _BY_CODE.items():
        if code.startswith(beginning):
            return sentence.format(address=address, error=words)
    if isinstance(error, psycopg.DataError | psycopg.ProgrammingError) and not code:
        return f"the ledger {address} cannot hold this value: {words}"
    return f"the ledger {address} could not be used: {words}"


def describe_refusal(error: psycopg.Error, address: Address) -> str:
    """Say why no connection came about; libpq tells that in words only.

    (libpq has no error code for a connection that failed: postgresql.org/docs, "Database Connection Control Functions")
    """
    words = say(error)
    for signs, sentence in _BY_WORDS.items():
        if any(sign in words for sign in signs):
            return sentence.format(address=address, error=words)
    return (
        f"the ledger {address} cannot be reached ({words}); is its server running, and is the address right?"
    )


def is_lost(error: psycopg.Error, connection: psycopg.Connection) -> bool:
    """Say whether it was the connection that failed, and not what was asked through it."""
    # postgresql.org/docs, "PostgreSQL Error Codes": 08 connection exception; 57P01-03 the server ends or begins
    lost = (error.sqlstate or "")[:2] == "08" or error.sqlstate in (
        "57P01",
        "57P02",
        "57P03",
        "57P05",
        "25P03",
    )
    return connection.broken or connection.closed or lost


def is_conflict(error: psycopg.Error) -> bool:
    """Say whether another runner was in the way, so that the same may go well now."""
    # the same page: 40 transaction rollback (a deadlock), 55P03 lock not available, 23505 unique violation: ON CONFLICT
    # settles what meets in the index that it names, and messages with a row key stand in two
    return (error.sqlstate or "")[:2] == "40" or error.sqlstate in ("55P03", "23505")


def say(error: psycopg.Error) -> str:
    """Give an error's own words on one line."""
    primary = error.diag.message_primary if error.sqlstate else None
    # libpq's own advice stands on a line of its own, behind a tab
    words = (
        (primary or str(error))
        .replace("connection failed: ", "")
        .replace("connection is bad: ", "")
        .partition("\n\t")[0]
    )
    return " ".join(words.split())


_BY_CODE = {
    "42501": (
        "the ledger {address} does not permit this ({error}); "
        "grant this user the use of the schema qstash_jobs and of its tables"
    ),
    "25006": "the ledger {address} can only be read ({error}); name the primary server with --ledger",
    "53100": "no room is left for the ledger {address}; make some on its server's disk and try again",
    "53": "the server of the ledger {address} has nothing left to give ({error}); try again later",
    "55P03": "another program keeps the ledger {address} busy; try again when that has ended",
    "40": "another program keeps the ledger {address} busy; try again when that has ended",
    "58": "the ledger {address} could not be read or written ({error}); check the disk of its server",
    "XX": "the ledger {address} is damaged ({error}); put a copy of it back",
    "22": "the ledger {address} cannot hold this value: {error}",
}
"""By the beginning of an SQLSTATE; the first that fits."""

_BY_WORDS = {
    ("password authentication failed", "no password supplied"): (
        "the ledger {address} does not take the password ({error}); "
        "set PGPASSWORD, or a line in the file that PGPASSFILE names"
    ),
    ("no pg_hba.conf entry", "permission denied", "authentication failed", "is not permitted to log in"): (
        "the ledger {address} does not let this user in ({error}); its server's pg_hba.conf says who may"
    ),
    ("SSL", "TLS", "certificate"): (
        "no TLS connection to the ledger {address} can be made ({error}); "
        "see sslmode and sslrootcert in its address"
    ),
    ("does not exist",): (
        "the ledger {address} has no such database or user ({error}); create it, or mend the address"
    ),
    (
        *("invalid connection option", "invalid URI", "invalid percent-encoded", "invalid integer value"),
        *("invalid port", "invalid sslmode", "bad value for", 'missing "="', "definition of service"),
    ): ("the ledger's address {address} cannot be used: {error}"),
    ("too many clients", "remaining connection slots", "too many connections"): (
        "the server of the ledger {address} has no connection left ({error}); try again later"
    ),
}
"""What libpq or the server says when no connection comes about; the first that fits."""
