"""The project file: what it says holds for every job, and each environment is a world of its own."""

import json

import pytest

from qstash_jobs.cli.main import run
from qstash_jobs.local import start_server

PROJECT = """\
project: billing
defaults: {retries: 1}
vars: {api: https://api.example.com, tier: project}
environments:
  staging: {vars: {tier: staging}}
  production: {token_from: QSTASH_PRODUCTION_TOKEN, defaults: {retries: 5}}
"""
JOB = "url: ${{ vars.api }}/${{ vars.tier }}\nbody: {environment: '${{ environment.name }}'}\n"


@pytest.fixture
def server(monkeypatch, tmp_path):
    with start_server(record_requests=True) as server:
        monkeypatch.setenv("QSTASH_URL", server.url)
        monkeypatch.setenv("QSTASH_TOKEN", server.token)
        monkeypatch.setenv("QSTASH_PRODUCTION_TOKEN", server.token)
        monkeypatch.setenv("QSTASH_JOBS_LEDGER", f"sqlite://{tmp_path / 'ledger.db'}")
        (tmp_path / "qstash-jobs.yaml").write_text(PROJECT)
        (tmp_path / "jobs").mkdir()
        (tmp_path / "jobs" / "hello.yaml").write_text(JOB)
        monkeypatch.chdir(tmp_path)
        yield server


def sent(server) -> list:
    return [request for request in server.requests() if request.method == "POST"]


def test_without_an_environment_nothing_is_published_where_some_are_declared(server, capsys):
    assert run(["run", "jobs/"]) == 2
    assert "--environment staging or --environment production" in capsys.readouterr().err
    assert sent(server) == []


def test_an_environment_brings_its_variables_defaults_and_token(server):
    assert run(["run", "jobs/", "--environment", "staging"]) == 0
    assert run(["run", "jobs/", "--environment", "production"]) == 0
    staging, production = sent(server)
    assert staging.target == "/v2/publish/https://api.example.com/staging"
    assert production.target == "/v2/publish/https://api.example.com/project"
    assert json.loads(production.body) == {"environment": "production"}
    assert dict(staging.headers)["Upstash-Retries"] == "1"
    assert dict(production.headers)["Upstash-Retries"] == "5"


def test_an_unknown_environment_is_told_with_the_likely_one(server, capsys):
    assert run(["run", "jobs/", "--environment", "stagin"]) == 2
    assert "did you mean staging?" in capsys.readouterr().err
    assert sent(server) == []


def test_two_environments_with_one_run_key_publish_twice_and_one_only_once(server):
    for environment in ("staging", "production", "staging", "production"):
        assert run(["run", "jobs/", "--environment", environment, "--run-key", "release-1"]) == 0
    assert len(sent(server)) == 2


def test_two_checkouts_with_one_run_key_publish_once(server, tmp_path, monkeypatch, capsys):
    for name in ("one", "two"):
        folder = tmp_path / name / "checkout"
        (folder / "jobs").mkdir(parents=True)
        (folder / "qstash-jobs.yaml").write_text("project: billing\n")
        (folder / "jobs" / "hello.yaml").write_text("url: https://api.example.com/hello\n")
        monkeypatch.chdir(folder)
        assert run(["run", "jobs/", "--run-key", "release-1"]) == 0
    assert len(sent(server)) == 1
    assert "skipped jobs/hello:hello published" in capsys.readouterr().out


def test_a_token_of_another_account_stops_before_the_first_byte(server, tmp_path, capsys):
    (tmp_path / "qstash-jobs.yaml").write_text("account: a1b2c3\n")
    assert run(["run", "jobs/hello.yaml", "--var", "api=https://a.example.com", "--var", "tier=x"]) == 4
    assert (
        "QSTASH_TOKEN is of the account defaultUser, and the project file says a1b2c3"
        in capsys.readouterr().err
    )
    assert server.requests() == []


def test_validate_looks_at_each_environment_in_turn(server, tmp_path, capsys):
    (tmp_path / "qstash-jobs.yaml").write_text(
        "environments:\n  a: {vars: {api: 'https://a.example.com', tier: x}}\n  b: {vars: {tier: x}}\n"
    )
    assert run(["validate"]) == 2
    assert capsys.readouterr().out.count("error: there is no `vars.api`") == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("projct: billing\n", "did you mean `project`?"),
        ("quota: free\nquota: payg\n", "yaml-duplicate-key"),
        ("environments: {production: {polcy: {}}}\n", "did you mean `policy`?"),
        ("policy: {max: {retries: -1}}\n", "schema-range"),
        ("policy: {require: [lables]}\n", "labels"),
        ("- a list\n", "schema-type"),
        ("account: [1]\n", "schema-type"),
    ],
)
def test_what_is_wrong_in_the_project_file_is_a_problem_at_its_line(server, tmp_path, capsys, text, message):
    (tmp_path / "qstash-jobs.yaml").write_text(text)
    assert run(["run", "jobs/"]) == 2
    said = capsys.readouterr().err
    assert "qstash-jobs.yaml:" in said
    assert message in said
    assert server.requests() == []
