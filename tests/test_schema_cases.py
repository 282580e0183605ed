"""Whole files under tests/cases: what is wrong with each, word for word, and nothing where nothing is wrong."""

from pathlib import Path

import pytest

from qstash_jobs.document import read_document
from qstash_jobs.problem import Problem
from qstash_jobs.schema import check_job_file

CASES = Path(__file__).parent / "cases"
BAD = sorted((CASES / "bad" / "schema").glob("*.yaml"))
GOOD = sorted((CASES / "good").glob("*.yaml"))


def write(problem: Problem) -> str:
    place = problem.location
    return f"{place.line}:{place.column} {problem.severity} {problem.rule} {problem.message}"


def find(path: Path) -> list[Problem]:
    document = read_document(path.read_bytes(), file=path.name)
    return [*document.problems, *check_job_file(document)]


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_each_fault_is_said_once_at_its_place(path: Path) -> None:
    assert [write(problem) for problem in find(path)] == path.with_suffix(
        ".expected"
    ).read_text().splitlines()


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_file_in_order_has_no_problem(path: Path) -> None:
    assert find(path) == []


def test_the_cases_are_there() -> None:
    assert len(BAD) > 15
    assert len(GOOD) > 4
