"""Lines of csv or tsv -> rows: the first names the columns, every value is text.

RFC 4180: a value may stand in double quotes, a quote inside it is written twice, and a quoted value may span lines.
"""

import csv
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Protocol

from qstash_jobs.rows.row import LONGEST_FIELD, RowError
from qstash_jobs.rows.table import Table


def read_delimited(blocks: Iterable[list[str]], *, file: str, delimiter: str) -> Iterator[Table]:
    """Read blocks of lines as tables: each has the records that begin in one block, or nearly so."""
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise RowError("the delimiter has to be one character, and no quote", file=file, line=0)
    # The limit is the process's, not the reader's: set where it is needed, always to the same.
    csv.field_size_limit(LONGEST_FIELD)
    feed = Feed(blocks)
    reader = csv.reader(chain.from_iterable(feed), delimiter=delimiter, strict=True)
    names = _read_names(reader, file)
    number, line = 1, reader.line_num + 1
    while True:
        records, error = _read_block(reader, feed)
        table = Table(
            names=names,
            records=records,
            number=number,
            line=line,
            lines=reader.line_num + 1 - line,
            file=file,
        )
        if records:
            yield table
        if isinstance(error, csv.Error):
            raise _explain(error, file=file, begin=table.end, reached=reader.line_num) from error
        if error is not None:
            raise error
        if not records:
            return
        number += sum(len(fields) == len(names) for fields in records)
        line = reader.line_num + 1


class Reader(Protocol):
    """Records as lists of fields, and how many lines were read for them."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...


class Feed:
    """Blocks of lines, counted as they are asked for."""

    def __init__(self, blocks: Iterable[list[str]]) -> None:
        self._blocks = blocks
        self.count = 0

    def __iter__(self) -> Iterator[list[str]]:
        for block in self._blocks:
            self.count += 1
            yield block


def _read_block(reader: Reader, feed: Feed) -> tuple[list[list[str]], csv.Error | RowError | None]:
    """Read records until another block had to be asked for; what is wrong comes with those before it."""
    records: list[list[str]] = []
    begin = feed.count
    try:
        for fields in reader:
            records.append(fields)
            if feed.count != begin:
                break
    except (csv.Error, RowError) as error:
        return records, error
    return records, None


def _read_names(reader: Reader, file: str) -> list[str]:
    line = 1
    try:
        for fields in reader:
            if fields:
                return _check_names(fields, file=file, line=line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise _explain(error, file=file, begin=line, reached=reader.line_num) from error
    hint = "name the columns in the first line"
    raise RowError("the file has no rows and no names of columns", file=file, line=1, hint=hint)


def _explain(error: csv.Error, *, file: str, begin: int, reached: int) -> RowError:
    # CPython's Modules/_csv.c: the three errors that a strict reader of whole lines can raise
    text = str(error)
    double = 'a quote inside a quoted value is written twice, as in "say ""hi"""'
    if "end of data" in text:
        return RowError("a quote that opens in this row is never closed", file=file, line=begin, hint=double)
    if "field limit" in text:
        message = f"a value of more than {LONGEST_FIELD:,} characters begins in this row"
        return RowError(message, file=file, line=begin, hint="a quote may never be closed")
    return RowError("text stands behind a closed quote", file=file, line=reached, hint=double)


def _check_names(fields: list[str], *, file: str, line: int) -> list[str]:
    for position, name in enumerate(fields, 1):
        if not name.strip():
            hint = "give every column a name, or end the line before the last delimiter"
            raise RowError(f"column {position} has no name", file=file, line=line, hint=hint)
        if name in fields[: position - 1]:
            first = fields.index(name) + 1
            hint = "give every column a name of its own"
            message = f"columns {first} and {position} have the same name"
            raise RowError(message, file=file, line=line, hint=hint)
    return fields
