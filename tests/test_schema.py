"""The published schema: complete, decided alike by both validators, and explained whatever it refuses."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qstash_jobs
from qstash_jobs.document import Document, read_document
from qstash_jobs.message import write_json
from qstash_jobs.problem import Location, Problem
from qstash_jobs.problem import Path as Way
from qstash_jobs.rules import all_rules
from qstash_jobs.schema import (
    are_concrete,
    check_concrete,
    check_job_file,
    check_project_file,
    is_concrete,
    job_file_schema,
    project_schema,
    schema_text,
    shape,
)
from qstash_jobs.schema.explain import EXPLAINED
from qstash_jobs.schema.published import concrete_part
from qstash_jobs.schema.refusal import find_refusals

FIELDS = list(job_file_schema()["$defs"]["job"]["properties"])


def read(text: str) -> Document:
    document = read_document(text.encode(), file="jobs/a.yaml")
    assert not document.problems
    return document


def in_file(text: str) -> list[Problem]:
    return check_job_file(read(text))


def nowhere(path: Way, at_key: bool) -> Location:
    return Location(file="a.yaml", line=len(path), column=int(at_key))


def walk(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield every schema inside a schema, itself first."""
    yield schema
    for key, value in schema.items():
        if key in ("properties", "patternProperties", "$defs"):
            for inner in value.values():
                yield from walk(inner)
        elif key in ("anyOf", "allOf"):
            for inner in value:
                yield from walk(inner)
        elif key not in ("examples", "const") and isinstance(value, dict):
            yield from walk(value)


SCALARS = st.sampled_from(
    [
        *(
            "",
            "a",
            "POST",
            "post",
            "3s",
            "3 s",
            "3s\n",
            "per_run",
            "forever",
            "${{ vars.a }}",
            "a ${{ b }} c",
        ),
        *("https://a.example.com", "0 4 * * *", "a:b", "é", "2030-01-01T00:00:00Z"),
        *(None, True, False, 0, 1, -1, 3, 2**31, 10**15, 2**70),
        *(
            Decimal("1.5"),
            Decimal("3.0"),
            Decimal("1E+400"),
            Decimal("-0"),
            Decimal("1E-400"),
            Decimal(10**30),
        ),
    ]
)
WORDS = st.sampled_from(
    [
        *FIELDS,
        *("cron", "key", "id", "window", "rate", "period", "parallelism", "file", "encoding", "delimiter"),
        *("name", "endpoints", "paused", "retrys", "x-a", "version", "run_key", "a", "a b", "", "X-A"),
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=8,
)
JOBS = st.dictionaries(st.sampled_from([*FIELDS, "cron", "retrys"]), VALUES, max_size=6) | VALUES
SECTIONS = st.sampled_from(
    [
        "jobs",
        "schedules",
        "defaults",
        "vars",
        "url_groups",
        "queues",
        "flow_controls",
        "run_key",
        "version",
        "x-a",
    ]
)
SETS = st.dictionaries(SECTIONS, st.dictionaries(WORDS, JOBS, max_size=2) | JOBS, max_size=4)
FILES = SETS | JOBS | st.dictionaries(SECTIONS | WORDS, VALUES, max_size=5)


@settings(deadline=None, max_examples=200)
@given(FILES)
def test_both_validators_and_the_shape_agree_on_every_file(data: Any) -> None:
    document = read_document(write_json(data), file="a.yaml")
    if document.data is None:
        return
    refused = list(find_refusals(job_file_schema(), document.data))
    assert bool(check_job_file(document)) == bool(refused)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(["job", "schedule"]), st.dictionaries(WORDS, VALUES, max_size=6))
def test_both_validators_agree_on_rendered_fields_and_every_refusal_is_explained(
    kind: Any, fields: dict[str, Any]
) -> None:
    refused = list(find_refusals(concrete_part(f"whole_{kind}"), fields))
    assert is_concrete(kind, fields) == (not refused)
    assert bool(check_concrete(kind, fields, nowhere)) == bool(refused)


WHOLE: list[dict[str, Any]] = [
    {
        "url": "https://a.example.com",
        "body": {"a": 1},
        "delay": "3s",
        "timezone": "Europe/Berlin",
        "callback": "https://b.example.com",
        "flow_control": {"key": "a", "rate": 1},
        "method": "POST",
    },
    {
        "url_group": "a",
        "queue": "a",
        "body_file": "a.txt",
        "content_type": "text/plain",
        "headers": {},
        "failure_callback": {"url": "https://b.example.com"},
        "labels": ["a"],
        "redact": {"body": True},
    },
    {
        "url": "https://a.example.com",
        "body_base64": "AA==",
        "retries": 1,
        "retry_delay": "1000",
        "timeout": 3,
    },
    {"url": "https://a.example.com", "not_before": 1900000000, "dedup": {"key": "a"}, "run_labels": False},
]


