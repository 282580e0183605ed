"""Markdown shows foreign text as it is and makes nothing of it; cmark-gfm, GitHub's own parser, is the reader here."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_page import Page

from qstash_jobs.plan.messages import PlannedMessage
from qstash_jobs.problem import Location, Problem
from qstash_jobs.report.escape import UNSAFE, escape
from qstash_jobs.report.layout import cut
from qstash_jobs.report.markdown import CELL_WIDTH, write_code, write_fold, write_prose, write_table
from qstash_jobs.report.plan_markdown import MOST_CHARACTERS, write_plan_markdown, write_plan_sections
from qstash_jobs.report.plans import write_plan
from qstash_jobs.report.problems import write_problems_markdown
from qstash_jobs.wire.http import Request

NASTY = [
    "a|b", "a\\|b", "`", "``a`", " a ", "<script>alert(1)</script>", "</details>", "[x](http://e.example)",
    "![x](http://e.example)", "*a*", "_a_", "~~a~~", "@team", "#12", "https://e.example/", "www.e.example",
    "me@e.example", "&lt;", "&#124;", "$x$", "\\", "a\\", "| --- |", "\u202eevil", "\x1b[31m", "a\nb", "-", "# a",
    "1. a", "- [ ] a", ":smile:", "<!-- a", "\x00",
]  # fmt: skip
TEXT = st.text(st.characters() | st.sampled_from("`|\\<>&@#*_[]()!~:/ $\n"), max_size=30)

HELLO = PlannedMessage(
    id="qj-" + "0" * 40,
    name="jobs/hello:hello",
    job="jobs/hello:hello",
    file="jobs/hello.yaml",
    line=1,
    action="publish",
    via="publish",
    request=Request(
        method="POST",
        target="/v2/publish/https://api.example.com/hello",
        headers=(("Content-Type", "application/json"),),
        body=b'{"hello":"world"}',
    ),
    dedup_id="qj-" + "0" * 40,
    facts=(("to", "POST https://api.example.com/hello"), ("delay", "3s"), ("labels", "a, b")),
)


def in_cell(*cells: str) -> Page:
    return Page("\n".join(write_table(["a"] * len(cells), [cells])))


def rows(number: int) -> list[PlannedMessage]:
    return [replace(HELLO, name=f"{HELLO.job}[{row}]", row=row) for row in range(1, number + 1)]


def plan(*messages: PlannedMessage, bodies: bool = False) -> Page:
    sections = list(write_plan_sections(messages, bodies=bodies))
    return Page("\n".join(write_plan_markdown(sections, summary=["would publish 1 message of 1 job"])))


def check_code(text: str) -> None:
    page = in_cell(write_code(text), "next")
    shown = cut(escape(text), CELL_WIDTH)
    assert page.cells[1] == [shown if shown.strip() else page.cells[1][0], "next"]
    assert set(page.tags) <= {"table", "thead", "tbody", "tr", "th", "td", "code"}


def check_prose(text: str) -> None:
    page = in_cell(f"so: {write_prose(text)}.", "next")
    shown = escape(text)
    pieces = shown.split("`")
    said = (
        shown
        if len(pieces) % 2 == 0
        else "".join(cut(p, CELL_WIDTH) if at % 2 else p for at, p in enumerate(pieces))
    )
    assert "".join(page.cells[1][0].split()) == "".join(f"so: {said}.".split())
    assert page.cells[1][1] == "next"
    assert set(page.tags) <= {"table", "thead", "tbody", "tr", "th", "td", "code"}


@pytest.mark.parametrize("text", NASTY)
def test_code_and_prose_show_a_text_and_make_nothing_of_it(text: str) -> None:
    check_code(text)
    check_prose(text)
    check_prose(f"no field `{text}` here")


@settings(deadline=None)
@given(text=TEXT)
def test_no_text_leaves_its_cell(text: str) -> None:
    check_code(text)
    check_prose(text)


@pytest.mark.parametrize("text", ["ping @team", "see #12", "`a` @b and `c` #d"])
def test_nobody_is_notified_and_no_issue_is_linked(text: str) -> None:
    page = Page(write_prose(text))
    outside = page.text
    for code in page.code:
        outside = outside.replace(code, "", 1)
    assert not {"@", "#"} & set(outside)


@pytest.mark.parametrize("lines", [["```", "</details>"], ["````` a"], ["~~~"], [""]])
def test_a_folded_text_stays_inside(lines: list[str]) -> None:
    page = Page("\n".join([*write_fold("body of", "a`<b>", lines), "## after"]))
    assert page.tags == ["details", "summary", "code", "pre", "code", "h2"]
    assert page.code == ["a`<b>", "\n".join(lines) + "\n"]
    assert page.text.endswith("after\n")


def test_a_plan_has_a_table_for_each_job_and_what_would_be_sent_where() -> None:
    page = plan(
        HELLO, replace(HELLO, job="jobs/b:b", name="jobs/b:b", action="skip", reason="published as msg_1")
    )
    assert page.cells[1] == [
        "publish",
        "jobs/hello:hello",
        "POST https://api.example.com/hello",
        "delay 3slabels a, b",
        "application/json, 17 bytes",
        HELLO.id,
    ]
    assert page.cells[3] == ["skip", "jobs/b:b", "", "published as msg_1", "", HELLO.id]
    assert "would publish 1 message of 1 job" in page.text
    assert "jobs/hello.yaml:1" in page.code
    assert '{"hello":"world"}\n' in page.code


@pytest.mark.parametrize("body", [b"::error::forged", b"a\n  ::stop-commands::x\nb", b"##[error]forged"])
def test_a_body_gives_the_runner_of_a_pipeline_no_command(body: bytes) -> None:
    message = replace(HELLO, request=replace(HELLO.request, body=body))
    for lines in (write_plan([message]), write_plan_sections([message])):
        assert not [line for line in lines if line.lstrip().startswith(("::", "##["))]


def test_of_rows_three_are_shown_and_all_are_counted_and_bodies_are_asked_for() -> None:
    page = plan(*rows(1_000))
    assert [cells[1] for cells in page.cells[1:]] == [f"jobs/hello:hello[{row}]" for row in (1, 2, 3)]
    assert "1,000 messages; 997 of them not shown" in page.text
    assert "details" not in page.tags
    assert plan(*rows(1_000), bodies=True).tags.count("details") == 3


def test_a_plan_of_many_jobs_fits_into_a_comment_and_says_how_many_it_leaves_out() -> None:
    messages = [replace(HELLO, job=f"jobs/a:{number}") for number in range(500)]
    text = "\n".join(write_plan_sections(messages))
    assert len(text) < MOST_CHARACTERS * 1.1
    shown = text.count("### ")
    assert 50 < shown < 500
    assert f"and {500 - shown} jobs more that would be too long for this place" in text


def test_problems_are_a_table_with_file_and_line() -> None:
    problem = Problem(
        location=Location(file="jobs/a.yaml", line=3, column=1, source="retrys: 3"),
        rule="schema-unknown-key",
        message="unknown field `retrys`",
        hint="did you mean `retries`?",
    )
    page = Page("\n".join(write_problems_markdown([problem])))
    assert page.cells[1] == [
        "error",
        "jobs/a.yaml:3:1",
        "unknown field retrys schema-unknown-keyhint: did you mean retries?",
    ]
    many = Page("\n".join(write_problems_markdown([problem] * 250)))
    assert len(many.cells) == 101
    assert "and 150 more problems" in many.text
    assert list(write_problems_markdown([])) == []


@settings(deadline=None, max_examples=50)
@given(
    name=TEXT,
    value=TEXT,
    body=st.binary(max_size=30) | TEXT.map(lambda text: text.encode("utf-8", "replace")),
)
def test_a_plan_of_anything_keeps_its_shape(name: str, value: str, body: bytes) -> None:
    message = replace(
        HELLO, name=name, job=name, file=name, facts=(("to", value), ("header", value)), notes=(value,),
        request=replace(HELLO.request, body=body, headers=(("Content-Type", value),)),
    )  # fmt: skip
    lines = list(write_plan_sections([message]))
    assert not [line for line in lines if UNSAFE.search(line)]
    page = Page("\n".join(lines))
    assert [len(cells) for cells in page.cells] == [6, 6]
    assert page.tags.count("details") <= 1
    assert not {"a", "img", "script", "h1", "em", "strong", "del"} & set(page.tags)
