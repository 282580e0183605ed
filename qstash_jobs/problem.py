"""A fault in a user's file: what is wrong, where it stands, and what would mend it."""

from enum import StrEnum

from qstash_jobs.value import dataclass

Path = tuple[str | int, ...]
"""The way to a value in a document: mapping keys and list indices, from the top."""


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place in a file that was read."""

    file: str
    """As it is shown to people: relative to the working directory, with forward slashes."""
    line: int
    """From 1; 0 where the problem is the file itself."""
    column: int
    """From 1, in characters."""
    source: str = ""
    """The text of that line, without its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One fault; a run collects all of them before it says anything."""

    location: Location
    rule: str
    """The id that `explain` knows."""
    message: str
    """What is wrong, in the user's words: lower case, no full stop."""
    hint: str | None = None
    """What would mend it, where that is known."""
    path: Path = ()
    severity: Severity = Severity.ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A fault in a job's fields, before anybody has looked up where they stand."""

    path: Path
    rule: str
    message: str
    hint: str | None = None
    severity: Severity = Severity.ERROR


def sort_problems(problems: list[Problem]) -> list[Problem]:
    """Sort by file, line and column, and drop the ones that say the same thing of the same place twice."""
    unique = {(p.location, p.rule, p.message): p for p in problems}
    return sorted(unique.values(), key=_order)


def _order(problem: Problem) -> tuple[str | int, ...]:
    location = problem.location
    return (location.file, location.line, location.column, location.source, problem.rule, problem.message)
