"""What files declare of the account: rendered, checked, named once in a project."""

from pathlib import Path

import pytest
from pipeline import envelopes_of, open_session

GROUPS = "url_groups:\n  orders: {endpoints: {mail: 'https://mail.example.com/hook'}}\n"


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)


def test_a_group_is_known_by_its_key_and_called_by_its_name(tmp_path: Path) -> None:
    write(
        tmp_path,
        a="vars: {where: live}\nurl_groups:\n  orders:\n    name: orders-${{ vars.where }}\n"
        "    endpoints: {mail: 'https://mail.example.com'}\n",
        b="jobs:\n  tell: {url_group: orders}\n  shout: {url_group: another}\n",
    )
    session = open_session(tmp_path)
    assert dict(session.resources.group_names) == {"orders": "orders-live"}
    assert [envelope.target for envelope in envelopes_of(session)] == ["orders-live", "another"]


def test_what_an_account_holds_has_one_place_in_a_project(tmp_path: Path) -> None:
    write(tmp_path, a=GROUPS, b=GROUPS)
    (problem,) = open_session(tmp_path).check()
    assert problem.location.file == "b.yaml"
    assert problem.message == "orders is declared twice: first in a.yaml:2"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("url_groups:\n  g: {endpoints: {a: 'https://a.example.com/${{ row.x }}'}}\n", "render-unknown-name"),
        (
            "url_groups:\n  g: {endpoints: {a: 'https://a.example.com/${{ vars.nope }}'}}\n",
            "render-unknown-name",
        ),
        ("url_groups:\n  g: {endpoints: {a: 'nonsense'}}\n", "url-scheme"),
        ("url_groups:\n  g: {endpoints: {}}\n", "schema-range"),
        ("queues:\n  q: {parallelism: 0}\n", "schema-range"),
        ("flow_controls:\n  f: {rate: 5, period: 999999999999d}\n", "schema-duration"),
    ],
)
def test_a_declaration_that_is_out_of_order_is_told_and_left_out(
    tmp_path: Path, text: str, rule: str
) -> None:
    write(tmp_path, a=text)
    session = open_session(tmp_path)
    assert [problem.rule for problem in session.check()] == [rule]
    assert session.resources.resources == ()


def test_a_queue_and_a_flow_control_are_read_as_they_are_written(tmp_path: Path) -> None:
    write(tmp_path, a="queues:\n  q: {parallelism: 2}\nflow_controls:\n  f: {rate: 5, period: 1m}\n")
    resources = open_session(tmp_path).resources
    assert [(one.kind, one.key, dict(one.fields)) for one in resources.resources] == [
        ("queue", "q", {"parallelism": 2}),
        ("flow_control", "f", {"rate": 5, "period": "1m"}),
    ]


@pytest.mark.parametrize("name", ["same", "${{ vars.x }}", "g"])
def test_two_groups_cannot_be_one_in_the_account(tmp_path: Path, name: str) -> None:
    first = "" if name == "g" else "name: same, "
    write(
        tmp_path,
        a=f"url_groups: {{g: {{{first}endpoints: {{a: 'https://a.example.com'}}}}}}\n",
        b=f"vars: {{x: same}}\nurl_groups: {{h: {{name: '{name}', endpoints: {{a: 'https://a.example.com'}}}}}}\n",
    )
    (problem,) = open_session(tmp_path).check()
    assert (problem.rule, problem.location.file) == ("resource-repeated", "b.yaml")
    called = "g" if name == "g" else "same"
    assert problem.message == f"h and g in a.yaml:1 are both {called} in the account"