@settings(deadline=None, max_examples=400)
@given(
    st.sampled_from(WHOLE).flatmap(
        lambda whole: st.tuples(st.just(whole), st.dictionaries(st.sampled_from(sorted(whole)), VALUES))
    )
)
def test_among_fields_that_are_in_order_those_that_a_row_changes_are_decided_by_themselves(
    fields_and_changes: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    fields, changes = fields_and_changes
    assert is_concrete("job", fields)
    assert are_concrete("job", fields | changes, changes) == is_concrete("job", fields | changes)


@settings(deadline=None, max_examples=200)
@given(
    st.dictionaries(
        st.sampled_from(["project", "url", "quota", "policy", "environments", "defaults"]), VALUES
    )
)
def test_a_project_file_is_never_refused_without_a_word(data: Any) -> None:
    document = read_document(write_json(data), file="qstash-jobs.yaml")
    refused = list(find_refusals(project_schema(), document.data))
    if refused:
        assert check_project_file(document)


@settings(deadline=None, max_examples=100)
@given(FILES)
def test_every_problem_has_a_rule_that_explain_knows(data: Any) -> None:
    for problem in check_job_file(read_document(write_json(data), file="a.yaml")):
        assert problem.rule in all_rules()
        assert "anyOf" not in problem.message
        assert not problem.message.endswith(".")


def test_every_field_has_a_title_and_a_description_and_an_example_for_editors() -> None:
    definitions = job_file_schema()["$defs"]
    for field in [*FIELDS, "cron"]:
        assert {"title", "description", "examples"} <= definitions[field].keys(), field


def test_the_examples_in_the_schema_are_valid() -> None:
    definitions = job_file_schema()["$defs"]
    for field in [*FIELDS, "cron"]:
        schema = {"$ref": f"#/$defs/{field}", "$defs": definitions}
        for example in definitions[field]["examples"]:
            assert list(find_refusals(schema, example)) == [], field


def test_a_single_job_has_the_fields_of_a_job_in_a_set() -> None:
    definitions = job_file_schema()["$defs"]
    single = definitions["single_job"]["properties"].keys() - {"run_key", "version"}
    assert single == definitions["job"]["properties"].keys()


def test_a_schedule_has_the_fields_of_a_job_less_three_with_cron_and_an_id() -> None:
    definitions = job_file_schema()["$defs"]
    expected = definitions["job"]["properties"].keys() - {"for_each", "not_before", "dedup"}
    expected |= {"cron", "schedule_id"}
    assert definitions["schedule"]["properties"].keys() == expected


@pytest.mark.parametrize("schema", [job_file_schema(), project_schema()], ids=["job file", "project file"])
def test_the_schema_uses_only_what_all_validators_read_alike(schema: dict[str, Any]) -> None:
    for part in walk(schema):
        pattern = part.get("pattern", "")
        assert not re.search(r"\\[dwsDWSZzAb]", pattern)
        assert not pattern.endswith("$")
        assert not part.keys() & {"multipleOf", "$dynamicRef", "unevaluatedProperties"}


@pytest.mark.parametrize("schema", [job_file_schema(), project_schema()], ids=["job file", "project file"])
def test_every_keyword_that_can_fail_is_explained(schema: dict[str, Any]) -> None:
    silent = {
        "$schema",
        "$id",
        "$ref",
        "$defs",
        "title",
        "description",
        "examples",
        "format",
        "allOf",
        "items",
    }
    silent |= {"properties", "patternProperties", "propertyNames", "if", "then", "else", "const"}
    assert {keyword for part in walk(schema) for keyword in part} - silent <= EXPLAINED.keys()


def test_the_published_texts_are_the_schemas() -> None:
    assert json.loads(schema_text()) == job_file_schema()
    assert json.loads(schema_text("project")) == project_schema()


def test_nothing_of_the_written_form_is_left_in_the_concrete_one() -> None:
    definitions = concrete_part("whole_job")["$defs"]
    assert "#/$defs/expression" not in json.dumps(definitions)
    assert {"type": "null"} not in definitions["url"]["anyOf"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("url: https://a.example.com", "single"),
        ("jobs: {}", "set"),
        ("url: https://a.example.com\njobs: {}", "set"),
        ("run_key: a", "set"),
        ("run_key: a\nurl: https://a.example.com", "single"),
        ("run_key: a\nqueues: {}", "set"),
        ("x-a: 1", "single"),
        ("[a]", "single"),
    ],
)
def test_a_file_is_a_job_set_if_it_has_a_key_of_one(text: str, expected: str) -> None:
    assert shape(read(text).data) == expected


def test_an_expression_may_stand_wherever_a_scalar_may() -> None:
    for field in FIELDS:
        if field not in ("headers", "flow_control", "labels", "redact"):
            assert in_file(f'jobs: {{a: {{{field}: "${{{{ vars.a }}}}"}}}}') == [], field


