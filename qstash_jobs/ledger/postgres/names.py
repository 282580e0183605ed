"""Texts that many rows share -> small numbers, and back."""

from collections.abc import Iterable, Mapping

import psycopg

from qstash_jobs.ledger.postgres.channel import Channel

_KEPT = 4096
"""Names remembered in each direction; a full memory is emptied, so that it never grows with the run."""


class Names:
    """The ledger's table of names, with those used last kept in memory. A name keeps its number for ever."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._numbers: dict[str, int] = {}
        self._texts: dict[int, str] = {}

    def number(self, text: str) -> int:
        """Return a name's number, giving it one if it has none."""
        return self.number_all([text])[text]

    def number_all(self, texts: Iterable[str]) -> Mapping[str, int]:
        """Return the numbers of names, giving one to each that has none."""
        wanted = set(texts)
        found = self.find_all(wanted)
        missing = sorted(wanted - found.keys())
        if missing:
            # in one order by everybody, so that no two runners wait for each other
            self._channel.execute(
                "INSERT INTO names (text) SELECT text FROM unnest(%s::text[]) AS new (text) ORDER BY text "
                "ON CONFLICT DO NOTHING",
                (missing,),
            )
            found.update(self.find_all(missing))
        return found

    def find(self, text: str) -> int | None:
        """Return a name's number, or None where the ledger has never seen it."""
        return self.find_all([text]).get(text)

    def find_all(self, texts: Iterable[str]) -> dict[str, int]:
        """Return the numbers of those names that have one."""
        found: dict[str, int] = {}
        unknown: list[str] = []
        for text in texts:
            number = self._numbers.get(text)
            if number is not None:
                found[text] = number
            # PostgreSQL holds no NUL, so that no name has one
            elif "\0" not in text:
                unknown.append(text)
        if unknown:
            rows = self._channel.execute(
                "SELECT text, number FROM names WHERE text = ANY(%s::text[])", (unknown,)
            )
            for text, number in rows:
                found[text] = self._keep(number, text)
        return found

    def find_full(self, name: str) -> list[int]:
        """Return the number of a name, if it has one."""
        number = self.find(name)
        return [] if number is None else [number]

    def find_by_id(self, job_id: str) -> list[int]:
        """Return the numbers of the full names that end in a job's id."""
        ends = ("/" + job_id, ":" + job_id)
        rows = self._channel.execute(
            "SELECT number FROM names WHERE right(text, %s) IN (%s, %s)", (len(ends[0]), *ends)
        )
        return [number for (number,) in rows]

    def text(self, number: int) -> str:
        """Return the name that a row refers to."""
        known = self._texts.get(number)
        if known is not None:
            return known
        row = self._channel.execute("SELECT text FROM names WHERE number = %s", (number,)).fetchone()
        if row is None:
            raise psycopg.DatabaseError(f"name {number} is missing")
        self._keep(number, row[0])
        return str(row[0])

    def learn(self, numbers: Iterable[int]) -> None:
        """Read the names that many rows refer to, at once."""
        unknown = [number for number in set(numbers) if number not in self._texts]
        if unknown:
            rows = self._channel.execute(
                "SELECT text, number FROM names WHERE number = ANY(%s::integer[])", (unknown,)
            )
            for text, number in rows:
                self._keep(number, text)

    def forget(self) -> None:
        """Forget what is kept in memory, because names were removed."""
        self._numbers.clear()
        self._texts.clear()

    def _keep(self, number: int, text: str) -> int:
        if len(self._numbers) >= _KEPT:
            self.forget()
        self._numbers[text] = number
        self._texts[number] = text
        return number
