"""Filters read what they name and refuse the rest; nothing is guessed."""

import json
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qstash_jobs.problem import Location, Path, Problem
from qstash_jobs.render import FILTERS, Scope, compile_value


def place(path: Path) -> Location:
    return Location(file="jobs.yaml", line=1, column=1)


def run(filters: str, value: Any) -> Any:
    template, problems = compile_value(f"${{{{ row.x | {filters} }}}}", place=place)
    assert problems == []
    filled = template.fill(Scope(roots={"row": {"x": value}}))
    assert filled.findings == ()
    return filled.value


def fail(filters: str, value: Any) -> Problem:
    template, problems = compile_value(f"${{{{ row.x | {filters} }}}}", place=place)
    assert problems == []
    (problem,) = template.problems(template.fill(Scope(roots={"row": {"x": value}})))
    return problem


@pytest.mark.parametrize(
    ("filters", "value", "expected"),
    [
        ("number", "10.10", Decimal("10.10")),
        ("number", "-3", -3),
        ("number", "0", 0),
        ("number", "-0", Decimal("-0")),
        ("number", "1e5", Decimal("1E+5")),
        ("number", "9223372036854775807", 9223372036854775807),
        ("number", "123456789012345678901234567890", Decimal("123456789012345678901234567890")),
        ("number", 7, 7),
        ("number", Decimal("1.50"), Decimal("1.50")),
        ("int", "12", 12),
        ("int", "3.00", 3),
        ("int", "1e3", 1000),
        ("int", Decimal("4.0"), 4),
        ("string", 12, "12"),
        ("string", True, "true"),
        ("string", Decimal("10.10"), "10.10"),
        ("json", {"b": [1, Decimal("1.10"), None, "ä\n"], "a": True}, '{"b":[1,1.10,null,"ä\\n"],"a":true}'),
        ("json", 2**70, "1180591620717411303424"),
        ("json", None, "null"),
        ("json", "text", '"text"'),
        ('default("x")', None, "x"),
        ('default("x")', "", ""),
        ("default('it''s')", None, "it's"),
        (r'default("a\"b\u00e4")', None, 'a"bä'),
        ("default(0)", None, 0),
        ("default(-1.50)", None, Decimal("-1.50")),
        ("default(true)", None, True),
        ("default(null)", None, None),
        ("trim | int | default(3)", None, 3),
        ('default(null) | default("y")', None, "y"),
        ('default("a b") | urlencode', None, "a%20b"),
        ("urlencode", "a/b?c=d&e f+ä~._-", "a%2Fb%3Fc%3Dd%26e%20f%2B%C3%A4~._-"),
        ("urlencode", 17, "17"),
        ("lower", "ÄB", "äb"),
        ("upper", "straße", "STRASSE"),
        ("trim", " \t a b\n", "a b"),
        ("b64encode", "ä", "w6Q="),
        ("trim | upper | b64encode", " a ", "QQ=="),
        ("date", "2026-01-31", "2026-01-31"),
        ("date", "2026-01-31T23:59:59.123Z", "2026-01-31"),
        ("date", "2026-01-31T23:30:00-05:00", "2026-01-31"),
        ("date", 1769904000, "2026-02-01"),
        ("date", "1769904000", "2026-02-01"),
        ("date", Decimal("1769903999.9"), "2026-01-31"),
        ('date("%Y/%m")', "2026-01-31", "2026/01"),
        ('date("%d.%m.%Y %H:%M:%S {%%}")', "2026-01-31 04:05", "31.01.2026 04:05:00 {%}"),
    ],
)
def test_a_filter_gives_what_it_says(filters: str, value: Any, expected: Any) -> None:
    result = run(filters, value)
    assert (result, type(result), str(result)) == (expected, type(expected), str(expected))


REFUSED: dict[str, list[Any]] = {
    "number": [
        *("n/a", "", " 1", "1_000", "0x1F", "nan", "inf", "1.", ".5", "+1", "007", "1,5", "٣", "1e99999"),
        *(True, [], {}, "9" * 1001),
    ],
    "int": ["n/a", "1.5", Decimal("0.5"), "1e-1", "", False, "1e9999", "1_0"],
    "string": [[], {}],
    "lower": [[], {}],
    "urlencode": [[], {}, "\ud800"],
    "b64encode": [{}, "\udcff"],
    "json": ["\ud800", Decimal("NaN"), object()],
    "date": [
        *("yesterday", "2026-02-30", "2026-1-1", "20260131", "1769904000000", "2026-01-31T24:00:00Z"),
        *("31.01.2026", "", "２０２６-01-31", 20260131, 1769904000000, 0, True, []),
    ],
}


@pytest.mark.parametrize(
    ("filters", "value"), [(name, value) for name, values in REFUSED.items() for value in values]
)
def test_a_filter_refuses_what_it_cannot_read(filters: str, value: Any) -> None:
    problem = fail(filters, value)
    assert problem.rule == "render-filter"
    assert problem.message.startswith("`row.x` is ")
    assert f"`| {filters}` needs" in problem.message


