"""A value -> the text that stands for it inside other text, as JSON, and in a message to people."""

from decimal import Decimal
from typing import Any

import orjson

from qstash_jobs.render.fault import FaultError

MAX_TEXT_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 64
_SHOWN = 40
_LEAST_EXPONENT = -30


def write_text(value: Any) -> str | None:
    """Write a scalar with its digits as they are; None for null, a mapping, a list and what is no plain data."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return _write_number(Decimal(value))
    return None


def _write_number(number: Decimal) -> str | None:
    if not number.is_finite():
        return None
    text = str(number)
    # a decimal forgets whether it was written 0.0000001 or 1e-7; people write the first
    if "E-" in text and number.adjusted() > _LEAST_EXPONENT:
        return format(number, "f")
    return text


def write_json(value: Any) -> str | None:
    """Write compact JSON, keys in order, digits kept, non-ASCII as it is; None where the value has no JSON."""
    try:
        return orjson.dumps(_numbers_apart(value, MAX_DEPTH), default=_write_digits).decode()
    except (TypeError, RecursionError):
        return None


def _numbers_apart(value: Any, depth: int) -> Any:
    """Hand every number that is wider than orjson takes to `_write_digits`."""
    if depth < 0:
        raise RecursionError
    if isinstance(value, dict):
        return {key: _numbers_apart(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers_apart(item, depth - 1) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    return value


def _write_digits(value: object) -> orjson.Fragment:
    text = _write_number(value) if isinstance(value, Decimal) else None
    if text is None:
        raise TypeError
    return orjson.Fragment(text)


def name_kind(value: Any) -> str:
    """Name a value's kind, for a message."""
    if value is None:
        return "null"
    for kinds, name in _KINDS:
        if isinstance(value, kinds):
            return name
    return f"a {type(value).__name__}"


_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (str, "text"),
    (bool, "a boolean"),
    ((int, Decimal), "a number"),
    (dict, "a mapping"),
    (list, "a list"),
)


def show(value: Any) -> str:
    """Show a scalar in a message, shortened; any other value by its kind."""
    if isinstance(value, str):
        short = value if len(value) <= _SHOWN else value[:_SHOWN] + "…"
        return "empty" if not value else f"the text {ascii_controls(short)}"
    text = write_text(value)
    return name_kind(value) if text is None else text[: _SHOWN + 1]


def ascii_controls(text: str) -> str:
    """Quote a text on one line, with everything that is not printable escaped."""
    return '"' + "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text) + '"'


def check_value(value: Any) -> None:
    """Hold a value that is about to leave `render` against what every later stage can take."""
    if value.__class__ is str:
        if not value.isascii() or len(value) > MAX_TEXT_BYTES:
            _check_text(value)
    elif value.__class__ is dict or value.__class__ is list:
        _check_nested(value, MAX_DEPTH)
    elif isinstance(value, Decimal) and not value.is_finite():
        raise FaultError("render-text", f"{value} is not a number that JSON can hold")


def _check_text(text: str) -> None:
    try:
        size_bytes = len(text.encode())
    except UnicodeEncodeError as error:
        raise FaultError(
            "render-text",
            f"the text holds the lone surrogate U+{ord(text[error.start]):04X}, which no UTF-8 text can",
            "write the value in UTF-8",
        ) from None
    if size_bytes > MAX_TEXT_BYTES:
        raise too_long()


def _check_nested(value: Any, depth: int) -> None:
    if depth < 0:
        raise FaultError("render-text", f"the value is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise FaultError(
                    "render-text", f"a mapping's key is {name_kind(key)}, and only text can be one"
                )
            check_value(key)
            _check_item(item, depth)
    else:
        for item in value:
            _check_item(item, depth)


def _check_item(item: Any, depth: int) -> None:
    if isinstance(item, dict | list):
        _check_nested(item, depth - 1)
    else:
        check_value(item)


def too_long() -> FaultError:
    return FaultError(
        "render-text",
        "the text grows past 16 MiB",
        "publish what is that long with `body_file`, or shorten the values",
    )
