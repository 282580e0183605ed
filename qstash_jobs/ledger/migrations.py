"""Numbered SQL files -> the schema of this version, each in one transaction that also raises `user_version`."""

import sqlite3
from collections.abc import Iterator
from functools import cache
from importlib.resources import files


def newest() -> int:
    """Return the number of the last migration that this version has."""
    return len(_scripts())


def migrate(connection: sqlite3.Connection) -> None:
    """Apply what a database lacks; several programs may do so at once."""
    for number, script in enumerate(_scripts(), start=1):
        if read_version(connection) >= number:
            continue
        connection.execute("BEGIN IMMEDIATE")
        if read_version(connection) < number:
            for statement in _statements(script):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")


def read_version(connection: sqlite3.Connection) -> int:
    """Return the number of the last migration that a database has had."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@cache
def _scripts() -> tuple[str, ...]:
    folder = files("qstash_jobs.ledger") / "sql" / "sqlite"
    scripts = [script for script in folder.iterdir() if script.name.endswith(".sql")]
    return tuple(script.read_text("utf-8") for script in sorted(scripts, key=lambda script: script.name))


def _statements(script: str) -> Iterator[str]:
    """Split a script; `executescript` would commit what is open before it begins."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
