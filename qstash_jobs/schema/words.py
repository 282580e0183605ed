"""Names, values and types as people call them."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from qstash_jobs.grammar import show_word
from qstash_jobs.problem import Path

SHOWN = 60
"""Characters of a text that a message repeats."""

NOUNS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
}


def show(text: str) -> str:
    """Write a text inside a message: in backquotes, on one line, shortened."""
    return f"`{show_word(text, most=SHOWN)}`"


def name(path: Path) -> str:
    """Name the value at a path."""
    match path:
        case (*_, str() as key, int() as index):
            return f"item {index + 1} of {show(key)}"
        case (*_, str() as key):
            return show(key)
        case (*_, int() as index):
            return f"item {index + 1}"
        case _:
            return "this file"


def begin_lack(path: Path) -> str:
    """Begin a sentence on what the mapping at a path does not have."""
    return f"{name(path)} has" if path else "there is"


def join_choices(choices: Iterable[str]) -> str:
    """Write choices as one phrase: `a, b or c`."""
    *most, last = choices
    return f"{', '.join(most)} or {last}" if most else last


def describe(value: Any) -> str:
    """Say what a value is, without repeating it."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return "text"
        case Decimal() if value != value.to_integral_value():
            return "a number with a fraction"
        case int() | Decimal():
            return "a whole number"
        case list():
            return "a list"
        case _:
            return "a mapping"


def advise_type(value: Any, wanted: str) -> str | None:
    """Say how a value would become what is wanted."""
    match value:
        case str() if "${{" in value:
            return "an expression stands for one value, never for a list or a mapping"
        case str() if "number" in wanted and value.isascii() and value.isdigit():
            return "take the quotes away, or add `| number` to the expression"
        case str() if "true or false" in wanted:
            return "write `true` or `false`"
        case str() if "list" in wanted:
            return "put it in brackets, as in [one, two]"
        case list() if "mapping" in wanted:
            return "give each entry a name, as in `name: value`"
        case bool() | int() | Decimal() if "text" in wanted and "true" not in wanted:
            return "put it in quotes, or add `| string` to the expression"
    return None
