"""Plain data with expressions in it -> a tree that keeps what has none as it was, and the faults on the way."""

from collections.abc import Iterable, Iterator
from dataclasses import field
from functools import lru_cache
from typing import Any

from qstash_jobs.problem import Path
from qstash_jobs.render.evaluate import Evaluate, make_evaluate, make_url_part
from qstash_jobs.render.expression import MAX_EXPRESSION, Call, Expression, ExpressionError, read_pieces
from qstash_jobs.render.fault import Fault, FaultError, make_fault
from qstash_jobs.render.filters import FILTERS, ArgumentError, make_filter
from qstash_jobs.render.names import Allowed, check_names, suggest
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """Data without expressions, shared by everything that is filled."""

    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """An expression that was compiled."""

    expression: Expression
    evaluate: Evaluate


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """A text with expressions in it; one slot alone keeps its value's type."""

    path: Path
    text: str
    pieces: tuple[str | Slot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A mapping (keys are text) or a list (keys are indices) with an expression somewhere in it."""

    data: dict[str, Any] | list[Any]
    """What it holds besides, with something in every place that is filled."""
    filled: "tuple[tuple[str | int, Scalar | Branch], ...]"


Node = Constant | Scalar | Branch


def list_scalars(node: Node) -> Iterator[Scalar]:
    """Give every text with expressions, in the order of the data."""
    if isinstance(node, Scalar):
        yield node
    elif isinstance(node, Branch):
        for _, child in node.filled:
            yield from list_scalars(child)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What reading a value needs, and what it finds."""

    allowed: Allowed
    url_paths: frozenset[Path]
    lookups: list[tuple[Path, Expression]] = field(default_factory=list)
    """Every expression and the path of its scalar, in the value's order."""
    faults: list[Fault] = field(default_factory=list)


def read_tree(value: Any, path: Path, reading: Reading) -> Node:
    """Read every scalar; keys are taken as they are."""
    if isinstance(value, str):
        return _read_scalar(value, path, reading) if "${{" in value else Constant(value=value)
    if isinstance(value, dict):
        return _read_branch(value, value.items(), path, reading)
    if isinstance(value, list):
        return _read_branch(value, enumerate(value), path, reading)
    return Constant(value=value)


def _read_branch(value: Any, items: Iterable[tuple[Any, Any]], path: Path, reading: Reading) -> Node:
    data, filled = value, []
    for key, item in items:
        if "${{" not in item if isinstance(item, str) else not isinstance(item, (dict, list)):
            continue
        node = read_tree(item, (*path, key), reading)
        if not isinstance(node, Constant):
            filled.append((key, node))
        elif node.value is not item:
            data = data.copy() if data is value else data
            data[key] = node.value
    return Branch(data=data, filled=tuple(filled)) if filled else Constant(value=data)


def _read_scalar(text: str, path: Path, reading: Reading) -> Node:
    read = _read_known if len(text) <= MAX_EXPRESSION else _read_pieces
    pieces, faults = read(text, reading.allowed, in_url=path in reading.url_paths)
    if faults:
        reading.faults.extend(make_fault(fault, path, text, offset) for fault, offset in faults)
        return Constant(value=text)
    if len(pieces) == 1 and isinstance(pieces[0], str):
        return Constant(value=pieces[0])
    reading.lookups.extend((path, piece.expression) for piece in pieces if isinstance(piece, Slot))
    return Scalar(path=path, text=text, pieces=pieces)


_Pieces = tuple[tuple[str | Slot, ...], tuple[tuple[FaultError, int], ...]]


def _read_pieces(text: str, allowed: Allowed, *, in_url: bool) -> _Pieces:
    pieces: list[str | Slot] = []
    faults: list[tuple[FaultError, int]] = []
    for piece in read_pieces(text):
        if isinstance(piece, str):
            pieces.append(piece)
        elif isinstance(piece, ExpressionError):
            faults.append((piece.fault, piece.offset))
        else:
            found = tuple(_check(piece, allowed))
            faults += found
            if not found:
                pieces.append(_make_slot(piece, continues_url=in_url and bool(pieces)))
    return join_texts(pieces), tuple(faults)


# the jobs of a file, and the files of a project, say the same few things again and again
_read_known = lru_cache(maxsize=1024)(_read_pieces)


def _make_slot(expression: Expression, *, continues_url: bool) -> Slot:
    evaluate = make_evaluate(expression)
    if continues_url and expression.names[0] in ("row", "env", "vars"):
        evaluate = make_url_part(expression, evaluate)
    return Slot(expression=expression, evaluate=evaluate)


def _check(expression: Expression, allowed: Allowed) -> Iterator[tuple[FaultError, int]]:
    fault = check_names(expression.names, allowed)
    if fault is not None:
        yield fault, expression.offset
    for call in expression.calls:
        fault = _check_call(call)
        if fault is not None:
            yield fault, call.offset


def _check_call(call: Call) -> FaultError | None:
    if call.name not in FILTERS:
        return FaultError(
            "render-filter", f"there is no filter `{call.name}`", suggest(call.name, sorted(FILTERS))
        )
    try:
        make_filter(call.name, call.argument)
    except ArgumentError as error:
        return FaultError("render-filter", str(error), error.hint)
    return None


def join_texts(pieces: Iterable[str | Slot]) -> tuple[str | Slot, ...]:
    """Join texts that stand side by side."""
    joined: list[str | Slot] = []
    for piece in pieces:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    return tuple(joined)
