"""Problems are shown where they stand, whatever the file holds."""

import json
import re
from dataclasses import replace
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qstash_jobs.problem import Location, Problem, Severity
from qstash_jobs.report.escape import UNSAFE, escape
from qstash_jobs.report.layout import cell_width
from qstash_jobs.report.problems import (
    cut_around,
    summarise_problems,
    write_problems,
    write_problems_github,
    write_problems_json,
)

TYPO = Problem(
    location=Location(file="jobs/hello.yaml", line=3, column=1, source="retrys: 3"),
    rule="schema-unknown-field",
    message="there is no field `retrys`",
    hint="did you mean `retries`?",
    path=("retrys",),
)
LATE = Problem(
    location=Location(file="jobs/hello.yaml", line=4, column=8, source="delay: 3s"),
    rule="queue-delay",
    message="a queue takes no delay",
    severity=Severity.WARNING,
)

TEXT = st.text(st.characters())
PROBLEM = st.builds(
    Problem,
    location=st.builds(
        Location,
        file=TEXT,
        line=st.integers(0, 9),
        column=st.integers(0, 50),
        source=TEXT,
    ),
    rule=st.just("a-rule"),
    message=TEXT,
    hint=st.none() | TEXT,
    path=st.lists(TEXT | st.integers(0, 5)).map(tuple),
    severity=st.sampled_from(Severity),
)


def caret(problem: Problem, width: int | None = None) -> tuple[str, str]:
    """The source line, and what stands above the caret and behind it."""
    _, source, pointer, *_ = write_problems([problem], width=width)
    return source, pointer


def at(source: str, column: int) -> Problem:
    return replace(LATE, location=replace(LATE.location, source=source, column=column))


def test_a_problem_has_its_place_its_line_a_caret_and_the_way_out() -> None:
    assert "\n".join(write_problems([TYPO, LATE])) == (
        "jobs/hello.yaml:3:1: error: there is no field `retrys` [schema-unknown-field]\n"
        "    retrys: 3\n"
        "    ^\n"
        "  hint: did you mean `retries`?\n"
        "jobs/hello.yaml:4:8: warning: a queue takes no delay [queue-delay]\n"
        "    delay: 3s\n"
        "           ^"
    )


def test_a_problem_of_a_whole_file_has_no_line() -> None:
    problem = replace(TYPO, location=Location(file="jobs/a.yaml", line=0, column=0), hint=None)

    assert list(write_problems([problem])) == [
        "jobs/a.yaml: error: there is no field `retrys` [schema-unknown-field]"
    ]


@pytest.mark.parametrize(
    ("source", "column", "shown", "before"),
    [
        ("\tdelay: 3s", 2, "    delay: 3s", 4),
        ("a\tb", 3, "a   b", 4),
        ("名前: x", 5, "名前: x", 6),
        ("e\u0301: x", 4, "e\u0301: x", 2),
        ("a\x1b[31m: x", 8, "a\\x1b[31m: x", 10),
        ("\u202eevil: x", 2, "\\u202eevil: x", 6),
        ("key:", 5, "key:", 4),
        ("key:", 99, "key:", 4),
    ],
)
def test_the_caret_stands_right_under_tabs_wide_characters_and_escapes(
    source: str, column: int, shown: str, before: int
) -> None:
    assert caret(at(source, column)) == ("    " + shown, "    " + " " * before + "^")


def test_a_long_line_is_cut_around_the_column() -> None:
    source, pointer = caret(at("a" * 500 + "X" + "b" * 500, 501), width=40)

    assert source == "    …" + "a" * 17 + "X" + "b" * 16 + "…"
    assert source[len(pointer) - 1] == "X"


def test_megabytes_on_one_line_are_cut_in_a_pipe_too() -> None:
    source, pointer = caret(at("x" * 2_000_000 + "Y", 2_000_001))

    assert len(source) < 130
    assert source[len(pointer) - 1] == "Y"


