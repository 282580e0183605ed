"""A filter's name and argument -> the function that it is; each fails on what it cannot read."""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from qstash_jobs.render.text import MAX_TEXT_BYTES, too_long, write_json, write_text
from qstash_jobs.value import dataclass

Filter = Callable[[Any], Any]

MAX_NUMBER_LENGTH = 1000


class UnreadableError(Exception):
    """a filter cannot read its input"""

    def __init__(self, needs: str, hint: str | None = None) -> None:
        super().__init__(needs)
        self.needs = needs
        """What would have been right, as in "needs …"."""
        self.hint = hint


class ArgumentError(Exception):
    """a filter cannot use its argument"""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """What stands between a filter's parentheses."""

    value: Any


def make_filter(name: str, argument: Argument | None) -> Filter:
    """Make a filter of `FILTERS` ready to run. Raises ArgumentError."""
    if name == "date":
        return _make_date(argument)
    if name == "default":
        if argument is None:
            raise ArgumentError(
                "`default` needs a value", 'write it between parentheses: `| default("none")`'
            )
        return lambda value: argument.value if value is None else value
    if argument is not None:
        raise ArgumentError(f"`{name}` takes nothing between parentheses", f"write `| {name}`")
    return _PLAIN[name]


# RFC 8259, 6: JSON's numbers
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?")


def _read_number(value: Any) -> int | Decimal:
    """Keep the digits: what an int of 64 bits would not write back alike is a Decimal."""
    if isinstance(value, str) and len(value) <= MAX_NUMBER_LENGTH and (found := _NUMBER.fullmatch(value)):
        whole = int(value) if found.lastindex is None else None
        return Decimal(value) if whole is None or abs(whole) >= 1 << 63 or value == "-0" else whole
    if isinstance(value, Decimal | int) and not isinstance(value, bool):
        return value
    raise UnreadableError("a number as JSON writes it, such as 12, -3 or 10.50", _number_hint(value))


def _number_hint(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    if _NUMBER.fullmatch(value.strip()):
        return "take the blanks away first: `| trim | number`"
    if re.fullmatch(r"-?0[0-9]+", value):
        return "a number has no leading zeros; leave it as text"
    return None


def _read_int(value: Any) -> int | Decimal:
    try:
        number = _read_number(value)
    except UnreadableError as error:
        raise UnreadableError(
            "a whole number", error.hint and error.hint.replace("number`", "int`")
        ) from None
    if isinstance(number, int):
        return number
    if (
        not number.is_finite()
        or number.adjusted() >= MAX_NUMBER_LENGTH
        or number != number.to_integral_value()
    ):
        raise UnreadableError("a whole number", "`| number` keeps the fraction")
    return int(number) if abs(number) < 1 << 63 else number.to_integral_value()


def _read_text(value: Any) -> str:
    text = write_text(value)
    if text is None:
        raise UnreadableError(
            "text, a number or a boolean",
            "write it as JSON: `| json`" if isinstance(value, dict | list) else None,
        )
    return text


def _bound(text: str) -> str:
    if len(text) > MAX_TEXT_BYTES:
        raise too_long()
    return text


def _to_json(value: Any) -> str:
    text = write_json(value)
    if text is None:
        raise UnreadableError("a value that JSON can hold")
    return _bound(text)


def _encode(value: Any) -> bytes:
    try:
        return _read_text(value).encode()
    except UnicodeEncodeError:
        raise UnreadableError("text without lone surrogates") from None


def _to_url(value: Any) -> str:
    """Percent-encode everything but RFC 3986's unreserved characters."""
    return _bound(quote(_encode(value), safe=""))


def _to_base64(value: Any) -> str:
    return _bound(b64encode(_encode(value)).decode())


# RFC 3339, 5.6, with ISO 8601's plain date and a time without seconds or offset
_MOMENT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.[0-9]{1,9})?)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})?)?"
)
# nine to eleven digits: 1973 to 5138; 20260131 is a date without its dashes, thirteen digits are milliseconds
_SECONDS = re.compile(r"([0-9]{9,11})(?:\.[0-9]{1,9})?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_DIRECTIVES: Mapping[str, str] = {
    "Y": "{0.year:04}",
    "m": "{0.month:02}",
    "d": "{0.day:02}",
    "H": "{0.hour:02}",
    "M": "{0.minute:02}",
    "S": "{0.second:02}",
    "%": "%",
}


def _make_date(argument: Argument | None) -> Filter:
    form = _read_form("%Y-%m-%d" if argument is None else argument.value)
    return lambda value: form.format(_read_moment(value))


def _read_form(form: Any) -> str:
    if not isinstance(form, str):
        raise ArgumentError("`date` takes a text", 'such as `| date("%Y-%m-%d")`')
    pieces = re.split(r"%(.?)", form.replace("{", "{{").replace("}", "}}"), flags=re.DOTALL)
    for index in range(1, len(pieces), 2):
        if pieces[index] not in _DIRECTIVES:
            raise ArgumentError(
                f"`date` does not know `%{pieces[index]}`",
                f"it knows {', '.join('%' + letter for letter in _DIRECTIVES)}",
            )
        pieces[index] = _DIRECTIVES[pieces[index]]
    return "".join(pieces)


def _read_moment(value: Any) -> datetime:
    """Read the date and time as they are written, whatever their offset; seconds since 1970 are in UTC."""
    text = None if isinstance(value, bool) else write_text(value)
    if text is not None and (found := _SECONDS.fullmatch(text)):
        return _EPOCH + timedelta(seconds=int(found[1]))
    found = None if text is None else _MOMENT.fullmatch(text)
    if found:
        try:
            return datetime(*(int(part or 0) for part in found.groups()), tzinfo=UTC)  # type: ignore[misc, arg-type]
        except ValueError:
            pass
    raise UnreadableError("a date such as 2026-01-31, an RFC 3339 time, or Unix seconds", _moment_hint(text))


def _moment_hint(text: str | None) -> str | None:
    if text is not None and re.fullmatch(r"[0-9]{13}", text):
        return "thirteen digits are milliseconds: take the last three away"
    return None


_PLAIN: Mapping[str, Filter] = {
    "number": _read_number,
    "int": _read_int,
    "string": _read_text,
    "json": _to_json,
    "urlencode": _to_url,
    "lower": lambda value: _read_text(value).lower(),
    "upper": lambda value: _read_text(value).upper(),
    "trim": lambda value: _read_text(value).strip(),
    "b64encode": _to_base64,
}

FILTERS = frozenset({*_PLAIN, "date", "default"})
