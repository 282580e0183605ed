"""Files whose faults show only when messages are made of them: each said once, at its place, with nothing sent."""

from pathlib import Path

import pytest

from qstash_jobs.api.inputs import Inputs
from qstash_jobs.api.validate import validate

FOLDER = Path(__file__).parent / "cases" / "bad" / "run"
CASES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_each_fault_is_said_once_at_its_place(path: Path) -> None:
    found = validate(Inputs(paths=(path.name,), here=FOLDER), {})
    said = [
        f"{problem.location.file}:{problem.location.line}:{problem.location.column} {problem.severity} "
        f"{problem.rule} {problem.message}" + (f" | {problem.hint}" if problem.hint else "")
        for problem in found.problems
    ]
    assert said == path.with_suffix(".expected").read_text().splitlines()
    assert found.has_errors


def test_the_cases_are_there() -> None:
    assert len(CASES) > 25
