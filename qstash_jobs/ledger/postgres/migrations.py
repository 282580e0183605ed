"""Numbered SQL files -> the tables of this version, each in one transaction that also raises the ledger's version."""

import secrets
from functools import cache
from importlib.resources import files

import psycopg
from psycopg import sql

from qstash_jobs.errors import LedgerError
from qstash_jobs.ledger.postgres.address import Address
from qstash_jobs.ledger.postgres.connect import SCHEMA, connect
from qstash_jobs.ledger.postgres.faults import as_ledger_errors

MUTEX = int.from_bytes(b"qj-ledge")
"""The advisory lock under which one program at a time changes tables or takes holds, until its transaction ends."""


def open_ready(address: Address, *, read_only: bool) -> psycopg.Connection:
    """Connect to a ledger that has this version's tables, making them where that is needed and allowed."""
    connection = connect(address, read_only=read_only)
    try:
        with as_ledger_errors(address):
            if read_version(connection, address) != newest():
                _bring_up_to_date(connection, address, read_only=read_only)
    except BaseException:
        connection.close()
        raise
    return connection


def exists(address: Address) -> bool:
    """Say whether there is a ledger in a database; LedgerError where that cannot be found out, or it is not one."""
    with connect(address, read_only=True) as connection, as_ledger_errors(address):
        return read_version(connection, address) is not None


def newest() -> int:
    """Return the number of the last migration that this version has."""
    return len(_scripts())


def read_version(connection: psycopg.Connection, address: Address) -> int | None:
    """Return the number of the last migration that a ledger has had; None where there is no ledger yet."""
    found = connection.execute(
        "SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace(%s)), "
        "(SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attname = ANY(%s))",
        (SCHEMA, f"{SCHEMA}.meta", ["application", "version", "id", "fingerprint_key"]),
    ).fetchone()
    relations, columns = found or (0, 0)
    if not relations:
        return None
    if columns != 4:
        raise LedgerError(
            f"the schema {SCHEMA} of {address} belongs to something else; name another database with --ledger"
        )
    row = connection.execute("SELECT version FROM meta").fetchone()
    if row is None:
        raise LedgerError(f"the ledger {address} has lost its own id; put a copy of it back")
    version = int(row[0])
    if version > newest():
        raise LedgerError(
            f"the ledger {address} was written by a newer qstash-jobs (its schema is {version}, this one knows "
            f"{newest()}); use that version, or name another database with --ledger"
        )
    return version


def _bring_up_to_date(connection: psycopg.Connection, address: Address, *, read_only: bool) -> None:
    if read_only:
        if read_version(connection, address) is None:
            raise LedgerError(f"there is no ledger at {address} yet; the first run makes it")
        with connect(address, read_only=False) as writing:
            _migrate(writing, address)
    else:
        _migrate(connection, address)


def _migrate(connection: psycopg.Connection, address: Address) -> None:
    """Apply what a ledger lacks; several programs may do so at once."""
    try:
        for number, script in enumerate(_scripts(), start=1):
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (MUTEX,))
                if (read_version(connection, address) or 0) < number:
                    _apply(connection, number, script)
    except psycopg.errors.InsufficientPrivilege as error:
        raise LedgerError(
            f"this user may not make or change the tables of the ledger {address} ({error.diag.message_primary}); "
            "let a user open it once who may create a schema in this database, and grant this one its use"
        ) from error


def _apply(connection: psycopg.Connection, number: int, script: str) -> None:
    if number == 1:
        row = connection.execute("SELECT to_regnamespace(%s) IS NULL", (SCHEMA,)).fetchone()
        if row is not None and row[0]:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(SCHEMA)))
    # a whole script goes in one simple query, so that what it creates is cached nowhere half-way
    connection.execute(script.encode())
    if number == 1:
        connection.execute(
            "INSERT INTO meta (application, version, id, fingerprint_key) VALUES ('qstash-jobs', 1, %s, %s)",
            (secrets.token_hex(8), secrets.token_bytes(32)),
        )
    connection.execute("UPDATE meta SET version = %s", (number,))


@cache
def _scripts() -> tuple[str, ...]:
    folder = files("qstash_jobs.ledger") / "sql" / "postgres"
    scripts = [script for script in folder.iterdir() if script.name.endswith(".sql")]
    return tuple(script.read_text("utf-8") for script in sorted(scripts, key=lambda script: script.name))
