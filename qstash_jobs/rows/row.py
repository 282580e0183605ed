"""One row of a data file, and what stops the reading of one."""

from typing import Any, Literal

from qstash_jobs.value import dataclass

Format = Literal["csv", "tsv", "jsonl", "json", "yaml"]

LONGEST_FIELD = 1024 * 1024
"""Characters of one value in csv: more than QStash takes in a whole message on most plans, or a quote that is open."""
LONGEST_LINE = 16 * 1024 * 1024
"""Characters of one line: what is held in memory at most."""
LONGEST_WHOLE = 16 * 1024 * 1024
"""Bytes of a file that is not streamed."""


@dataclass(frozen=True, slots=True)
class Row:
    """The values that one message is made from. (Made by position, in half the time that names take.)"""

    number: int
    """From 1, in the order of the file."""
    values: dict[str, Any]
    """By column. Text in csv and tsv; elsewhere as written, numbers with a point or an exponent as Decimal."""
    file: str
    line: int
    """Where the row begins, from 1."""


class RowError(ValueError):
    """a row that cannot be read; the rows after it are not"""

    def __init__(self, message: str, *, file: str, line: int, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        self.line = line
        """From 1; 0 where the fault is the file itself."""
        self.hint = hint
