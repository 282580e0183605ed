"""Consecutive records of csv or tsv -> rows, one by one or column by column."""

import re
from collections.abc import Iterator, Sequence

from qstash_jobs.rows.row import Row, RowError
from qstash_jobs.value import dataclass

BREAK = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Records that were read together, blank lines among them."""

    names: Sequence[str]
    """Of the columns."""
    records: Sequence[list[str]]
    number: int
    """Of the first row, from 1, in the order of the file."""
    line: int
    """Where the first record begins, from 1."""
    lines: int
    """How many the records take: more than there are records where a value spans lines."""
    file: str

    @property
    def end(self) -> int:
        """The line behind its records, where what was read of a next one does not count."""
        return self.line + sum(map(_count_lines, self.records))

    @property
    def is_even(self) -> bool:
        """Whether every record is a row."""
        return set(map(len, self.records)) == {len(self.names)}

    @property
    def columns(self) -> dict[str, tuple[str, ...]]:
        """The values of an even table by column."""
        return dict(zip(self.names, zip(*self.records, strict=True), strict=True))

    def rows(self) -> Iterator[Row]:
        """Yield the rows; raises RowError at a record with too many values, or too few."""
        number, line = self.number, self.line
        spans_lines = self.lines > len(self.records)
        for fields in self.records:
            if len(fields) == len(self.names):
                # as many of both, as was just seen
                yield Row(number, dict(zip(self.names, fields, strict=False)), self.file, line)
                number += 1
            elif not _is_blank(fields):
                raise self._ragged(fields, line)
            line += _count_lines(fields) if spans_lines else 1

    def split(self) -> "tuple[Table, Table]":
        """Part the first record from those behind it."""
        lines = _count_lines(self.records[0]) if self.lines > len(self.records) else 1
        rows = len(self.records[0]) == len(self.names)
        return self._part(self.records[:1], lines=lines), self._part(
            self.records[1:],
            number=self.number + rows,
            line=self.line + lines,
            lines=self.lines - lines,
        )

    def _part(
        self, records: Sequence[list[str]], *, number: int | None = None, line: int | None = None, lines: int
    ) -> "Table":
        return Table(
            names=self.names,
            records=records,
            number=self.number if number is None else number,
            line=self.line if line is None else line,
            lines=lines,
            file=self.file,
        )

    def _ragged(self, fields: list[str], line: int) -> RowError:
        have, want = (f"{n} value{'' if n == 1 else 's'}" for n in (len(fields), len(self.names)))
        hint = "a value that holds the delimiter has to stand in quotes"
        return RowError(
            f"this row has {have}, and the first line names {want.replace('value', 'column')}",
            file=self.file,
            line=line,
            hint=hint if len(fields) > len(self.names) else None,
        )


def _is_blank(fields: list[str]) -> bool:
    return not fields or (len(fields) == 1 and not fields[0].strip())


def _count_lines(fields: list[str]) -> int:
    return 1 + sum(len(BREAK.findall(field)) for field in fields)
