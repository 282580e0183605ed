"""JSON -> rows: numbers keep their digits, and what JSON's readers disagree about is refused."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from qstash_jobs.document import MOST_LEVELS, NumberError, read_decimal, read_integer
from qstash_jobs.rows.row import Row, RowError

BLANKS = re.compile(r"[ \t\r\n]*")
BREAK = re.compile(r"\r\n?|\n")
HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")


def read_json_lines(lines: Iterable[str], *, file: str) -> Iterator[Row]:
    """Read one object from each line; blank lines are skipped."""
    number = 0
    for line, raw in enumerate(lines, 1):
        text = raw.strip(" \t\r\n")
        if not text:
            continue
        value, end = _read_value(text, 0, file=file, line=line)
        if end < len(text):
            raise RowError("more than one value stands in this line", file=file, line=line)
        number += 1
        yield Row(number=number, values=_check_row(value, file=file, line=line), file=file, line=line)


def read_json(text: str, *, file: str) -> Iterator[Row]:
    """Read the objects of one list."""
    at = _skip(text, 0)
    line = 1 + _count_breaks(text, 0, at)
    if not text.startswith("[", at):
        hint = "put the rows into [ ], or end the file's name in .jsonl if each stands in its own line"
        raise RowError("a json file of rows has to be a list of objects", file=file, line=line, hint=hint)
    number, counted, at = 0, at, _skip(text, at + 1)
    while not text.startswith("]", at):
        line, counted = line + _count_breaks(text, counted, at), at
        value, end = _read_value(text, at, file=file, line=line)
        number += 1
        yield Row(number=number, values=_check_row(value, file=file, line=line), file=file, line=line)
        at = _next_item(text, end, file=file, line=line + _count_breaks(text, at, end))
    if _skip(text, at + 1) != len(text):
        line += _count_breaks(text, counted, at)
        raise RowError("text stands behind the end of the list", file=file, line=line)


def _next_item(text: str, end: int, *, file: str, line: int) -> int:
    at = _skip(text, end)
    if text.startswith(",", at) and not text.startswith("]", _skip(text, at + 1)):
        return _skip(text, at + 1)
    if text.startswith("]", at):
        return at
    raise RowError("a comma or the ] of the list is missing or misplaced here", file=file, line=line)


def _skip(text: str, at: int) -> int:
    found = BLANKS.match(text, at)
    return found.end() if found else at


def _count_breaks(text: str, start: int, end: int) -> int:
    return sum(1 for _ in BREAK.finditer(text, start, end))


def _read_value(text: str, at: int, *, file: str, line: int) -> tuple[Any, int]:
    try:
        value, end = DECODER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        line += _count_breaks(text, at, error.pos)
        message = f"this is not JSON: {error.msg[:1].lower()}{error.msg[1:]}, in column {error.colno}"
        raise RowError(message, file=file, line=line) from error
    except (NumberError, RepeatedError) as error:
        raise RowError(str(error), file=file, line=line) from error
    except RecursionError as error:
        raise _too_deep(file, line) from error
    if HALF_PAIR.search(text, at, end) and not _is_unicode(value):
        raise RowError("half of a surrogate pair is not a character", file=file, line=line)
    return value, end


def _check_row(value: Any, *, file: str, line: int) -> dict[str, Any]:
    if not isinstance(value, dict):
        hint = 'write it as {"name": value}'
        raise RowError("a row has to be an object", file=file, line=line, hint=hint)
    level: list[Any] = [value]
    for _ in range(MOST_LEVELS):
        level = [inner for outer in level for inner in _inside(outer) if isinstance(inner, dict | list)]
        if not level:
            return value
    raise _too_deep(file, line)


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _too_deep(file: str, line: int) -> RowError:
    return RowError(f"more than {MOST_LEVELS} levels inside each other", file=file, line=line)


def _is_unicode(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return False
    return True


class RepeatedError(ValueError):
    """an object names a key twice"""


def _pair(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise RepeatedError(f"the key {json.dumps(repeated[:60])} stands twice in one object")
    return made


def _refuse_constant(text: str) -> None:
    raise NumberError(f"{text} is not a number that JSON can hold")


DECODER = json.JSONDecoder(
    object_pairs_hook=_pair, parse_float=read_decimal, parse_int=read_integer, parse_constant=_refuse_constant
)
