"""Problems -> one JUnit document: a test case for each file."""

from collections.abc import Iterable, Sequence

from qstash_jobs.problem import Problem, Severity
from qstash_jobs.report.junit import Case, Verdict, write_junit
from qstash_jobs.report.problems import write_problems
from qstash_jobs.report.wording import count


def write_problems_junit(problems: Sequence[Problem], *, files: Iterable[str]) -> str:
    """Write a test case for each file: it fails where it has an error, and tells of its warnings in any case."""
    by_file: dict[str, list[Problem]] = {file: [] for file in files}
    for problem in problems:
        by_file.setdefault(problem.location.file, []).append(problem)
    cases = [_judge_file(file, found) for file, found in sorted(by_file.items())]
    return write_junit(cases, name="qstash-jobs validate")


def _judge_file(file: str, problems: list[Problem]) -> Case:
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    verdict = None
    if errors:
        verdict = Verdict(
            kind="failure",
            type=errors[0].rule,
            message=errors[0].message if len(errors) == 1 else count(len(errors), "error"),
            lines=tuple(write_problems(errors)),
        )
    warnings = (problem for problem in problems if problem.severity is Severity.WARNING)
    return Case(
        group="qstash-jobs.validate", name=file, verdict=verdict, output=tuple(write_problems(warnings))
    )
