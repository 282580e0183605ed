"""A job and a table of its rows -> one row that has all their texts: what can be said of none of them if not of it.

A rule looks for something in a body, or at its size. Whatever would be found in the body of one row is found in the
body that has the texts of all, and where nothing is found there, every row is in order. That holds for jobs of which
rows change nothing but values within a JSON body, each a column as it stands, or a plain number; most are such jobs.
"""

import re
from collections.abc import Sequence

from qstash_jobs.prepare.compiled import CompiledJob
from qstash_jobs.prepare.keys import are_plain_keys
from qstash_jobs.render import MAX_NUMBER_LENGTH, Column, find_columns
from qstash_jobs.rows import Row, Table
from qstash_jobs.value import dataclass

BETWEEN = " "
"""What parts two texts: a word that begins a text still begins one."""

# RFC 8259, 6, without an exponent: such a number is never written longer than it stands
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Composite:
    """Makes the row that stands for all rows of a table."""

    texts: frozenset[str]
    """Columns that are taken as they stand."""
    numbers: frozenset[str]
    """Columns that are taken as numbers."""
    key: frozenset[str]
    """The column that names a row, if the job names one."""

    def join(self, table: Table) -> tuple[Row, Sequence[str]] | None:
        """Return a row in which everything is found that is found in any of the table's, and the keys of those.

        None where they have to be looked at one by one.
        """
        if not table.is_even or not (self.texts | self.numbers | self.key) <= set(table.names):
            return None
        columns = table.columns
        keys = next((columns[name] for name in self.key), ())
        if not are_plain_keys(keys) or not all(_are_numbers(columns[name]) for name in self.numbers):
            return None
        texts = {name: BETWEEN.join(columns[name]) for name in self.texts}
        numbers = {name: "1" * max(map(len, columns[name])) for name in self.numbers}
        return Row(table.number, texts | numbers, table.file, table.line), keys


def _are_numbers(texts: Sequence[str]) -> bool:
    return max(map(len, texts)) <= MAX_NUMBER_LENGTH and all(map(_NUMBER.fullmatch, texts))


def find_composite(compiled: CompiledJob) -> Composite | None:
    """Return what makes a job's composite rows; None where one of its rows says nothing of another."""
    body, template = compiled.job.fields.get("body"), compiled.template
    # a `***` in one row's text would be taken for the secret that is missing in the body of another
    is_open = "body" not in template.fields_depending_on("secrets")
    if compiled.changing != {"body"} or not isinstance(body, dict | list) or not is_open:
        return None
    columns, key = find_columns(template), _find_key(compiled)
    if columns is None or key is None:
        return None
    texts = frozenset(column.name for column in columns if column.filters == ())
    numbers = frozenset(column.name for column in columns if column.filters == ("number",))
    if texts & numbers or len(texts) + len(numbers) < len(columns):
        return None
    return Composite(texts=texts, numbers=numbers, key=key)


def _find_key(compiled: CompiledJob) -> frozenset[str] | None:
    """Name the column that is the key, where there is a key; None where it is no column as it stands."""
    if compiled.key is None:
        return frozenset()
    columns = find_columns(compiled.key) or frozenset[Column]()
    return frozenset(column.name for column in columns if column.filters == ()) or None
