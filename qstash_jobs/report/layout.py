"""Text and the width of a terminal -> text that fits, in columns that stand under each other; colour where asked for.

A width of None is a pipe: nothing is cut. Text has to be escaped before it comes here, and its secrets masked,
because half a secret is no longer recognised.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Literal

Style = Literal["good", "warn", "bad", "bold", "dim", "plain"]

_CODES: dict[Style, str] = {"good": "32", "warn": "33", "bad": "31", "bold": "1", "dim": "2"}

CUT = "…"
GAP = 2
LEAST_CELL = 8


def paint(text: str, style: Style, *, colour: bool) -> str:
    """Add colour, if there is to be any."""
    if not colour or not text or style == "plain":
        return text
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m"


def cell_width(text: str) -> int:
    """Count the columns that a text takes: none for a combining mark, two for a wide character."""
    if text.isascii():
        return len(text)
    return sum(map(_character_width, text))


def _character_width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, width: int | None) -> str:
    """Shorten a text to a width; a `…` at its end stands for the rest."""
    if width is None or cell_width(text) <= width:
        return text
    used = 0
    for index, character in enumerate(text):
        used += _character_width(character)
        if used > width - 1:
            return text[:index] + CUT
    return text


def pad(text: str, width: int) -> str:
    """Fill a text up to a width with blanks."""
    return text + " " * (width - cell_width(text))


def align(rows: Sequence[Sequence[str]], *, width: int | None = None) -> Iterator[str]:
    """Put the cells of each row under those of the row before.

    Only the last column is cut to the width; where there is hardly room for it, it is left out.
    """
    widths = [max(map(cell_width, column)) + GAP for column in zip(*rows, strict=True)]
    room = None if width is None else width - sum(widths[:-1])
    for *cells, last in rows:
        start = "".join(pad(cell, widths[at]) for at, cell in enumerate(cells))
        yield (start if room is not None and room < LEAST_CELL else start + cut(last, room)).rstrip()
