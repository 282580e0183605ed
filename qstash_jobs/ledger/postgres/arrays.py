"""Columns of values -> PostgreSQL's array literals: psycopg looks at each element with a regular expression or two.

(postgresql.org/docs, "Array Input and Output Syntax": what stands in double quotes is text, with backslashes before
quotes and backslashes; NULL without quotes is none)
"""

from collections.abc import Sequence
from typing import Any


def write_array(values: Sequence[Any]) -> str:
    """Write values of one kind, numbers or texts or bytes, and None among them."""
    if None in values:
        return "{" + ",".join("NULL" if value is None else _write_one(value) for value in values) + "}"
    first = values[0] if values else 0
    if isinstance(first, str):
        # almost no text has a quote or a backslash, and all of them are looked through at once
        text = '","'.join(values)
        if "\\" in text or text.count('"') != 2 * (len(values) - 1):
            text = '","'.join(map(_escape, values))
        return '{"' + text + '"}'
    if isinstance(first, bytes | bytearray):
        return '{"\\\\x' + '","\\\\x'.join([value.hex() for value in values]) + '"}'
    return "{" + ",".join(map(repr, values)) + "}"


def _write_one(value: Any) -> str:
    if isinstance(value, str):
        return f'"{_escape(value)}"'
    return '"\\\\x' + value.hex() + '"' if isinstance(value, bytes | bytearray) else repr(value)


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
