"""A project's policy is held against every job, by parts and never by how a text looks."""

import json
from pathlib import Path

import orjson
import pytest
from pipeline import open_session

from qstash_jobs.problem import Problem
from qstash_jobs.rules.address import read_address
from qstash_jobs.rules.policies import read_pattern


def check(folder: Path, policy: dict, job: dict, **secrets: str) -> list[Problem]:
    (folder / "qstash-jobs.yaml").write_bytes(orjson.dumps({"policy": policy}))
    (folder / "job.yaml").write_bytes(orjson.dumps({"jobs": {"one": job}}))
    return [p for p in open_session(folder, **secrets).check() if p.rule.startswith("policy-")]


def write(problems: list[Problem]) -> list[str]:
    return [f"{problem.rule} {'.'.join(map(str, problem.path))}: {problem.message}" for problem in problems]


URL = {"url": "https://api.example.com/hooks/a"}

BROKEN = [
    (
        {"destinations": ["https://*.example.com/hooks/"]},
        {"url": "https://api.example.org/hooks/a"},
        "policy-destination url: the policy does not let messages go there",
    ),
    (
        {"destinations": ["https://*.example.com/"]},
        {**URL, "callback": "https://elsewhere.test/"},
        "policy-destination callback.url: the policy does not let messages go there",
    ),
    (
        {"destinations": []},
        URL,
        "policy-destination url: the policy does not let messages go there",
    ),
    (
        {"secrets": {"REPORT_TOKEN": ["https://reports.example.com/"]}},
        {**URL, "headers": {"Authorization": "Bearer ${{ secrets.REPORT_TOKEN }}"}},
        "policy-secret headers: the policy does not let the secret REPORT_TOKEN go there",
    ),
    (
        {"secrets": {"REPORT_TOKEN": ["https://reports.example.com/"]}},
        {"url_group": "reports", "body": {"token": "${{ secrets.REPORT_TOKEN }}"}},
        "policy-secret body: the policy does not let the secret REPORT_TOKEN go there",
    ),
    (
        {"secrets": {"REPORT_TOKEN": ["https://api.example.com/"]}},
        {
            **URL,
            "callback": {
                "url": "https://elsewhere.test/",
                "headers": {"X-Token": "${{ secrets.REPORT_TOKEN }}"},
            },
        },
        "policy-secret callback: the policy does not let the secret REPORT_TOKEN go there",
    ),
    ({"require": ["labels"]}, URL, "policy-require : the policy requires `labels`"),
    (
        {"forbid": ["dedup.none"]},
        {**URL, "dedup": "none"},
        "policy-forbid dedup: the policy forbids `dedup.none`",
    ),
    (
        {"forbid": ["dedup.none"]},
        {**URL, "dedup": '${{ environment.name | default("none") }}'},
        "policy-forbid dedup: the policy forbids `dedup.none`",
    ),
    ({"forbid": ["queue"]}, {**URL, "queue": "q"}, "policy-forbid queue: the policy forbids `queue`"),
    (
        {"forbid": ["dedup.id"]},
        {**URL, "dedup": {"id": "a"}},
        "policy-forbid dedup: the policy forbids `dedup.id`",
    ),
    (
        {"max": {"retries": 5}},
        {**URL, "retries": 6},
        "policy-max retries: the policy allows 5 retries at most",
    ),
    ({"max": {"delay": "1h"}}, {**URL, "delay": "2h"}, "policy-max delay: the policy allows 1h at most"),
    (
        {"max": {"delay": "1h"}},
        {**URL, "not_before": "2026-11-24T20:00:00Z"},
        "policy-max not_before: the policy allows 1h at most",
    ),
    (
        {"max": {"timeout": "10s"}},
        {**URL, "timeout": "11s"},
        "policy-max timeout: the policy allows 10s at most",
    ),
    (
        {"max": {"messages_per_run": 1}},
        {"for_each": [{"a": 1}, {"a": 2}], **URL},
        "policy-max : this run has 2 messages, and the policy allows 1",
    ),
]


@pytest.mark.parametrize(("policy", "job", "expected"), BROKEN, ids=lambda value: str(value)[:40])
def test_what_breaks_the_policy_is_said_at_its_field(policy, job, expected, tmp_path):
    assert write(check(tmp_path, policy, job, REPORT_TOKEN="s3cret-of-reports")) == [expected]


OF_SECRETS = [one for one in BROKEN if "secrets" in one[0]]


