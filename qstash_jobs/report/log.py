"""A moment, a level, a sentence and its facts -> a line of a log that machines read."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from qstash_jobs.problem import Problem
from qstash_jobs.report.escape import write_json
from qstash_jobs.report.wording import write_moment

Level = Literal["info", "warning", "error"]


def write_log_line(at: datetime, level: Level, message: str, facts: Mapping[str, object]) -> str:
    """Write one object on one line; time, level and message come first, and no fact is called so."""
    return write_json({"time": write_moment(at), "level": level, "message": message, **facts})


def collect_problem(problem: Problem) -> dict[str, object]:
    """Give the facts of a problem in a file, beside its message."""
    return {
        "file": problem.location.file,
        "line": problem.location.line,
        "column": problem.location.column,
        "rule": problem.rule,
        "hint": problem.hint,
    }
