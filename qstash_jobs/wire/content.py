"""The body of an answer -> plain data, as long as that does not take more memory than any real answer would."""

import re
from typing import Any

import orjson

MOST_VALUES = 400_000
"""A batch to URL groups is answered with a hundred thousand endpoints at most, of three values each.

Without a bound, 16 MiB of `{},{},{}` would become half a gigabyte.
"""

MOST_TEXT_BYTES = 40 * 1024 * 1024
"""In memory, where one wide letter makes all letters of its text take four bytes each.

Without a bound, 16 MiB with one such letter would become 64 MiB, and half of that once more on its way to the ledger.
"""

# one that does not end goes on to the end of the body: looking for its beginning once more would take for ever
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)

_CONTINUATION = bytes(range(0x80, 0xC0))
# a letter of four bytes, or half of one as JSON escapes it; and one that is beyond Latin-1, or may be
_FOUR_BYTES = re.compile(rb"[\xf0-\xf4]|\\u[dD][89abAB]")
_TWO_BYTES = re.compile(rb"[\xc4-\xef]|\\u")


def read_json(body: bytes) -> Any:
    """Read an answer's JSON; ValueError where it is none, or has more values or wider texts than any answer."""
    # texts may hold what looks like values, which is looked into only where that matters
    if _count(body, 0, len(body)) > MOST_VALUES and _has_too_many(body):
        raise ValueError(f"more than {MOST_VALUES:,} values")
    if 4 * len(body) > MOST_TEXT_BYTES and _is_too_wide(body):
        raise ValueError(f"texts of more than {MOST_TEXT_BYTES:,} bytes")
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


def _is_too_wide(body: bytes) -> bool:
    """Say whether the texts would take too much memory; those of escapes are taken for longer than they are."""
    if body.isascii() and b"\\u" not in body:
        return False
    return sum(_measure(text[0]) for text in _TEXT.finditer(body)) > MOST_TEXT_BYTES


def _measure(text: bytes) -> int:
    # PEP 393: the widest letter of a text decides how many bytes each of its letters takes
    width = 4 if _FOUR_BYTES.search(text) else 2 if _TWO_BYTES.search(text) else 1
    return width * len(text.translate(None, _CONTINUATION))
