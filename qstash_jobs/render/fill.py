"""A tree -> the function that fills it from a Scope, sharing every part that has no expression in it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from qstash_jobs.render.evaluate import write_expression
from qstash_jobs.render.fault import Fault, FaultError, make_fault
from qstash_jobs.render.scope import Scope
from qstash_jobs.render.text import MAX_TEXT_BYTES, check_value, name_kind, too_long, write_text
from qstash_jobs.render.tree import Branch, Constant, Node, Scalar, Slot, join_texts

Fill = Callable[[Scope, list[Fault]], Any]
"""Adds what is wrong to the list; a scalar with a fault is None."""


def make_fill(node: Node) -> Fill:
    """Compile a tree."""
    if isinstance(node, Constant):
        value = node.value
        return lambda scope, faults: value
    if isinstance(node, Scalar):
        only = node.pieces[0] if len(node.pieces) == 1 else None
        return _make_whole(node, only) if isinstance(only, Slot) else _make_text(node)
    return _make_branch(node)


def _make_branch(branch: Branch) -> Fill:
    data = branch.data
    fills = tuple((key, _find_column(child), make_fill(child)) for key, child in branch.filled)

    def fill(scope: Scope, faults: list[Fault]) -> Any:
        copy: Any = data.copy()
        row = scope.roots.get("row", _NO_ROW)
        for key, column, fill_child in fills:
            value = None if column is None else row.get(column)
            if value.__class__ is str and value.isascii() and len(value) <= MAX_TEXT_BYTES:
                copy[key] = value
            else:
                copy[key] = fill_child(scope, faults)
        return copy

    return fill


_NO_ROW: Mapping[str, Any] = {}


def _find_column(node: Node) -> str | None:
    """Name the column that a scalar is, if it is one and nothing else: text in it needs no evaluation."""
    if not isinstance(node, Scalar) or len(node.pieces) != 1 or not isinstance(node.pieces[0], Slot):
        return None
    expression = node.pieces[0].expression
    root, *names = expression.names
    return str(names[0]) if root == "row" and len(names) == 1 and not expression.calls else None


def _make_whole(scalar: Scalar, slot: Slot) -> Fill:
    evaluate = slot.evaluate

    def fill(scope: Scope, faults: list[Fault]) -> Any:
        try:
            value = evaluate(scope)
            check_value(value)
        except FaultError as error:
            faults.append(make_fault(error, scalar.path, scalar.text, slot.expression.offset))
            return None
        return value

    return fill


def _make_text(scalar: Scalar) -> Fill:
    texts = ["" if isinstance(piece, Slot) else piece for piece in scalar.pieces]
    slots = [
        (index, piece.evaluate, piece) for index, piece in enumerate(scalar.pieces) if isinstance(piece, Slot)
    ]

    def fill(scope: Scope, faults: list[Fault]) -> Any:
        parts = texts.copy()
        size = 0
        try:
            for index, evaluate, slot in slots:
                value = evaluate(scope)
                if value.__class__ is not str:
                    value = _write_inside(value, slot)
                size += len(value)
                if size > MAX_TEXT_BYTES:
                    raise too_long()
                parts[index] = value
            text = "".join(parts)
            check_value(text)
        except FaultError as error:
            each = list(_explain_slots(scalar, scope))
            faults.extend(each or [make_fault(error, scalar.path, scalar.text, 0)])
            return None
        return text

    return fill


def _explain_slots(scalar: Scalar, scope: Scope) -> Iterator[Fault]:
    """Look at every expression by itself: the first fault would hide the others."""
    for piece in scalar.pieces:
        if isinstance(piece, Slot):
            try:
                check_value(write_slot(piece, scope))
            except FaultError as error:
                yield make_fault(error, scalar.path, scalar.text, piece.expression.offset)


def write_slot(slot: Slot, scope: Scope) -> str:
    """Give an expression's value as a part of a longer text."""
    return _write_inside(slot.evaluate(scope), slot)


def _write_inside(value: Any, slot: Slot) -> str:
    text = write_text(value)
    if text is not None:
        return text
    source = write_expression(slot.expression)
    if value is None:
        raise FaultError(
            "render-null",
            f"`{source}` is null, which has no place inside a text",
            f"give it another value: `{source} | default(…)`",
        )
    raise FaultError(
        "render-text",
        f"`{source}` is {name_kind(value)}, which has no place inside a text",
        f"write it as JSON: `{source} | json`",
    )


def settle(node: Node, scope: Scope) -> Node:
    """Fill what no row changes; what has a fault stays as it is, to say so when it is filled."""
    if isinstance(node, Scalar):
        return _settle_scalar(node, scope)
    if not isinstance(node, Branch):
        return node
    data = node.data.copy()
    filled = []
    for key, child in node.filled:
        settled = settle(child, scope)
        if isinstance(settled, Constant):
            data[key] = settled.value  # type: ignore[index]
        else:
            filled.append((key, settled))
    return Branch(data=data, filled=tuple(filled)) if filled else Constant(value=data)


def _settle_scalar(scalar: Scalar, scope: Scope) -> Node:
    faults: list[Fault] = []
    if all(isinstance(piece, str) or piece.expression.names[0] != "row" for piece in scalar.pieces):
        value = make_fill(scalar)(scope, faults)
        return scalar if faults else Constant(value=value)
    try:
        pieces = tuple(_settle_piece(piece, scope) for piece in scalar.pieces)
    except FaultError:
        return scalar
    return Scalar(path=scalar.path, text=scalar.text, pieces=join_texts(pieces))


def _settle_piece(piece: str | Slot, scope: Scope) -> str | Slot:
    return piece if isinstance(piece, str) or piece.expression.names[0] == "row" else write_slot(piece, scope)
