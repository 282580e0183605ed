"""Blocks of bytes and a format -> rows."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Literal

from qstash_jobs.document import read_document
from qstash_jobs.rows.lines import decode_blocks, decode_lines
from qstash_jobs.rows.notation import read_json, read_json_lines
from qstash_jobs.rows.row import LONGEST_WHOLE, Format, Row, RowError
from qstash_jobs.rows.table import Table


def read_rows(
    chunks: Iterable[bytes],
    *,
    format: Format,  # noqa: A002  # the word of for_each
    file: str,
    delimiter: str | None = None,
    encoding: str = "utf-8",
) -> Iterator[Row]:
    """Read rows in the order of the file; raises RowError at the first that cannot be read.

    The blocks may be cut anywhere. `delimiter` is for csv and tsv; the format decides where it is not given.
    """
    match format:
        case "csv" | "tsv":
            tables = read_tables(chunks, format=format, file=file, delimiter=delimiter, encoding=encoding)
            return chain.from_iterable(table.rows() for table in tables)
        case "jsonl":
            return read_json_lines(decode_lines(chunks, file=file, encoding=encoding), file=file)
        case "json" | "yaml":
            return _read_whole(chunks, format, file=file, encoding=encoding)


def read_tables(
    chunks: Iterable[bytes],
    *,
    format: Literal["csv", "tsv"],  # noqa: A002
    file: str,
    delimiter: str | None = None,
    encoding: str = "utf-8",
) -> Iterator[Table]:
    """Read the same rows as tables, about one for each block; raises RowError behind those that can be read."""
    from qstash_jobs.rows.delimited import read_delimited

    blocks = decode_blocks(chunks, file=file, encoding=encoding)
    usual = "," if format == "csv" else "\t"
    return read_delimited(blocks, file=file, delimiter=usual if delimiter is None else delimiter)


def _read_whole(
    chunks: Iterable[bytes],
    format: Format,  # noqa: A002
    *,
    file: str,
    encoding: str,
) -> Iterator[Row]:
    text = "".join(decode_lines(_hold_size(chunks, file), file=file, encoding=encoding))
    yield from read_json(text, file=file) if format == "json" else _read_yaml(text, file=file)


def _hold_size(chunks: Iterable[bytes], file: str) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > LONGEST_WHOLE:
            hint = "csv, tsv and jsonl may have any size"
            message = f"a json or yaml file of rows may have {LONGEST_WHOLE // 1024**2} MiB at most"
            raise RowError(message, file=file, line=0, hint=hint)
        yield chunk


def _read_yaml(text: str, *, file: str) -> Iterator[Row]:
    document = read_document(text.encode(), file=file)
    for problem in document.problems:
        raise RowError(problem.message, file=file, line=problem.location.line, hint=problem.hint)
    if not isinstance(document.data, list):
        hint = "begin each row with a -"
        raise RowError("a yaml file of rows has to be a list of mappings", file=file, line=1, hint=hint)
    for index, values in enumerate(document.data):
        line = document.locate((index,)).line
        if not isinstance(values, dict):
            hint = "write it as name: value"
            raise RowError("a row has to be a mapping", file=file, line=line, hint=hint)
        yield Row(number=index + 1, values=values, file=file, line=line)
