"""A plain scalar's text -> its value in YAML 1.2's core schema, with numbers that keep their digits.

Two things differ from the core schema, so that no value is changed unasked: a number with leading zeros stays
text (a zip code keeps its zero), and infinities and NaN are faults, because JSON has neither.
"""

import re
from decimal import Decimal

from qstash_jobs.document.limits import LARGEST_EXPONENT, LONGEST_NUMBER

Scalar = str | int | Decimal | bool | None

# YAML 1.2.2, 10.3.2: core schema, tag resolution
NULLS = ("", "~", "null", "Null", "NULL")
WORDS: dict[str, Scalar] = (
    dict.fromkeys(NULLS) | dict.fromkeys(("true", "True", "TRUE"), True)
) | dict.fromkeys(("false", "False", "FALSE"), False)
SIMPLE = re.compile(r"-?[1-9][0-9]{0,17}|0")
INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
FLOAT = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")

STARTS = frozenset("0123456789+-.~tTfFnN") | {""}
"""What a plain scalar that is not text begins with: any other is spared the look-ups."""
NUMBER_STARTS = frozenset("0123456789+-.")
NUMBER_ENDS = frozenset("0123456789.abcdefABCDEFnN")
"""The last characters of 1, 1., 0x1F, .inf and .nan."""

LONG_LONG = range(-(2**63), 2**64)
"""Integers beyond fit no machine word: JSON libraries fail on them, so they become decimals."""


class NumberError(ValueError):
    """a number that cannot be sent"""


def read_plain(text: str) -> Scalar:
    """Read a scalar that stands without quotes; raises NumberError."""
    first = text[:1]
    if first not in STARTS:
        return text
    if first in NUMBER_STARTS:
        if text[-1] not in NUMBER_ENDS:
            return text
        return int(text) if SIMPLE.fullmatch(text) else _read_number(text)
    return WORDS.get(text, text)


def write_plain(value: Scalar) -> str:
    """Write a value as most files have it: what differs from this is kept beside the value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _read_number(text: str) -> Scalar:
    if INTEGER.fullmatch(text):
        _hold_length(text)
        return _whole(int(text))
    if FLOAT.fullmatch(text):
        return read_decimal(text)
    if BASED.fullmatch(text):
        _hold_length(text)
        return _whole(int(text, 0))
    if NOT_FINITE.fullmatch(text):
        raise NumberError(f"{text} is not a number that JSON can hold")
    return text


def read_decimal(text: str) -> Decimal:
    """Read a number with a point or an exponent, keeping its digits; raises NumberError."""
    _hold_length(text)
    value = Decimal(text)
    if abs(value.adjusted()) > LARGEST_EXPONENT:
        raise NumberError("a number this large or this small cannot be sent")
    return value


def read_integer(text: str) -> int | Decimal:
    """Read a whole number in decimal notation, as a decimal where it fits no 64 bits; raises NumberError."""
    _hold_length(text)
    return _whole(int(text))


def _hold_length(text: str) -> None:
    if len(text) > LONGEST_NUMBER:
        raise NumberError(f"a number of more than {LONGEST_NUMBER:,} digits cannot be sent")


def _whole(value: int) -> int | Decimal:
    return value if value in LONG_LONG else Decimal(value)


# YAML 1.2.2, 10.1 to 10.3: tags of the core schema
CORE = "tag:yaml.org,2002:"


def read_tagged(text: str, tag: str, *, plain: bool) -> Scalar:
    """Read a scalar with one of the core tags; raises ValueError if its text is of another kind."""
    if tag in ("!", CORE + "str"):
        return text
    value = read_plain(text)
    kind = tag.removeprefix(CORE)
    fits = {
        "int": isinstance(value, int) and not isinstance(value, bool),
        "float": isinstance(value, int | Decimal) and not isinstance(value, bool),
        "bool": isinstance(value, bool),
        "null": value is None and plain,
    }
    if not fits.get(kind):
        raise ValueError(kind)
    return Decimal(value) if kind == "float" and isinstance(value, int) else value