def test_null_takes_away_any_default() -> None:
    for field in FIELDS:
        assert in_file(f"jobs: {{a: {{{field}: null}}}}") == [], field


def test_neither_expressions_nor_null_are_left_when_a_job_is_rendered() -> None:
    assert not is_concrete("job", {"url": "https://a.example.com", "retries": "${{ vars.a }}"})
    assert not is_concrete("job", {"url": "https://a.example.com", "retries": None})
    assert is_concrete(
        "job", {"url": "https://a.example.com", "retries": 3, "headers": {"A": Decimal("1.10")}}
    )


def test_a_job_without_a_destination_is_found_once_its_defaults_are_in() -> None:
    (problem,) = check_concrete("job", {"retries": 3}, nowhere)
    assert (problem.rule, problem.path) == ("schema-missing", ())
    assert problem.message == "there is neither `url` nor `url_group`"
    assert problem.location.column == 1


def test_fields_that_refuse_each_other_are_found_across_defaults_too() -> None:
    (problem,) = check_concrete("job", {"url": "https://a.example.com", "delay": "3s", "queue": "a"}, nowhere)
    assert (problem.rule, problem.path) == ("schema-conflict", ("queue",))


def test_flow_control_needs_its_key_and_a_limit_once_merged() -> None:
    fields = {"url": "https://a.example.com", "flow_control": {"period": "1m"}}
    assert [p.message for p in check_concrete("job", fields, nowhere)] == [
        "`flow_control` has neither `parallelism` nor `rate`",
        "`flow_control` has no `key`",
    ]


def test_the_values_of_headers_and_bodies_are_never_repeated() -> None:
    fields = {"url": "https://a.example.com", "headers": {"A": ["hunter2"]}, "body_base64": 7777777}
    for problem in check_concrete("job", fields, nowhere):
        assert "hunter2" not in problem.message + str(problem.hint)
        assert "7777777" not in problem.message + str(problem.hint)


def test_an_unreadable_file_has_only_the_problems_of_reading_it() -> None:
    document = read_document(b"url: [", file="a.yaml")
    assert document.problems
    assert check_job_file(document) == []


def test_the_defaults_of_a_project_are_checked_as_fields_of_a_job() -> None:
    document = read("defaults: {retrys: 3}\nenvironments: {staging: {defaults: {retries: many}}}")
    assert [(p.location.line, p.message) for p in check_project_file(document)] == [
        (1, "unknown field `retrys`"),
        (2, "`retries` must be a whole number, not text"),
    ]


def test_a_project_file_as_in_the_documentation_has_no_problem() -> None:
    text = """
project: billing
url: https://qstash.upstash.io
ledger: sqlite:///var/lib/billing/ledger.db
quota: {message_size: 10MiB, delay: 90d}
defaults: {retries: 3}
vars: {api: https://api.example.com}
environments:
  staging: {vars: {api: https://staging.example.com}, token_from: QSTASH_STAGING_TOKEN}
  production: {ledger: "postgresql://ledger.internal/qstash", account: a1b2c3}
  empty:
policy:
  destinations: ["https://*.example.com/hooks/"]
  secrets: {REPORT_TOKEN: ["https://reports.example.com/"]}
  require: [labels, retries]
  forbid: [dedup.none]
  max: {retries: 5, delay: 7d, messages_per_run: 100000}
"""
    assert check_project_file(read(text)) == []


def test_a_password_in_the_ledgers_address_is_not_repeated() -> None:
    (problem,) = check_project_file(read("ledger: mysql://me:hunter2@db/qstash"))
    assert problem.message == "`ledger` must be sqlite:///PATH or postgresql://HOST/NAME"


def test_one_faulty_job_among_thousands_is_explained_alone() -> None:
    jobs = "\n".join(f"  job-{n}: {{url: 'https://a.example.com/{n}'}}" for n in range(2000))
    (problem,) = in_file(f"jobs:\n{jobs}\n  bad: {{urll: a}}")
    assert (problem.location.line, problem.hint) == (2002, "did you mean `url`?")


@pytest.mark.parametrize("inside", [True, False], ids=["as in a wheel", "as in a checkout"])
def test_the_schemas_are_found_inside_the_package_and_beside_it(tmp_path: Path, inside: bool) -> None:
    home, schemas = Path(qstash_jobs.__file__).parent, Path(__file__).parent.parent / "schemas"
    shutil.copytree(home, tmp_path / "qstash_jobs", ignore=shutil.ignore_patterns("__pycache__", "schemas"))
    shutil.copytree(schemas, tmp_path / ("qstash_jobs/schemas" if inside else "schemas"))
    code = "from qstash_jobs.schema import published; print(published.__file__, len(published.schema_text()))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(tmp_path / "qstash_jobs/schema/published.py"), str(len(schema_text()))]
