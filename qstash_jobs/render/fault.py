"""What can be wrong with an expression, and the place in the file that it is shown at."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from qstash_jobs.problem import Finding, Location, Path, Problem
from qstash_jobs.value import dataclass

Place = Callable[[Path], Location]
"""Tells where the value at a path begins in its file."""

Rule = Literal[
    "render-syntax",
    "render-unknown-name",
    "render-refused-name",
    "render-missing-secret",
    "render-null",
    "render-filter",
    "render-url-value",
    "render-text",
]


class FaultError(Exception):
    """an expression has no value"""

    def __init__(self, rule: Rule, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault(Finding):
    """A finding that knows where in its scalar the expression stands."""

    text: str
    """The scalar."""
    offset: int
    """Of the place in it, in characters."""


def make_fault(error: FaultError, path: Path, text: str, offset: int) -> Fault:
    return Fault(path=path, rule=error.rule, message=error.message, hint=error.hint, text=text, offset=offset)


def place_fault(fault: Fault, place: Place) -> Problem:
    """Turn a fault into a problem at its expression's column, where the scalar's own line shows it."""
    return Problem(
        location=_move(place(fault.path), fault.text, fault.offset),
        rule=fault.rule,
        message=fault.message,
        hint=fault.hint,
        path=fault.path,
        severity=fault.severity,
    )


def _move(start: Location, text: str, offset: int) -> Location:
    """Find the expression again by counting `${{`: quotes and escapes may have shifted every column before it."""
    opening = text.rfind("${{", 0, offset + 3)
    if opening < 0:
        return start
    index = start.column - 1
    for _ in range(text.count("${{", 0, opening) + 1):
        found = start.source.find("${{", index)
        if found < 0:
            return start
        index = found + 3
    inside = offset - opening
    if not start.source.startswith(text[opening:offset], found):
        inside = 0
    return replace(start, column=found + inside + 1)
