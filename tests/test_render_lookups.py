"""Look-ups find what a reader of the file would expect, and say what they cannot find."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from qstash_jobs.problem import Location, Path
from qstash_jobs.render import JOB, RUN_KEY, VARS, Allowed, Filled, Scope, Settled, compile_value


def place(path: Path) -> Location:
    return Location(file="jobs.yaml", line=1, column=1)


ROOTS: Mapping[str, Mapping[str, Any]] = {
    "vars": {
        "api": "https://api.example.com",
        "price": Decimal("1.10"),
        "tiny": Decimal("0.0000001"),
        "count": 3,
        "on": True,
        "off": False,
        "nothing": None,
        "hosts": ["a", "b", {"name": "c"}],
        "items": {"get": "a key, not a method", "odd name": 1, "0": "zero"},
    },
    "env": {"HOME": "/home/me", "QSTASH_TOKEN": "no", "QSTASH_URL": "http://127.0.0.1:8080"},
    "row": {"Email": "a@example.com", "order-id": "17", "größe": "XL", 'a"b': "quoted", "empty": ""},
    "run": {"id": "r1", "key": "k", "started": "2026-01-31T04:05:06Z", "date": "2026-01-31", "hour": "04"},
    "job": {"id": "hello", "name": "jobs/hello:hello", "file": "jobs/hello.yaml"},
    "project": {"name": "billing"},
    "environment": {"name": None},
    "git": {"sha": "0123", "branch": "main", "dirty": False},
    "secrets": {},
}
SCOPE = Scope(roots=ROOTS)


def fill(value: Any, scope: Scope = SCOPE, *, allowed: Allowed | None = None) -> Filled:
    template, problems = (
        compile_value(value, place=place)
        if allowed is None
        else compile_value(value, place=place, allowed=allowed)
    )
    assert problems == []
    return template.fill(scope)


def problem_of(value: Any, allowed: Allowed | None = None) -> tuple[str, str, str | None]:
    """The one problem that reading or filling has: rule, message, hint."""
    template, problems = (
        compile_value(value, place=place)
        if allowed is None
        else compile_value(value, place=place, allowed=allowed)
    )
    if not problems:
        problems = template.problems(template.fill(SCOPE))
    (problem,) = problems
    return problem.rule, problem.message, problem.hint


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${{ vars.api }}", "https://api.example.com"),
        ("${{vars.count}}", 3),
        ("${{\n  vars.on\n}}", True),
        ("${{ vars.price }}", Decimal("1.10")),
        ("${{ vars.nothing }}", None),
        ("${{ vars.hosts }}", ["a", "b", {"name": "c"}]),
        ("${{ vars.hosts[2].name }}", "c"),
        ("${{ vars.items.get }}", "a key, not a method"),
        ('${{ vars.items["odd name"] }}', 1),
        ("${{ vars['items']['odd name'] }}", 1),
        ("${{ vars.items.0 }}", "zero"),
        ("${{ row.Email }}", "a@example.com"),
        ("${{ row.order-id }}", "17"),
        ("${{ row.größe }}", "XL"),
        (r'${{ row["a\"b"] }}', "quoted"),
        ("${{ row['a\"b'] }}", "quoted"),
        ("${{ env.QSTASH_URL }}", "http://127.0.0.1:8080"),
        ("${{ git.dirty }}", False),
        ("${{ vars.items }}", ROOTS["vars"]["items"]),
        ("${{ row }}", ROOTS["row"]),
    ],
)
def test_an_expression_alone_keeps_the_type_of_what_it_finds(text: str, value: Any) -> None:
    filled = fill(text)
    assert (filled.value, type(filled.value), filled.findings) == (value, type(value), ())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${{ vars.api }}/hello", "https://api.example.com/hello"),
        (" ${{ vars.count }}", " 3"),
        ("${{ vars.on }}, ${{ vars.off }}", "true, false"),
        ("${{ vars.price }}€", "1.10€"),
        ("${{ vars.tiny }}.", "0.0000001."),
        ("${{ row.empty }}${{ row.empty }}", ""),
        ("$${{ vars.api }}", "${{ vars.api }}"),
        ("$${{ and ${{ vars.count }} }}", "${{ and 3 }}"),
        ("$$${{", "$${{"),
        ("${{ vars.count }}$${{", "3${{"),
        ("$ {{ }} ${ { {{ vars.api }}", "$ {{ }} ${ { {{ vars.api }}"),
    ],
)
def test_expressions_inside_text_become_text_as_it_was_written(text: str, value: str) -> None:
    assert fill(text).value == value


@pytest.mark.parametrize(
    ("text", "rule", "message", "hint"),
    [
        ("${{ vars.apii }}", "render-unknown-name", "there is no `vars.apii`", "did you mean `vars.api`?"),
        ("${{ row.email }}", "render-unknown-name", "there is no `row.email`", "did you mean `row.Email`?"),
        (
            "${{ row.order_id }}",
            "render-unknown-name",
            "there is no `row.order_id`",
            "did you mean `row.order-id`?",
        ),
        (
            "${{ env.HOME_ }}",
            "render-unknown-name",
            "the environment has no `HOME_`",
            "did you mean `env.HOME`?",
        ),
        (
            "${{ env.NOTHING_LIKE_IT }}",
            "render-unknown-name",
            "the environment has no `NOTHING_LIKE_IT`",
            None,
        ),
        ("${{ var.api }}", "render-unknown-name", "there is no `var`", "did you mean `vars`?"),
        ("${{ run.dat }}", "render-unknown-name", "there is no `run.dat`", "did you mean `run.date`?"),
        (
            "${{ vars.items.gett }}",
            "render-unknown-name",
            "there is no `vars.items.gett`",
            "did you mean `vars.items.get`?",
        ),
        (
            "${{ environment.name }}",
            "render-unknown-name",
            "`environment.name` is not known here",
            "give it another value: `| default(…)`",
        ),
        (
            "${{ ci.run_url }}",
            "render-unknown-name",
            "`ci.run_url` is not known here",
            "give it another value: `| default(…)`",
        ),
        (
            "${{ vars.nothing.at.all }}",
            "render-null",
            "`vars.nothing` is null and has no `.at.all`",
            "give it another value: `vars.nothing.at.all | default(…)`",
        ),
        ("${{ vars.api.host }}", "render-unknown-name", "`vars.api` is text and has no `.host`", None),
        ("${{ vars.api[0] }}", "render-unknown-name", "`vars.api` is text and has no `[0]`", None),
        (
            "${{ vars.hosts.name }}",
            "render-unknown-name",
            "`vars.hosts` is a list and has no `.name`",
            "write `vars.hosts[0]` for the first of its items",
        ),
        (
            "${{ vars.items[0] }}",
            "render-unknown-name",
            "`vars.items` is a mapping and has no `[0]`",
            'write `vars.items["0"]`',
        ),
        (
            "${{ vars.hosts[3] }}",
            "render-unknown-name",
            "there is no `vars.hosts[3]`: the list has 3 items, from 0",
            None,
        ),
        (
            "${{ secrets }}",
            "render-unknown-name",
            "`secrets` needs a name behind it",
            "such as `secrets.NAME`",
        ),
        ("${{ env | json }}", "render-unknown-name", "`env` needs a name behind it", "such as `env.NAME`"),
        ("${{ run }}", "render-unknown-name", "`run` needs a name behind it", "such as `run.id`"),
        ("${{ env.HOME.x }}", "render-unknown-name", "`env.HOME` is text and has nothing inside", None),
        ("${{ row[0] }}", "render-unknown-name", "`row` is a mapping and has no `[0]`", None),
        (
            "a ${{ vars.nothing }}",
            "render-null",
            "`vars.nothing` is null, which has no place inside a text",
            "give it another value: `vars.nothing | default(…)`",
        ),
        (
            "a ${{ vars.items }}",
            "render-text",
            "`vars.items` is a mapping, which has no place inside a text",
            "write it as JSON: `vars.items | json`",
        ),
        (
            "a ${{ vars.hosts }}",
            "render-text",
            "`vars.hosts` is a list, which has no place inside a text",
            "write it as JSON: `vars.hosts | json`",
        ),
    ],
)
def test_what_cannot_be_looked_up_is_a_problem_with_a_way_out(
    text: str, rule: str, message: str, hint: str | None
) -> None:
    assert problem_of(text) == (rule, message, hint)


def test_a_row_needs_a_for_each() -> None:
    expected = (
        "render-unknown-name",
        "there is no row for `row.email`: the job has no `for_each`",
        "add `for_each:` with the file that the rows come from",
    )
    assert problem_of("${{ row.email }}", JOB) == expected
    template, _ = compile_value("${{ row.email }}", place=place)
    (finding,) = template.fill(Scope(roots={})).findings
    assert (finding.rule, finding.message, finding.hint) == expected


@pytest.mark.parametrize(
    "name", ["row.a", "secrets.A", "run.id", "run.key", "run.started", "job.id", "project.name"]
)
def test_a_run_key_takes_only_what_is_known_before_the_run(name: str) -> None:
    rule, message, hint = problem_of(f"${{{{ {name} }}}}", RUN_KEY)
    assert (rule, message) == ("render-unknown-name", f"`{name}` cannot be used in `run_key`")
    assert hint is not None
    assert "`run.date`" in hint


@pytest.mark.parametrize("name", ["vars.api", "env.HOME", "git.sha", "run.date", "run.hour"])
def test_a_run_key_takes_the_present_date_and_hour(name: str) -> None:
    assert fill(f"${{{{ {name} }}}}", allowed=RUN_KEY).findings == ()


@pytest.mark.parametrize("name", ["row.a", "secrets.A", "run.date", "vars.other", "job.id", "project.name"])
def test_variables_take_no_secrets_rows_runs_or_each_other(name: str) -> None:
    rule, message, _ = problem_of(f"${{{{ {name} }}}}", VARS)
    assert (rule, message) == ("render-unknown-name", f"`{name}` cannot be used in `vars`")


def test_every_expression_of_a_scalar_says_what_is_wrong_with_it() -> None:
    filled = fill("${{ vars.nope }} ${{ vars.count }} ${{ row.nope }}")
    assert [finding.message for finding in filled.findings] == [
        "there is no `vars.nope`",
        "there is no `row.nope`",
    ]
    assert filled.value is None


def test_keys_are_not_expressions() -> None:
    value = {"${{ vars.api }}": "${{ vars.count }}"}
    assert fill(value).value == {"${{ vars.api }}": 3}


def test_a_value_cannot_bring_an_expression_with_it() -> None:
    scope = SCOPE.with_roots(row={"evil": "${{ secrets.TOKEN }}"})
    assert fill("${{ row.evil }}", scope).value == "${{ secrets.TOKEN }}"
    assert fill("a ${{ row.evil }}", scope).value == "a ${{ secrets.TOKEN }}"


@pytest.mark.parametrize(
    "text", ["${{ row.bad }}", "a ${{ row.bad }}", "${{ row }}", "${{ row.bad | urlencode }}"]
)
def test_a_lone_surrogate_is_a_problem(text: str) -> None:
    (finding,) = fill(text, SCOPE.with_roots(row={"bad": "\ud800", "list": ["\udfff"]})).findings
    assert "lone surrogate" in finding.message


@pytest.mark.parametrize(
    "value", [Decimal("NaN"), {"a": [Decimal("Infinity")]}, {1: "a"}, {"\ud800": 1}, ["\ud800"]]
)
def test_a_value_that_json_cannot_hold_is_a_problem(value: Any) -> None:
    (finding,) = fill("${{ row.bad }}", SCOPE.with_roots(row={"bad": value})).findings
    assert finding.rule == "render-text"


def test_a_value_nested_past_64_levels_is_a_problem() -> None:
    value: Any = "x"
    for _ in range(10_000):
        value = [value]
    scope = SCOPE.with_roots(row={"deep": value})
    assert (
        fill("${{ row.deep }}", scope).findings[0].message == "the value is nested more than 64 levels deep"
    )
    assert fill("${{ row.deep | json }}", scope).findings[0].rule == "render-filter"


def test_a_text_past_16_mib_is_a_problem() -> None:
    scope = SCOPE.with_roots(row={"big": "x" * (9 * 1024 * 1024)})
    for text in ("${{ row.big }}${{ row.big }}", "${{ row.big | b64encode | b64encode | b64encode }}"):
        (finding,) = fill(text, scope).findings
        assert (finding.rule, finding.message) == ("render-text", "the text grows past 16 MiB")


def test_a_very_long_number_has_its_digits_in_text() -> None:
    wide = 10**6000
    assert fill("n${{ row.n }}", SCOPE.with_roots(row={"n": wide})).value == "n1" + "0" * 6000


def test_a_template_knows_what_it_looks_up() -> None:
    value = {
        "url": "${{ vars.api }}/${{ row.order-id }}",
        "headers": {"Authorization": "Bearer ${{ secrets.TOKEN }}", "X": "plain"},
        "body": {"home": ["${{ env.HOME }}", "${{ row.Email }}"]},
        "retries": 3,
    }
    template, problems = compile_value(value, place=place)
    assert problems == []
    assert not template.is_constant
    assert template.names() == {
        ("vars", "api"),
        ("row", "order-id"),
        ("secrets", "TOKEN"),
        ("env", "HOME"),
        ("row", "Email"),
    }
    assert template.depends_on("row")
    assert not template.depends_on("git")
    assert template.fields_depending_on("row") == {"url", "body"}
    assert template.paths_depending_on("secrets") == {("headers", "Authorization")}
    filled = template.fill(Scope(roots=ROOTS, missing_secret="mask"))
    assert filled.secrets == {"headers": {"TOKEN"}}
    assert filled.outside == {"url": {"row.order-id"}, "body": {"env.HOME", "row.Email"}}
    assert filled.missing_secrets == {"TOKEN"}


def test_what_came_through_a_variable_is_known_as_foreign() -> None:
    variables, _ = compile_value({"host": "https://${{ env.HOST }}"}, place=place, allowed=VARS)
    filled = variables.fill(Scope(roots={"env": {"HOST": "example.com"}}))
    scope = Scope(roots={"vars": filled.value}, vars_outside=filled.outside)
    for name in ("vars.host", "vars"):
        template, _ = compile_value({"body": f"${{{{ {name} }}}}"}, place=place)
        assert template.fill(scope).outside == {"body": {"env.HOST"}}
        assert Settled(template, scope).outside == {"body": {"env.HOST"}}


def test_a_value_without_expressions_is_shared_and_never_copied() -> None:
    value = {"body": {"a": [1, 2]}, "retries": 3}
    template, _ = compile_value(value, place=place)
    assert template.is_constant
    assert template.fill(SCOPE).value is value
    mixed = {"url": "${{ vars.api }}", "body": {"a": [1, 2]}}
    template, _ = compile_value(mixed, place=place)
    first, second = template.fill(SCOPE).value, template.fill(SCOPE).value
    assert first["body"] is mixed["body"] is second["body"]
    assert first is not second
    assert mixed == {"url": "${{ vars.api }}", "body": {"a": [1, 2]}}


def test_an_escape_changes_the_filled_value_and_not_the_data_that_was_read() -> None:
    value = {"a": ["$${{ x }}", 1]}
    template, _ = compile_value(value, place=place)
    assert template.fill(SCOPE).value == {"a": ["${{ x }}", 1]}
    assert value == {"a": ["$${{ x }}", 1]}


def test_a_settled_template_fills_alike_and_shares_what_no_row_changes() -> None:
    value = {
        "url": "${{ vars.api }}/${{ vars.count }}/${{ row.order-id }}",
        "headers": {"X-Home": "${{ env.HOME }}"},
        "body": {"sum": "${{ vars.price }}", "to": "${{ row.Email }}"},
        "labels": ["$${{", "${{ row.empty }}${{ vars.nothing | default('') }}"],
    }
    template, _ = compile_value(value, place=place)
    settled = Settled(template, SCOPE)
    rows = [ROOTS["row"], {**ROOTS["row"], "order-id": "18"}]
    first, second = [settled.fill(row)[0] for row in rows]
    assert [first, second] == [template.fill(SCOPE.with_roots(row=row)).value for row in rows]
    assert first["url"] != second["url"]
    assert first["headers"] is second["headers"]
    assert value["headers"] == {"X-Home": "${{ env.HOME }}"}


def test_settling_keeps_what_is_wrong_for_the_filling_to_say() -> None:
    value = {"a": "${{ vars.nope }}", "b": "${{ vars.nope }} ${{ row.Email }}", "c": "${{ vars.count }}"}
    template, _ = compile_value(value, place=place)
    settled = Settled(template, SCOPE)
    _, faults = settled.fill(ROOTS["row"])
    assert tuple(faults) == template.fill(SCOPE).findings
    assert settled.problems(faults) == template.problems(template.fill(SCOPE))
    assert len(faults) == 2


def test_filling_changes_neither_scope_nor_row() -> None:
    row = {"list": [1, {"a": 2}]}
    scope = SCOPE.with_roots(row=row)
    assert fill({"body": "${{ row.list }}"}, scope).value == {"body": [1, {"a": 2}]}
    assert row == {"list": [1, {"a": 2}]}
    assert SCOPE.roots["row"] is ROOTS["row"]


def test_the_path_that_a_value_stands_at_is_in_front_of_what_is_said_of_it() -> None:
    template, _ = compile_value("${{ vars.nope }}", place=place, path=("run_key",))
    filled = template.fill(SCOPE)
    assert filled.findings[0].path == ("run_key",)
    assert template.fields_depending_on("vars") == {"run_key"}
