"""Lines of csv or tsv -> rows: the first names the columns, every value is text.

RFC 4180: a value may stand in double quotes, a quote inside it is written twice, and a quoted value may span lines.
"""

import csv
from collections.abc import Iterable, Iterator
from typing import Protocol

from qstash_jobs.rows.row import LONGEST_FIELD, Row, RowError


def read_delimited(lines: Iterable[str], *, file: str, delimiter: str) -> Iterator[Row]:
    """Read rows one by one; blank lines are skipped."""
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise RowError("the delimiter has to be one character, and no quote", file=file, line=0)
    # The limit is the process's, not the reader's: set where it is needed, always to the same.
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    line = 1
    try:
        columns = _read_columns(reader, file)
        line = reader.line_num + 1
        number = 0
        for fields in reader:
            if len(fields) == len(columns):
                number += 1
                # as many of both, as was just seen
                values = dict(zip(columns, fields, strict=False))
                yield Row(number, values, file, line)
            elif not _is_blank(fields):
                raise _ragged(fields, columns, file=file, line=line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise _explain(error, file=file, begin=line, reached=reader.line_num) from error


class Reader(Protocol):
    """Records as lists of fields, and how many lines were read for them."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...


def _read_columns(reader: Reader, file: str) -> list[str]:
    line = 1
    for fields in reader:
        if fields:
            return _check_columns(fields, file=file, line=line)
        line = reader.line_num + 1
    hint = "name the columns in the first line"
    raise RowError("the file has no rows and no names of columns", file=file, line=1, hint=hint)


def _is_blank(fields: list[str]) -> bool:
    return not fields or (len(fields) == 1 and not fields[0].strip())


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


def _check_columns(fields: list[str], *, file: str, line: int) -> list[str]:
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


def _ragged(fields: list[str], columns: list[str], *, file: str, line: int) -> RowError:
    have, want = (f"{n} value{'' if n == 1 else 's'}" for n in (len(fields), len(columns)))
    hint = "a value that holds the delimiter has to stand in quotes"
    return RowError(
        f"this row has {have}, and the first line names {want.replace('value', 'column')}",
        file=file,
        line=line,
        hint=hint if len(fields) > len(columns) else None,
    )