@pytest.mark.parametrize(("policy", "job", "expected"), OF_SECRETS, ids=lambda value: str(value)[:40])
def test_a_secret_that_is_not_known_here_is_held_to_the_policy_too(policy, job, expected, cli):
    """As for a pull request, where no secret is set."""
    cli.write("qstash-jobs.yaml", orjson.dumps({"policy": policy}))
    cli.write("job.yaml", orjson.dumps({"jobs": {"one": job}}))
    answer = cli("validate", "job.yaml", "--format", "json")
    assert answer.code == 2
    [found] = [one for one in json.loads(answer.out)["problems"] if one["rule"].startswith("policy-")]
    assert f"{found['rule']} {'.'.join(found['path'])}: {found['message']}" == expected


def test_where_a_secret_is_part_of_the_address_it_is_told_once_it_is_known(cli):
    policy = {"secrets": {"HOST": ["https://api.example.com/"]}}
    cli.write("qstash-jobs.yaml", orjson.dumps({"policy": policy}))
    cli.write("job.yaml", "url: https://${{ secrets.HOST }}/x\n")
    assert cli("validate", "job.yaml").code == 0
    cli.set("HOST", "api.example.com")
    assert cli("validate", "job.yaml").code == 0
    cli.set("HOST", "elsewhere.test")
    assert "[policy-secret]" in cli("validate", "job.yaml").out


KEPT = [
    ({"destinations": ["https://*.example.com/hooks/"]}, URL),
    ({"secrets": {"T": ["https://api.example.com"]}}, {**URL, "body": {"t": "${{ secrets.T }}"}}),
    (
        {"secrets": {"T": ["https://reports.example.com/"]}},
        {
            **URL,
            "callback": {"url": "https://reports.example.com/", "headers": {"X-Token": "${{ secrets.T }}"}},
        },
    ),
    ({"require": ["url", "retries"]}, {**URL, "retries": 0}),
    ({"forbid": ["dedup.none"]}, {**URL, "dedup": "content"}),
    (
        {"max": {"retries": 5, "delay": "7d", "timeout": "1h", "messages_per_run": 1}},
        {**URL, "retries": 5, "delay": "7d"},
    ),
]


@pytest.mark.parametrize(("policy", "job"), KEPT, ids=str)
def test_what_keeps_the_policy_is_let_through(policy, job, tmp_path):
    assert check(tmp_path, policy, job, T="s3cret") == []


def test_an_environments_policy_holds_beside_the_projects(tmp_path):
    (tmp_path / "qstash-jobs.yaml").write_bytes(
        orjson.dumps(
            {
                "policy": {"max": {"retries": 5}},
                "environments": {"production": {"policy": {"destinations": ["https://api.example.com/"]}}},
            }
        )
    )
    (tmp_path / "job.yaml").write_bytes(orjson.dumps({"url": "https://staging.test/", "retries": 6}))
    problems = open_session(tmp_path, environment="production").check()
    assert {problem.rule for problem in problems} == {"policy-max", "policy-destination"}
    problems = open_session(tmp_path).check()
    assert {problem.rule for problem in problems} == {"policy-max"}


def test_group_endpoints_are_held_to_the_destinations(tmp_path):
    (tmp_path / "qstash-jobs.yaml").write_bytes(
        orjson.dumps({"policy": {"destinations": ["https://a.example.com/"]}})
    )
    (tmp_path / "job.yaml").write_bytes(
        orjson.dumps({"url_groups": {"g": {"endpoints": {"one": "https://b.example.com/"}}}})
    )
    [problem] = open_session(tmp_path).check()
    assert problem.rule == "policy-destination"


@pytest.mark.parametrize(
    ("pattern", "address", "matches"),
    [
        ("https://*.example.com/hooks/", "https://api.example.com/hooks/a", True),
        ("https://*.example.com/hooks/", "https://api.example.com/hooks/", True),
        ("https://*.example.com/hooks/", "https://api.example.com/hooks", False),
        ("https://*.example.com/hooks", "https://api.example.com/hooks", True),
        ("https://*.example.com/hooks", "https://api.example.com/hooksmith", False),
        ("https://*.example.com/", "https://a.b.example.com/", False),
        ("https://*.example.com/", "https://example.com/", False),
        ("https://example.com", "https://EXAMPLE.com./a?b", True),
        ("https://example.com", "https://example.com:443/", True),
        ("https://example.com", "https://example.com:8443/", False),
        ("https://example.com:8443", "https://example.com:8443/", True),
        ("https://example.com", "http://example.com/", False),
        ("https://example.com", "https://example.com.evil.test/", False),
        ("https://example.com", "https://example.com@evil.test/", False),
        ("https://example.com", "https://evil.test/?https://example.com/", False),
        ("https://example.com", "https://evil.test#https://example.com/", False),
    ],
)
def test_a_pattern_compares_parts_not_text(pattern, address, matches):
    assert read_pattern(pattern).matches(read_address(address)) is matches
