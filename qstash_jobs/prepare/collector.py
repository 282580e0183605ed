"""The problems of a job's rows -> each different one once."""

from dataclasses import replace

from qstash_jobs.problem import Problem, Severity
from qstash_jobs.rows import Row

PROBLEMS_OF_A_JOB = 50
"""After so many different ones no more warnings are kept, and an error ends the reading of the job's rows: the rest
would say the same again."""


class Collector:
    """Collects problems: each different one once, with the first row that has it and how many more have it."""

    def __init__(self) -> None:
        self._first: dict[tuple[object, ...], tuple[Problem, Row | None]] = {}
        self._more: dict[tuple[object, ...], int] = {}

    def add(self, problem: Problem, row: Row | None = None) -> None:
        key = (problem.location, problem.rule, problem.message)
        if key in self._first:
            self._more[key] = self._more.get(key, 0) + 1
        elif problem.severity is Severity.ERROR or not self.is_full:
            self._first[key] = (problem, row)

    @property
    def is_full(self) -> bool:
        return len(self._first) >= PROBLEMS_OF_A_JOB

    @property
    def has_errors(self) -> bool:
        return any(problem.severity is Severity.ERROR for problem, _ in self._first.values())

    def problems(self) -> list[Problem]:
        return [self._tell(key, problem, row) for key, (problem, row) in self._first.items()]

    def _tell(self, key: tuple[object, ...], problem: Problem, row: Row | None) -> Problem:
        if row is None:
            return problem
        more = self._more.get(key, 0)
        others = f" and {more:,} more" if more else ""
        return replace(
            problem, message=f"{problem.message} (row {row.number:,}, {row.file}:{row.line}{others})"
        )
