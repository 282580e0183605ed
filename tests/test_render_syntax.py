"""What is no expression is refused at its column, with the way out; nothing that is read can break the reader."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qstash_jobs.problem import Location, Path, Problem
from qstash_jobs.render import FILTERS, ROOTS, Scope, Settled, compile_value


def place(path: Path) -> Location:
    return Location(file="jobs.yaml", line=3, column=7)


def problems_of(text: str) -> list[Problem]:
    _, problems = compile_value(text, place=place)
    return problems


NO_OPERATORS = "there are no operators"
NO_END = "the expression has no end"
ONE_LITERAL = "a filter takes one text, number, true, false or null between its parentheses"
BEGINS = "an expression begins with a name"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${{}}", "the expression is empty"),
        ("${{   }}", "the expression is empty"),
        ("${{ vars.a", NO_END),
        ("${{ vars.a }", NO_END),
        ("a ${{", NO_END),
        ("${{ vars.a }} ${{ vars.b", NO_END),
        ("${{ 'x' }}", BEGINS),
        ("${{ 1 }}", BEGINS),
        ("${{ .a }}", BEGINS),
        ("${{ | trim }}", BEGINS),
        ("${{ vars.a + vars.b }}", NO_OPERATORS),
        ("${{ vars.a == 1 }}", NO_OPERATORS),
        ('${{ vars.a || "x" }}', NO_OPERATORS),
        ("${{ vars.a && vars.b }}", NO_OPERATORS),
        ("${{ vars.a ? 1 : 2 }}", NO_OPERATORS),
        ("${{ fromJSON(vars.a) }}", "nothing can be called"),
        ("${{ vars.a. }}", "a name is missing behind the dot"),
        ("${{ vars..a }}", "a name is missing behind the dot"),
        ("${{ vars.a | }}", "a filter's name is missing here"),
        ("${{ vars.a | | trim }}", "a filter's name is missing here"),
        ("${{ vars[a] }}", "between the brackets stands a text in quotes, or the number of a list's item"),
        ("${{ vars.a[-1] }}", "between the brackets stands a text in quotes, or the number of a list's item"),
        ('${{ vars["a] }}', "between the brackets stands a text in quotes, or the number of a list's item"),
        ("${{ vars.a | default(vars.b) }}", ONE_LITERAL),
        ("${{ vars.a | default() }}", ONE_LITERAL),
        ("${{ vars.a | default(1, 2) }}", ONE_LITERAL),
        ("${{ vars.a | default(truely) }}", ONE_LITERAL),
        (r'${{ vars["\x"] }}', "the text in double quotes holds an escape that JSON does not have"),
        (r'${{ vars["\ud800"] }}', "the text in double quotes holds an escape that JSON does not have"),
        ("${{ vars.a vars.b }}", "'v' cannot stand here"),
        ("${{ vars.a, vars.b }}", "',' cannot stand here"),
        ("${{ vars.a" + " " * 1000 + "}}", "the expression is longer than 1,000 characters"),
        ("${{ vars.a" + " | trim" * 11 + " }}", "more than 10 filters stand in one expression"),
        ("${{ vars.a }}" * 101, "more than 100 expressions stand in one value"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_a_problem_that_says_why(text: str, message: str) -> None:
    (problem,) = problems_of(text)
    assert (problem.rule, problem.message) == ("render-syntax", message)
    assert problem.hint != ""


def test_the_limits_themselves_are_fine() -> None:
    longest = "${{ vars.a" + " " * (1000 - len("${{ vars.a}}")) + "}}"
    assert len(longest) == 1000
    for text in (longest, "${{ vars.a" + " | trim" * 10 + " }}", "${{ vars.a }}" * 100):
        assert problems_of(text) == []


def test_a_closing_brace_inside_a_text_closes_nothing() -> None:
    template, problems = compile_value('${{ vars["}}"] | default("}}") }}', place=place)
    assert problems == []
    assert template.fill(Scope(roots={"vars": {}})).value == "}}"


def test_all_expressions_of_a_value_are_reported_in_one_go() -> None:
    value = {"url": "${{ vars }}/${{ a + b }}/${{ ros.a | trm }}", "body": ["${{", {"x": "${{ 1 }}"}]}
    _, problems = compile_value(value, place=place)
    assert [(problem.path, problem.rule) for problem in problems] == [
        (("url",), "render-syntax"),
        (("url",), "render-unknown-name"),
        (("url",), "render-filter"),
        (("body", 0), "render-syntax"),
        (("body", 1, "x"), "render-syntax"),
    ]


@pytest.mark.parametrize(
    ("source", "column", "text", "expected"),
    [
        ("url: https://x/${{ vars.a + 1 }}", 6, "https://x/${{ vars.a + 1 }}", "+ 1"),
        ('url: "https://x/${{ vars.a + 1 }}"', 6, "https://x/${{ vars.a + 1 }}", "+ 1"),
        ('url: "a\\u0020b ${{ vars.a + 1 }}"', 6, "a b ${{ vars.a + 1 }}", "+ 1"),
        ("url: 'it''s ${{ vars.a + 1 }}'", 6, "it's ${{ vars.a + 1 }}", "+ 1"),
        ("url: $${{ ${{ vars.b }} ${{ ros.a }}", 6, "$${{ ${{ vars.b }} ${{ ros.a }}", "${{ ros.a"),
        ("url: ${{ row.a | trm }}", 6, "${{ row.a | trm }}", "trm }}"),
        ('{a: "${{ vars.a }}", b: "${{ nope.a }}"}', 25, "${{ nope.a }}", "${{ nope.a"),
        ('url: "${{ vars[\\"a\\"] + 1 }}"', 6, '${{ vars["a"] + 1 }}', "${{ vars"),
        ("url: >", 6, "folded ${{ vars.a + 1 }}", ">"),
        ("url: plain", 6, "${{ 1 }}", "plain"),
        ("", 1, "${{ 1 }}", ""),
    ],
)
def test_a_problem_points_at_the_place_in_the_line(
    source: str, column: int, text: str, expected: str
) -> None:
    def place_here(path: Path) -> Location:
        return Location(file="jobs.yaml", line=9, column=column, source=source)

    _, (problem,) = compile_value(text, place=place_here)
    assert problem.location.line == 9
    assert source[problem.location.column - 1 :].startswith(expected)


def test_a_problem_of_a_row_points_at_its_expression_too() -> None:
    source = 'body: "${{ row.a }} ${{ row.b | int }}"'

    def place_here(path: Path) -> Location:
        return Location(file="jobs.yaml", line=2, column=7, source=source)

    template, _ = compile_value("${{ row.a }} ${{ row.b | int }}", place=place_here)
    (problem,) = template.problems(template.fill(Scope(roots={"row": {"a": "1", "b": "n/a"}})))
    assert source[problem.location.column - 1 :].startswith("${{ row.b")


fragments = st.sampled_from(
    [
        "${{", "$${{", "}}", "}", "{", "$", "|", "(", ")", "[", "]", ".", '"', "'", "\\", " ", "\n", ",", "-", "1",
        "1.5", "true", "null", "é", "\ud800", "\x00", '["a b"]', "[0]", 'default("x")', "| ",
        *ROOTS, *sorted(FILTERS), ".name", ".a", " }}", "${{ row.a", "${{ vars.a",
    ]
)  # fmt: skip
expression_texts = st.lists(fragments | st.text(max_size=3), max_size=14).map("".join)
values = st.recursive(
    expression_texts | st.none() | st.booleans() | st.integers() | st.decimals(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(expression_texts, inner, max_size=3),
    max_leaves=6,
)


@given(value=values, row=st.dictionaries(st.sampled_from(["a", "name", "a b"]), values))
@settings(deadline=None, max_examples=400)
def test_nothing_that_is_read_or_filled_in_raises(value: Any, row: dict[str, Any]) -> None:
    template, _ = compile_value(value, place=place)
    scope = Scope(roots={"row": row, "vars": {"a": Decimal("1.10"), "name": None}}, missing_secret="mask")
    filled = template.fill(scope)
    assert template.fill(scope).findings == filled.findings
    settled = Settled(template, scope)
    assert str(settled.fill(row)) == str((filled.value, list(filled.findings)))
    assert settled.missing_secrets == filled.missing_secrets


@given(text=expression_texts.filter(lambda text: "${{" not in text))
@settings(deadline=None)
def test_a_text_without_expressions_stays_as_it_is(text: str) -> None:
    template, problems = compile_value(text, place=place)
    assert problems == []
    assert template.fill(Scope(roots={})).value == text


@given(text=st.text())
@settings(deadline=None)
def test_every_opening_can_be_escaped(text: str) -> None:
    template, problems = compile_value(text.replace("${{", "$${{") + "$${{", place=place)
    assert problems == []
    assert template.fill(Scope(roots={})).value == text + "${{"
