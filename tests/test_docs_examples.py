"""Every yaml block of the docs: in order for the schema, and for everything else that `validate` knows."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from qstash_jobs.api.inputs import Inputs
from qstash_jobs.api.validate import validate
from qstash_jobs.document import read_document
from qstash_jobs.problem import Problem, Severity
from qstash_jobs.schema import check_job_file, check_project_file

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FRAGMENT = "<!-- a fragment -->"
PROJECT_FILE = "# qstash-jobs.yaml"
"""The first line of a block that is a project file."""

DATA = {
    "orders.csv": "order_id,email,total\n1001,ada@example.com,10.10\n1002,grace@example.com,250\n",
    "events.jsonl": '{"kind": "opened", "number": 1}\n{"kind": "closed", "number": 2}\n',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    page: str
    line: int
    text: str

    @property
    def is_project_file(self) -> bool:
        return self.text.startswith(PROJECT_FILE)


def collect(page: Path) -> list[Example]:
    lines = page.read_text(encoding="utf-8").splitlines()
    found = []
    for start, line in enumerate(lines):
        if line == "```yaml" and lines[start - 1] != FRAGMENT:
            end = lines.index("```", start)
            name = page.relative_to(ROOT).as_posix()
            found.append(Example(page=name, line=start + 1, text="\n".join(lines[start + 1 : end]) + "\n"))
    return found


EXAMPLES = [example for page in PAGES for example in collect(page)]
every_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: f"{one.page}:{one.line}")


def say(problems: tuple[Problem, ...] | list[Problem]) -> list[str]:
    return [f"{one.location.line}: {one.message} [{one.rule}]" for one in problems]


@every_example
def test_an_example_can_be_copied_into_a_file_that_the_schema_accepts(example: Example) -> None:
    document = read_document(example.text.encode(), file=example.page)
    check = check_project_file if example.is_project_file else check_job_file
    assert say([*document.problems, *check(document)]) == []


@every_example
def test_an_example_can_be_published_as_it_stands(example: Example, tmp_path: Path) -> None:
    jobs = tmp_path / "jobs"
    (jobs / "data").mkdir(parents=True)
    for name, text in DATA.items():
        (jobs / "data" / name).write_text(text, encoding="utf-8")
    place = tmp_path / "qstash-jobs.yaml" if example.is_project_file else jobs / "example.yaml"
    (tmp_path / "qstash-jobs.yaml").write_text("project: docs\n", encoding="utf-8")
    (jobs / "other.yaml").write_text("url: https://api.example.com/other\n", encoding="utf-8")
    place.write_text(example.text, encoding="utf-8")
    found = validate(Inputs(paths=("jobs",), here=tmp_path), {})
    assert say([one for one in found.problems if one.severity is Severity.ERROR]) == []


def test_there_are_examples() -> None:
    assert len([one for one in EXAMPLES if one.page == "docs/job-file.md"]) > 10
