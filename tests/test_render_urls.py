"""Nothing that a row or the environment brings can change where a url leads."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qstash_jobs.problem import Location, Path
from qstash_jobs.render import VARS, Scope, Settled, Template, compile_value


def place(path: Path) -> Location:
    return Location(file="jobs.yaml", line=1, column=1)


def compile_job(value: Any) -> Template:
    template, problems = compile_value(value, place=place)
    assert problems == []
    return template


URL_FIELDS = [
    lambda url: {"url": url},
    lambda url: {"callback": url},
    lambda url: {"failure_callback": url},
    lambda url: {"callback": {"url": url}},
    lambda url: {"failure_callback": {"url": url}},
]


@pytest.mark.parametrize("make", URL_FIELDS)
@pytest.mark.parametrize("root", ["row", "env"])
def test_a_value_that_continues_a_url_is_held_to_plain_characters(make: Any, root: str) -> None:
    template = compile_job(make(f"https://api.example.com/${{{{ {root}.x }}}}"))
    assert template.fill(Scope(roots={root: {"x": "Az09._~-"}})).findings == ()
    assert template.fill(Scope(roots={root: {"x": 17}})).findings == ()
    for value in ("a/b", "a?b", "a#b", "a b", "@evil.example", "a%2F", "ä", "a\n", "", "a\x00"):
        (finding,) = template.fill(Scope(roots={root: {"x": value}})).findings
        assert finding.rule == "render-url-value"


def test_a_refused_value_is_shown_with_the_filter_that_helps() -> None:
    template = compile_job({"url": "https://a.example/${{ row.name }}"})
    (finding,) = template.fill(Scope(roots={"row": {"name": "a/b"}})).findings
    assert (
        finding.message
        == 'only letters, digits and . _ ~ - may continue a url, and `row.name` is the text "a/b"'
    )
    assert finding.hint == "write `${{ row.name | urlencode }}`"


def test_a_value_of_the_environment_is_not_shown() -> None:
    template = compile_job({"url": "https://a.example/${{ env.NAME }}"})
    (finding,) = template.fill(Scope(roots={"env": {"NAME": "s3cret/value"}})).findings
    assert "s3cret" not in finding.message


def test_an_empty_value_is_named_as_what_is_missing() -> None:
    template = compile_job({"url": "https://a.example/${{ row.id }}/x"})
    (finding,) = template.fill(Scope(roots={"row": {"id": ""}})).findings
    assert finding.message == "`row.id` is empty, and the url needs something there"


def test_a_value_may_be_the_whole_url_or_its_start() -> None:
    template = compile_job({"url": "${{ env.BASE }}/x", "callback": "${{ row.url }}"})
    filled = template.fill(
        Scope(roots={"env": {"BASE": "https://a.example:8080/v1"}, "row": {"url": "https://b/?q#f"}})
    )
    assert filled.value == {"url": "https://a.example:8080/v1/x", "callback": "https://b/?q#f"}


def test_what_stands_behind_another_expression_continues_the_url() -> None:
    template = compile_job({"url": "${{ vars.none }}${{ row.x }}"})
    assert template.fill(Scope(roots={"vars": {"none": ""}, "row": {"x": "http://evil"}})).findings


def test_an_encoded_value_may_be_anything() -> None:
    template = compile_job(
        {"url": "https://a.example/${{ row.x | trim | urlencode }}?e=${{ row.e | urlencode }}"}
    )
    filled = template.fill(Scope(roots={"row": {"x": " a/../b?c ", "e": ""}}))
    assert filled.value == {"url": "https://a.example/a%2F..%2Fb%3Fc?e="}


def test_what_is_done_after_encoding_is_checked() -> None:
    template = compile_job({"url": "https://a.example/${{ row.x | urlencode | json }}"})
    (finding,) = template.fill(Scope(roots={"row": {"x": "a"}})).findings
    assert finding.hint == "put `| urlencode` last"


def test_a_default_is_checked_like_the_value_it_stands_for() -> None:
    template = compile_job({"url": 'https://a.example/${{ row.x | default("a/b") }}'})
    assert template.fill(Scope(roots={"row": {}})).findings


def test_variables_and_secrets_are_the_authors_own() -> None:
    template = compile_job({"url": "https://a.example/${{ vars.path }}?t=${{ secrets.T }}"})
    assert template.fill(Scope(roots={"vars": {"path": "v1/x"}, "secrets": {"T": "a/b"}})).findings == ()


def test_a_variable_that_holds_a_value_of_the_environment_is_held_like_it() -> None:
    variables, _ = compile_value(
        {"tenant": "${{ env.TENANT }}"}, place=place, allowed=VARS, url_paths=frozenset()
    )
    filled = variables.fill(Scope(roots={"env": {"TENANT": "../admin"}}))
    scope = Scope(roots={"vars": filled.value}, vars_outside=filled.outside)
    template = compile_job({"url": "https://a.example/${{ vars.tenant }}"})
    assert template.fill(scope).findings[0].rule == "render-url-value"
    assert Settled(template, scope).fill()[1][0].rule == "render-url-value"


def test_other_fields_take_any_value() -> None:
    template = compile_job({"body": {"url": "https://a.example/${{ row.x }}"}, "labels": ["a/${{ row.x }}"]})
    assert template.fill(Scope(roots={"row": {"x": "a/b"}})).findings == ()


def test_other_urls_are_named_by_their_paths() -> None:
    template, _ = compile_value(
        {"endpoints": {"a": "https://a.example/${{ env.X }}"}},
        place=place,
        path=("url_groups", "orders"),
        url_paths=frozenset({("url_groups", "orders", "endpoints", "a")}),
    )
    assert template.fill(Scope(roots={"env": {"X": "a/b"}})).findings


@given(value=st.text())
@settings(deadline=None)
def test_no_value_changes_host_query_or_depth_of_a_url(value: str) -> None:
    for expression in ("row.x", "row.x | urlencode"):
        template = compile_job({"url": f"https://a.example/one/${{{{ {expression} }}}}?two=2"})
        filled = template.fill(Scope(roots={"row": {"x": value}}))
        if not filled.findings:
            parts = urlsplit(filled.value["url"])
            assert (parts.netloc, parts.query, parts.fragment) == ("a.example", "two=2", "")
            assert parts.path.count("/") == 2
            assert re.fullmatch("[!-~]+", filled.value["url"])
