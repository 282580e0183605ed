"""A Sheet: facts and a table, as pages and Markdown both show them. What it holds is foreign text, not escaped yet."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from itertools import islice

from qstash_jobs.report.layout import Style
from qstash_jobs.report.markdown import write_code, write_table
from qstash_jobs.report.wording import count
from qstash_jobs.value import dataclass

Row = tuple[str, ...]

MARKDOWN_ROWS = 200
"""As many as a comment on a pull request has room for, mostly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One part of a document."""

    title: str
    facts: tuple[tuple[str, str], ...] = ()
    """Labels and values, in the order of reading."""
    columns: Row = ()
    rows: Iterable[Row] = ()
    styles: Mapping[str, Style] = field(default_factory=dict)
    """How the words of the first column are meant."""
    noun: str = "message"
    """What a row is."""


def take_rows(sheet: Sheet, most: int) -> tuple[list[Row], int]:
    """Take the rows that a document has room for, and count the others."""
    rows = iter(sheet.rows)
    return list(islice(rows, most)), sum(1 for _ in rows)


def write_markdown(sheets: Sequence[Sheet], *, most: int) -> Iterator[str]:
    """Write sheets one under the other; of the rows of each no more than `most`."""
    for sheet in sheets:
        yield f"## {write_code(sheet.title)}"
        yield ""
        if sheet.facts:
            yield from write_table(("", ""), ((label, write_code(value)) for label, value in sheet.facts))
        rows, left_out = take_rows(sheet, most)
        if rows:
            yield from write_table(sheet.columns, (tuple(map(write_code, row)) for row in rows))
        elif sheet.columns:
            yield f"no {sheet.noun}s"
            yield ""
        if left_out:
            yield f"and {count(left_out, f'more {sheet.noun}')}"
            yield ""
