"""A Template -> the columns of a row that go into it whole, each as a value of its own."""

from collections.abc import Iterator

from qstash_jobs.render.expression import Expression
from qstash_jobs.render.template import Template
from qstash_jobs.render.tree import Node, Scalar, Slot, list_scalars
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column and what it passes through."""

    name: str
    filters: tuple[str, ...] = ()


def find_columns(template: Template) -> frozenset[Column] | None:
    """Return every column that a row fills a place with; None where a row goes in in any other way."""
    found = list(_find(template.node))
    columns = frozenset(column for column in found if column is not None)
    return None if None in found else columns


def _find(node: Node) -> Iterator[Column | None]:
    for scalar in list_scalars(node):
        slots = [piece for piece in scalar.pieces if isinstance(piece, Slot)]
        if any(slot.expression.names[0] == "row" for slot in slots):
            yield _read_column(slots[0].expression) if _is_whole(scalar) else None


def _is_whole(scalar: Scalar) -> bool:
    return len(scalar.pieces) == 1


def _read_column(expression: Expression) -> Column | None:
    if len(expression.names) != 2 or any(call.argument is not None for call in expression.calls):
        return None
    return Column(name=str(expression.names[1]), filters=tuple(call.name for call in expression.calls))
