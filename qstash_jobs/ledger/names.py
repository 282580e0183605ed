"""Texts that many rows share -> small numbers, and back."""

import sqlite3

_KEPT = 1024
"""Names remembered in each direction; a full memory is emptied, so that it never grows with the run."""


class Names:
    """The ledger's table of names, with those used last kept in memory."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._numbers: dict[str, int] = {}
        self._texts: dict[int, str] = {}

    def number(self, text: str) -> int:
        """Return a name's number, giving it one if it has none; only inside a writing transaction."""
        known = self.find(text)
        if known is not None:
            return known
        row = self._connection.execute(
            "INSERT INTO names (text) VALUES (?) RETURNING number", (text,)
        ).fetchone()
        return self._keep(int(row[0]), text)

    def find(self, text: str) -> int | None:
        """Return a name's number, or None where the ledger has never seen it."""
        known = self._numbers.get(text)
        if known is not None:
            return known
        row = self._connection.execute("SELECT number FROM names WHERE text = ?", (text,)).fetchone()
        return None if row is None else self._keep(int(row[0]), text)

    def find_full(self, name: str) -> list[int]:
        """Return the number of a name, if it has one."""
        number = self.find(name)
        return [] if number is None else [number]

    def find_by_id(self, job_id: str) -> list[int]:
        """Return the numbers of the full names that end in a job's id."""
        ends = ("/" + job_id, ":" + job_id)
        rows = self._connection.execute(
            "SELECT number FROM names WHERE substr(text, ?) IN (?, ?)", (-len(ends[0]), *ends)
        )
        return [int(number) for (number,) in rows]

    def text(self, number: int) -> str:
        """Return the name that a row refers to."""
        known = self._texts.get(number)
        if known is not None:
            return known
        row = self._connection.execute("SELECT text FROM names WHERE number = ?", (number,)).fetchone()
        if row is None:
            raise sqlite3.DatabaseError(f"name {number} is missing")
        self._keep(number, str(row[0]))
        return str(row[0])

    def forget(self) -> None:
        """Forget what is kept in memory, because a transaction that may have given numbers was undone."""
        self._numbers.clear()
        self._texts.clear()

    def _keep(self, number: int, text: str) -> int:
        if len(self._numbers) >= _KEPT:
            self.forget()
        self._numbers[text] = number
        self._texts[number] = text
        return number