@settings(deadline=None)
@given(source=st.text(st.characters() | st.sampled_from("\t名\u0301\x1b"), max_size=300), data=st.data())
def test_a_cut_line_fits_and_shows_the_column(source: str, data: st.DataObject) -> None:
    column = data.draw(st.integers(1, len(source) + 1))
    width = data.draw(st.integers(24, 120))

    shown, before = cut_around(source, column, width)

    assert cell_width(shown) <= width
    assert before <= cell_width(shown)
    if column <= len(source) and source[column - 1].isalnum() and cell_width(source[column - 1]):
        assert source[column - 1] in shown


def test_a_summary_counts_what_there_is() -> None:
    assert summarise_problems([TYPO, TYPO, LATE], files=3) == "2 errors and 1 warning in 1 of 3 files"
    assert summarise_problems([LATE], files=1) == "1 warning in 1 file"
    assert summarise_problems([], files=1_000) == "no problems in 1,000 files"


def test_json_has_the_documented_keys() -> None:
    assert json.loads(
        write_problems_json(
            [TYPO], files=3, jobs=12, messages=1_000, declared={"queue": 1}, missing_secrets=["KEY"]
        )
    ) == {
        "files": 3,
        "jobs": 12,
        "messages": 1_000,
        "declared": {"queue": 1},
        "missing_secrets": ["KEY"],
        "problems": [
            {
                "file": "jobs/hello.yaml",
                "line": 3,
                "column": 1,
                "severity": "error",
                "rule": "schema-unknown-field",
                "message": "there is no field `retrys`",
                "hint": "did you mean `retries`?",
                "path": ["retrys"],
            }
        ],
    }


def test_a_github_annotation_names_file_line_and_column() -> None:
    assert "\n".join(write_problems_github([TYPO])) == (
        "::error file=jobs/hello.yaml,line=3,col=1,title=schema-unknown-field"
        "::there is no field `retrys`%0Adid you mean `retries`?"
    )


def test_a_file_name_cannot_forge_an_annotation() -> None:
    forged = replace(
        TYPO,
        location=replace(TYPO.location, file="a,line=9::b\n::error::c"),
        message="100%\r\n::stop",
        hint=None,
    )

    assert "\n".join(write_problems_github([forged])) == (
        "::error file=a%2Cline=9%3A%3Ab\\n%3A%3Aerror%3A%3Ac,line=3,col=1,title=schema-unknown-field"
        "::100%25%0A::stop"
    )


def test_colour_only_adds() -> None:
    plain = list(write_problems([TYPO, LATE]))
    coloured = list(write_problems([TYPO, LATE], colour=True))

    assert coloured != plain
    assert [re.sub(r"\x1b\[\d+m", "", line) for line in coloured] == plain


@settings(deadline=None)
@given(problems=st.lists(PROBLEM, max_size=3), width=st.none() | st.integers(40, 200))
def test_no_text_reaches_the_terminal_raw(problems: list[Problem], width: int | None) -> None:
    lines = [
        *write_problems(problems, width=width),
        write_problems_json(problems, files=1, jobs=1, messages=1, declared={"queue": 1}, missing_secrets=[]),
        *write_problems_github(problems),
    ]

    assert not [line for line in lines if UNSAFE.search(line)]
    assert len(list(write_problems_github(problems))) == len(problems)


@settings(deadline=None)
@given(problem=PROBLEM)
def test_json_holds_the_same_facts(problem: Problem) -> None:
    (facts,) = json.loads(
        write_problems_json([problem], files=1, jobs=1, messages=1, declared={"queue": 1}, missing_secrets=[])
    )["problems"]

    assert facts["message"] == problem.message
    assert facts["hint"] == problem.hint
    assert facts["file"] == problem.location.file
    assert facts["path"] == list(problem.path)


@settings(deadline=None)
@given(problem=PROBLEM)
def test_an_annotation_reads_back(problem: Problem) -> None:
    (line,) = write_problems_github([replace(problem, hint=None)])

    _, properties, message = re.fullmatch("::(error|warning) ([^:]*)::(.*)", line).groups()  # type: ignore[union-attr]

    assert unquote(dict(p.split("=", 1) for p in properties.split(","))["file"]) == escape(
        problem.location.file
    )
    assert unquote(message) == "\n".join(map(escape, problem.message.replace("\r\n", "\n").split("\n")))
