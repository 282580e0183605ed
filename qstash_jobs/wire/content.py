"""The body of an answer -> plain data, as long as that does not take more memory than any real answer would."""

import re
from typing import Any

import orjson

MOST_VALUES = 400_000
"""A batch to URL groups is answered with a hundred thousand endpoints at most, of three values each.

Without a bound, 16 MiB of `{},{},{}` would become half a gigabyte.
"""

# one that does not end goes on to the end of the body: looking for its beginning once more would take for ever
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


def read_json(body: bytes) -> Any:
    """Read an answer's JSON; ValueError where it is none, or has more values than any answer."""
    # texts may hold what looks like values, which is looked into only where that matters
    if _count(body, 0, len(body)) > MOST_VALUES and _has_too_many(body):
        raise ValueError(f"more than {MOST_VALUES:,} values")
    return orjson.loads(body)


def _has_too_many(body: bytes) -> bool:
    """Count outside of texts, as far as that has to be."""
    values, end = 0, 0
    for texts, text in enumerate(_TEXT.finditer(body)):
        values += _count(body, end, text.start())
        end = text.end()
        # a value has a name and a text at most
        if values > MOST_VALUES or texts > 2 * MOST_VALUES:
            return True
    return values + _count(body, end, len(body)) > MOST_VALUES


def _count(body: bytes, start: int, end: int) -> int:
    """Count what stands before every value but the first of a list."""
    return sum(body.count(mark, start, end) for mark in (b",", b"[", b"{"))
