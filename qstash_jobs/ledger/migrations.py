"""Numbered SQL files -> the schema of this version, each in one transaction that also raises `user_version`."""

import sqlite3
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SCRIPTS = Path(__file__).with_name("sql") / "sqlite"


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
    # a plain path: importlib.resources would load archives and temporary files at every start
    return tuple(script.read_text("utf-8") for script in sorted(SCRIPTS.glob("*.sql")))


def _statements(script: str) -> Iterator[str]:
    """Split a script; `executescript` would commit what is open before it begins."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
