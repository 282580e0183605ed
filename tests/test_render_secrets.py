"""Secrets go where the file says and nowhere else; credentials of the runner itself go nowhere."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from qstash_jobs.problem import Location, Path
from qstash_jobs.render import Filled, MissingSecret, Scope, Settled, compile_value

SECRET = "s3cret/value"


def place(path: Path) -> Location:
    return Location(file="jobs.yaml", line=1, column=1)


def fill(value: Any, scope: Scope) -> Filled:
    template, problems = compile_value(value, place=place)
    assert problems == []
    return template.fill(scope)


class LazySecrets(Mapping[str, str]):
    """Secrets that are fetched when they are asked for, and remember it."""

    def __init__(self, known: dict[str, str]) -> None:
        self.known = known
        self.asked: list[str] = []

    def __getitem__(self, name: str) -> str:
        self.asked.append(name)
        return self.known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.known)

    def __len__(self) -> int:
        return len(self.known)


def test_only_the_secrets_that_are_used_are_fetched() -> None:
    secrets = LazySecrets({"USED": SECRET, "OTHER": "x"})
    filled = fill(
        {"headers": {"Authorization": "Bearer ${{ secrets.USED }}"}}, Scope(roots={"secrets": secrets})
    )
    assert filled.value == {"headers": {"Authorization": f"Bearer {SECRET}"}}
    assert filled.secrets == {"headers": {"USED"}}
    assert set(secrets.asked) == {"USED"}


@pytest.mark.parametrize("secrets", [{}, {"TOKEN": ""}])
def test_a_secret_that_is_missing_or_empty_is_a_problem_where_something_is_sent(
    secrets: dict[str, str],
) -> None:
    (finding,) = fill("a ${{ secrets.TOKEN }}", Scope(roots={"secrets": secrets})).findings
    assert (finding.rule, finding.message) == ("render-missing-secret", "the secret `TOKEN` is not set")
    assert finding.hint is not None


def test_a_mistyped_secret_is_answered_with_the_near_one() -> None:
    scope = Scope(roots={"secrets": {"API_TOKEN": SECRET, "QSTASH_TOKEN": "never"}})
    (finding,) = fill("${{ secrets.API_TOKN }}", scope).findings
    assert finding.hint == "did you mean `secrets.API_TOKEN`?"
    (finding,) = fill("${{ secrets.STASH_TOKEN }}", scope).findings
    assert "QSTASH" not in (finding.hint or "")


@pytest.mark.parametrize(
    ("missing", "plain", "encoded", "number"),
    [("mask", "***", "Basic ***", "***"), ("local", "local-TOKEN", "Basic bG9jYWwtVE9LRU4=", "local-TOKEN")],
)
def test_a_missing_secret_has_a_stand_in_where_nothing_is_sent(
    missing: MissingSecret, plain: str, encoded: str, number: str
) -> None:
    value = {
        "plain": "${{ secrets.TOKEN }}",
        "encoded": "Basic ${{ secrets.TOKEN | b64encode }}",
        "number": "${{ secrets.TOKEN | int }}",
    }
    filled = fill(value, Scope(roots={}, missing_secret=missing))
    assert filled.value == {"plain": plain, "encoded": encoded, "number": number}
    assert filled.missing_secrets == {"TOKEN"}
    assert filled.findings == ()


@pytest.mark.parametrize("missing", ["error", "mask", "local"])
def test_a_secret_with_a_default_is_never_missing(missing: MissingSecret) -> None:
    filled = fill('${{ secrets.TOKEN | default("none") }}', Scope(roots={}, missing_secret=missing))
    assert (filled.value, filled.missing_secrets, filled.findings) == ("none", frozenset(), ())


def test_a_secret_that_is_there_is_not_listed_as_missing() -> None:
    filled = fill("${{ secrets.TOKEN }}", Scope(roots={"secrets": {"TOKEN": SECRET}}, missing_secret="mask"))
    assert (filled.value, filled.missing_secrets) == (SECRET, frozenset())


@pytest.mark.parametrize("name", ["secrets.X", "env.X"])
@pytest.mark.parametrize("filters", ["int", "number", "date", "trim | int"])
def test_a_filter_that_fails_shows_no_secret_and_no_environment(name: str, filters: str) -> None:
    scope = Scope(roots={"secrets": {"X": SECRET}, "env": {"X": SECRET}})
    (finding,) = fill(f"${{{{ {name} | {filters} }}}}", scope).findings
    assert SECRET not in f"{finding.message} {finding.hint}"
    assert " is text, and" in finding.message


def test_a_variable_from_the_environment_is_not_shown_either() -> None:
    scope = Scope(roots={"vars": {"x": SECRET, "y": "open"}}, vars_outside={"x": frozenset({"env.X"})})
    (finding,) = fill("${{ vars.x | int }}", scope).findings
    assert SECRET not in finding.message
    (finding,) = fill("${{ vars.y | int }}", scope).findings
    assert "open" in finding.message


@pytest.mark.parametrize("root", ["env", "secrets"])
@pytest.mark.parametrize(
    "name",
    [
        "QSTASH_TOKEN",
        "QSTASH_CURRENT_SIGNING_KEY",
        "QSTASH_NEXT_SIGNING_KEY",
        "US_EAST_1_QSTASH_TOKEN",
        "EU_CENTRAL_1_QSTASH_NEXT_SIGNING_KEY",
        "QSTASH_STAGING_TOKEN",
        "qstash_token",
        "GITHUB_TOKEN",
        "ACTIONS_RUNTIME_TOKEN",
        "ACTIONS_ID_TOKEN_REQUEST_URL",
    ],
)
@pytest.mark.parametrize("filters", ["", ' | default("x")'])
def test_credentials_of_the_runner_are_refused_unless_the_policy_names_them(
    root: str, name: str, filters: str
) -> None:
    text = f"${{{{ {root}.{name}{filters} }}}}"
    roots = {root: {name: SECRET}}
    (finding,) = fill(text, Scope(roots=roots, missing_secret="local")).findings
    assert finding.rule == "render-refused-name"
    assert SECRET not in finding.message
    assert fill(text, Scope(roots=roots, permitted=frozenset({name}))).value == SECRET


@pytest.mark.parametrize("name", ["QSTASH_URL", "MY_GITHUB_TOKEN", "TOKEN", "TRANSACTIONS_URL"])
def test_other_names_are_given(name: str) -> None:
    assert fill(f"${{{{ env.{name} }}}}", Scope(roots={"env": {name: "given"}})).value == "given"


def test_a_settled_template_still_knows_its_secrets() -> None:
    value = {"headers": {"A": "${{ secrets.A }}", "B": "${{ secrets.B }} ${{ row.x }}"}}
    template, _ = compile_value(value, place=place)
    scope = Scope(roots={"secrets": {"A": SECRET}}, missing_secret="mask")
    settled = Settled(template, scope)
    assert settled.fill({"x": "1"}) == ({"headers": {"A": SECRET, "B": "*** 1"}}, [])
    assert settled.secrets == {"headers": {"A", "B"}}
    assert settled.missing_secrets == {"B"}