@pytest.mark.parametrize("name", sorted(FILTERS - {"default", "json"}))
def test_null_goes_through_no_filter_but_default_and_json(name: str) -> None:
    problem = fail(name, None)
    assert problem.rule == "render-null"
    assert problem.hint == "give it another value: `row.x | default(…)`"


NUMBER = "a number as JSON writes it, such as 12, -3 or 10.50"
DATE = "a date such as 2026-01-31, an RFC 3339 time, or Unix seconds"


@pytest.mark.parametrize(
    ("filters", "value", "found", "needs", "hint"),
    [
        ("int", "n/a", '`row.x` is the text "n/a"', "a whole number", None),
        ("int", "", "`row.x` is empty", "a whole number", None),
        ("int", "1.5", '`row.x` is the text "1.5"', "a whole number", "`| number` keeps the fraction"),
        (
            "int",
            "007",
            '`row.x` is the text "007"',
            "a whole number",
            "a number has no leading zeros; leave it as text",
        ),
        ("number", " 1", '`row.x` is the text " 1"', NUMBER, "take the blanks away first: `| trim | number`"),
        (
            "int",
            " 1",
            '`row.x` is the text " 1"',
            "a whole number",
            "take the blanks away first: `| trim | int`",
        ),
        ("trim | number", " n/a", '`row.x | trim` is the text "n/a"', NUMBER, None),
        ("number", True, "`row.x` is true", NUMBER, None),
        ("date", 12, "`row.x` is 12", DATE, None),
        (
            "date",
            "1769904000000",
            '`row.x` is the text "1769904000000"',
            DATE,
            "thirteen digits are milliseconds: take the last three away",
        ),
        ("lower", {}, "`row.x` is a mapping", "text, a number or a boolean", "write it as JSON: `| json`"),
        ("int", "\x1b[1m" + "x" * 99, f'`row.x` is the text "\\x1b[1m{"x" * 36}…"', "a whole number", None),
    ],
)
def test_a_refusal_shows_the_value_and_the_way_out(
    filters: str, value: Any, found: str, needs: str, hint: str | None
) -> None:
    problem = fail(filters, value)
    last = filters.rpartition(" ")[2]
    assert (problem.message, problem.hint) == (f"{found}, and `| {last}` needs {needs}", hint)


@pytest.mark.parametrize(
    ("filters", "message", "hint"),
    [
        ("nubmer", "there is no filter `nubmer`", "did you mean `number`?"),
        ("trim(1)", "`trim` takes nothing between parentheses", "write `| trim`"),
        ("default", "`default` needs a value", 'write it between parentheses: `| default("none")`'),
        ('date("%A")', "`date` does not know `%A`", "it knows %Y, %m, %d, %H, %M, %S, %%"),
        ('date("%")', "`date` does not know `%`", "it knows %Y, %m, %d, %H, %M, %S, %%"),
        ("date(1)", "`date` takes a text", 'such as `| date("%Y-%m-%d")`'),
    ],
)
def test_a_filter_that_is_used_wrongly_is_a_problem_before_any_row(
    filters: str, message: str, hint: str
) -> None:
    _, (problem,) = compile_value(f"${{{{ row.x | {filters} }}}}", place=place)
    assert (problem.rule, problem.message, problem.hint) == ("render-filter", message, hint)


def test_default_fills_in_for_what_is_missing_at_any_depth() -> None:
    value = (
        '${{ row.a.b.c | default("none") }} ${{ env.NO | upper | default(1) }} ${{ git.sha | default("?") }}'
    )
    template, _ = compile_value(value, place=place)
    assert template.fill(Scope(roots={"row": {"a": None}, "git": {"sha": None}})).value == "none 1 ?"


def test_a_missing_name_of_a_known_root_is_a_problem_even_with_a_default() -> None:
    _, (problem,) = compile_value('${{ run.nope | default("x") }}', place=place)
    assert problem.rule == "render-unknown-name"


texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers() | st.decimals(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(value=values)
@settings(deadline=None)
def test_json_reads_back_as_what_was_written(value: Any) -> None:
    text = run("json", value)
    assert json.loads(text, parse_float=Decimal) == value


@given(text=texts)
@settings(deadline=None)
def test_an_encoded_text_holds_nothing_that_a_url_takes_as_its_own(text: str) -> None:
    encoded = run("urlencode", text)
    assert unquote(encoded) == text
    assert not set(encoded) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%")


@given(number=st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,20})?", fullmatch=True))
@settings(deadline=None)
def test_a_number_keeps_its_digits(number: str) -> None:
    assert run("number | string", number) == number
    assert run("number | json", number) == number


@given(name=st.sampled_from(sorted(FILTERS - {"default"})), value=values | st.text())
@settings(deadline=None)
def test_no_filter_raises_whatever_it_is_given(name: str, value: Any) -> None:
    template, _ = compile_value(f"${{{{ row.x | {name} }}}}", place=place)
    filled = template.fill(Scope(roots={"row": {"x": value}}))
    assert filled.value is None or filled.findings == ()
