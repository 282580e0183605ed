"""A scalar's text -> its pieces: plain text, and expressions that have been read.

    expression = "${{" look-up *( "|" filter ) "}}"
    look-up    = name *( "." key / "[" text "]" / "[" index "]" )
    filter     = name [ "(" literal ")" ]
    literal    = text / number / "true" / "false" / "null"
    text       = a JSON string, or in single quotes with '' for a quote

`$${{` is a plain `${{`.
"""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from qstash_jobs.render.fault import FaultError
from qstash_jobs.render.filters import Argument
from qstash_jobs.render.names import Names
from qstash_jobs.value import dataclass

MAX_EXPRESSION = 1000
MAX_EXPRESSIONS = 100
MAX_FILTERS = 10

_TEXT = r"""\"(?:[^"\\]|\\.)*\"|'(?:[^']|'')*'"""
_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,4})?"
_HEAD = re.compile(r"\s*([^\W\d][\w-]*)")
_STEP = re.compile(rf"\.([\w-]+)|\[\s*(?:({_TEXT})|([0-9]{{1,9}}))\s*\]", re.DOTALL)
_PIPE = re.compile(r"\s*\|\s*([^\W\d][\w-]*)")
_LITERAL = re.compile(rf"\(\s*(?:({_TEXT})|({_NUMBER})|(true|false|null)\b)\s*\)", re.DOTALL)
_END = re.compile(r"\s*\}\}")
_BLANKS = re.compile(r"\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A filter as it is written."""

    name: str
    argument: Argument | None
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """One `${{ … }}`."""

    names: Names
    calls: tuple[Call, ...]
    offset: int
    """Where it begins in its scalar."""


class ExpressionError(Exception):
    """an expression cannot be read"""

    def __init__(self, offset: int, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.offset = offset
        self.fault = FaultError("render-syntax", message, hint)


Piece = str | Expression | ExpressionError


def read_pieces(text: str) -> Iterator[Piece]:
    """Split a scalar; reading goes on behind an expression that cannot be read."""
    position = 0
    count = 0
    while (opening := text.find("${{", position)) >= 0:
        if opening > position and text[opening - 1] == "$":
            yield text[position : opening - 1] + "${{"
            position = opening + 3
            continue
        if opening > position:
            yield text[position:opening]
        count += 1
        if count > MAX_EXPRESSIONS:
            yield ExpressionError(opening, f"more than {MAX_EXPRESSIONS} expressions stand in one value")
            return
        try:
            expression, position = _read_expression(text, opening)
            yield expression
        except ExpressionError as error:
            yield error
            closing = text.find("}}", opening)
            position = len(text) if closing < 0 else closing + 2
    if position < len(text):
        yield text[position:]


def _read_expression(text: str, opening: int) -> tuple[Expression, int]:
    limit = min(len(text), opening + MAX_EXPRESSION)
    names, position = _read_names(text, opening, limit)
    calls: list[Call] = []
    while found := _PIPE.match(text, position, limit):
        if len(calls) == MAX_FILTERS:
            raise ExpressionError(found.start(1), f"more than {MAX_FILTERS} filters stand in one expression")
        position = found.end()
        argument = None
        if text.startswith("(", position, limit):
            argument, position = _read_argument(text, position, limit)
        calls.append(Call(name=found[1], argument=argument, offset=found.start(1)))
    end = _END.match(text, position, limit)
    if end is None:
        raise _explain(text, opening, position, limit)
    return Expression(names=names, calls=tuple(calls), offset=opening), end.end()


def _read_names(text: str, opening: int, limit: int) -> tuple[Names, int]:
    head = _HEAD.match(text, opening + 3, limit)
    if head is None:
        raise _explain_head(text, opening, limit)
    names: list[str | int] = [head[1]]
    position = head.end()
    while step := _STEP.match(text, position, limit):
        if step[1] is not None:
            names.append(step[1])
        elif step[2] is not None:
            names.append(_read_text(step[2], step.start(2)))
        else:
            names.append(int(step[3]))
        position = step.end()
    return tuple(names), position


def _read_argument(text: str, position: int, limit: int) -> tuple[Argument, int]:
    found = _LITERAL.match(text, position, limit)
    if found is None:
        raise ExpressionError(
            position,
            "a filter takes one text, number, true, false or null between its parentheses",
            'such as `| default("none")`',
        )
    value: Any
    if found[1] is not None:
        value = _read_text(found[1], found.start(1))
    elif found[2] is not None:
        value = int(found[2]) if re.fullmatch(r"-?[0-9]{1,18}", found[2]) else Decimal(found[2])
    else:
        value = {"true": True, "false": False, "null": None}[found[3]]
    return Argument(value=value), found.end()


def _read_text(quoted: str, offset: int) -> str:
    if quoted[0] == "'":
        return quoted[1:-1].replace("''", "'")
    try:
        text: str = json.loads(quoted, strict=False)
        text.encode()
    except ValueError:
        raise ExpressionError(
            offset,
            "the text in double quotes holds an escape that JSON does not have",
            r"write a backslash as `\\`, or use single quotes",
        ) from None
    return text


def _explain_head(text: str, opening: int, limit: int) -> ExpressionError:
    blanks = _BLANKS.match(text, opening + 3, limit)
    position = blanks.end() if blanks else opening + 3
    if text.startswith("}}", position):
        return ExpressionError(opening, "the expression is empty", "such as `${{ vars.api }}`")
    if position >= limit:
        return _unclosed(text, opening)
    return ExpressionError(
        position,
        "an expression begins with a name",
        "such as `${{ vars.api }}`; write `$${{` for a plain `${{`",
    )


def _explain(text: str, opening: int, position: int, limit: int) -> ExpressionError:
    """Say why neither a filter nor the end could be read at the position."""
    blanks = _BLANKS.match(text, position, limit)
    position = blanks.end() if blanks else position
    rest = text[position:limit]
    if not rest or rest == "}":
        return _unclosed(text, opening)
    for pattern, message, hint in _MISTAKES:
        if re.match(pattern, rest):
            return ExpressionError(position, message, hint)
    if "}}" not in rest:
        return _unclosed(text, opening)
    return ExpressionError(
        position, f"{rest[0]!r} cannot stand here", "look-ups and filters only: `${{ row.name | trim }}`"
    )


def _unclosed(text: str, opening: int) -> ExpressionError:
    if text.find("}}", opening + MAX_EXPRESSION - 1) >= 0:
        return ExpressionError(opening, f"the expression is longer than {MAX_EXPRESSION:,} characters")
    return ExpressionError(
        opening, "the expression has no end", "close it with `}}`; write `$${{` for a plain `${{`"
    )


_MISTAKES = (
    (r"\|\|", "there are no operators", 'for what may be missing there is `| default("…")`'),
    (r"[-+*/%<>=!&?^]", "there are no operators", "look-ups and filters only: `${{ row.name | trim }}`"),
    (r"\(", "nothing can be called", "a filter stands behind a bar: `${{ row.name | trim }}`"),
    (r"\|", "a filter's name is missing here", "such as `| trim`"),
    (r"\.", "a name is missing behind the dot", 'an odd one is written `["odd name"]`'),
    (
        r"\[",
        "between the brackets stands a text in quotes, or the number of a list's item",
        'such as `row["odd name"]`',
    ),
)
