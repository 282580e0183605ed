"""`validate`, `plan`, `runs`, `show` and `status`: what they print, for people and for programs."""

import json

import pytest
from markdown_page import Page

HELLO = "url: https://api.example.com/hello\nbody: {hello: world}\n"
BROKEN = "url: https://api.example.com/hello\nretrys: 3\nbody: [1\n"


def test_validate_shows_each_fault_at_its_place_and_ends_with_2(cli) -> None:
    cli.write("jobs/a.yaml", "url: https://api.example.com/hello\nretrys: 3\n")
    cli.write("jobs/b.yaml", "body: hi\n")
    answer = cli("validate")
    assert answer.code == 2
    assert "jobs/a.yaml:2:1: error: unknown field `retrys` [schema-unknown-key]" in answer.out
    assert "    retrys: 3\n    ^\n" in answer.out
    assert "hint: did you mean `retries`?" in answer.out
    assert "jobs/b.yaml:1:1: error: " in answer.out
    assert answer.err == "2 errors in 2 files\n"


def test_validate_writes_one_json_document(cli) -> None:
    cli.write("a.yaml", "url: https://api.example.com/hello\nretrys: 3\n")
    answer = cli("validate", "a.yaml", "--format", "json")
    document = json.loads(answer.out)
    assert answer.code == 2
    assert document["files"] == 1
    (problem,) = document["problems"]
    assert problem == {
        "file": "a.yaml",
        "line": 2,
        "column": 1,
        "severity": "error",
        "rule": "schema-unknown-key",
        "message": "unknown field `retrys`",
        "hint": "did you mean `retries`?",
        "path": ["retrys"],
    }
    cli.write("a.yaml", HELLO)
    assert json.loads(cli("validate", "a.yaml", "--format", "json").out) == {
        "files": 1,
        "jobs": 1,
        "messages": 1,
        "declared": {},
        "missing_secrets": [],
        "problems": [],
    }


def test_validate_annotates_a_pull_request(cli) -> None:
    cli.write("a.yaml", "url: https://api.example.com/hello\nretrys: 3\n")
    assert cli("validate", "a.yaml", "--format", "github").out == (
        "::error file=a.yaml,line=2,col=1,title=schema-unknown-key::unknown field `retrys`%0Adid you mean `retries`?\n"
    )


def test_warnings_are_shown_and_only_strict_makes_errors_of_them(cli) -> None:
    cli.write("a.yaml", "url: https://api.example.com/hello\nmethod: GET\nbody: hi\n")
    answer = cli("validate", "a.yaml")
    assert answer.code == 0
    assert ": warning: " in answer.out
    assert cli("validate", "a.yaml", "--strict").code == 2
    assert cli("run", "a.yaml").code == 0


def test_validate_and_plan_need_no_secret_and_name_the_missing_ones(cli) -> None:
    cli.write("a.yaml", HELLO + 'headers: {Authorization: "Bearer ${{ secrets.API_KEY }}"}\n')
    cli.set("QSTASH_TOKEN", None)
    assert "to be set where they are sent from: API_KEY" in cli("validate", "a.yaml").err
    answer = cli("plan", "a.yaml")
    assert answer.code == 0
    assert "Authorization: Bearer ***" in answer.out
    assert "to be set before a run: API_KEY" in answer.err


def test_a_run_names_the_missing_secret_at_its_place(cli) -> None:
    cli.write("a.yaml", HELLO + 'headers: {Authorization: "Bearer ${{ secrets.API_KEY }}"}\n')
    answer = cli("run", "a.yaml")
    assert answer.code == 2
    assert "a.yaml:3:34: error: the secret `API_KEY` is not set" in answer.err
    assert cli.sent == []


def test_plan_sends_nothing_and_says_what_the_ledger_would_skip(cli) -> None:
    cli.write("a.yaml", HELLO + "delay: 3s\n")
    answer = cli("plan", "a.yaml", "--run-key", "k")
    assert answer.out.startswith("publish a:a  a.yaml:1\n")
    assert "delay         3s" in answer.out
    assert answer.err == "would publish 1 message of 1 job\n1 delivery, 4 with every retry\n"
    assert cli.sent == []
    cli("run", "a.yaml", "--run-key", "k")
    answer = cli("plan", "a.yaml", "--run-key", "k")
    assert answer.out.startswith("skip a:a")
    assert "published 20" in answer.out
    *planned, _ = cli("plan", "a.yaml", "--run-key", "k", "--format", "jsonl").lines
    assert [line["action"] for line in planned] == ["skip"]
    assert cli("plan", "a.yaml", "--format", "curl").out.count("curl ") == 1


def test_a_plan_for_a_pull_request_is_one_document_and_shows_no_secret(cli) -> None:
    cli.set("API_KEY", "hunter2hunter2")
    cli.write("a.yaml", HELLO + "headers: {X-Key: 'a|${{ secrets.API_KEY }}'}\n")
    answer = cli("plan", "a.yaml", "--format", "markdown")
    page = Page(answer.out)
    assert answer.code == 0
    assert page.cells[1][:3] == ["publish", "a:a", "POST https://api.example.com/hello"]
    assert "header X-Key: a|***" in page.cells[1][3]
    assert "hunter2" not in answer.out
    assert "would publish 1 message of 1 job" in page.text
    assert answer.err.startswith("would publish 1 message of 1 job\n")


def test_a_plan_for_a_pull_request_that_has_faults_shows_them_alone(cli) -> None:
    cli.write("a.yaml", HELLO + "retrys: 3\n")
    answer = cli("plan", "a.yaml", "--format", "markdown")
    assert answer.code == 2
    assert Page(answer.out).cells[1:] == [
        ["error", "a.yaml:3:1", "unknown field retrys schema-unknown-keyhint: did you mean retries?"]
    ]


def test_the_quota_of_a_project_is_held_by_validate_and_plan(cli) -> None:
    cli.write(
        "qstash-jobs.yaml",
        "quota: {message_size: 1KiB, delay: 7d, retries: 3.0, timeout: 60, messages_per_day: 500}\n",
    )
    cli.write(
        "a.yaml",
        f"url: https://api.example.com/\nbody: '{'x' * 2000}'\ndelay: 8d\nretries: 4\ntimeout: 61s\n",
    )
    for command in ("validate", "plan", "run"):
        answer = cli(command, "a.yaml")
        told = answer.out + answer.err
        assert answer.code == 2
        assert "the plan allows 7d at most" in told
        assert "the plan allows 3 retries at most" in told
        assert told.count(": error: ") == 3
    assert cli.sent == []


@pytest.mark.parametrize("duration", ["3.0", "3", "3s", "'3s'"])
def test_a_delay_of_three_seconds_is_three_seconds_however_it_is_written(cli, duration: str) -> None:
    cli.write("a.yaml", HELLO + f"delay: {duration}\ntimeout: {duration}\n")
    assert cli("run", "a.yaml").code == 0
    headers = dict(cli.sent[0].headers)
    assert headers["Upstash-Delay"] == headers["Upstash-Timeout"] == "3s"


def test_the_history_says_what_was_published_when_and_as_what(cli) -> None:
    cli.write("a.yaml", HELLO)
    published = cli("run", "a.yaml", "--run-key", "k").out.split()[-1]
    table = cli("runs").out.splitlines()
    assert table[0].split() == ["run", "started", "exit", "messages", "project"]
    (run,) = cli("runs", "--format", "jsonl").lines
    assert run["exit_code"] == 0
    assert run["totals"] == {"published": 1}
    assert run["keys"] == ["k"]
    shown = cli("show", run["id"][:4]).out
    assert "exit code     0: all went well" in shown
    assert f"published    a:a  {published}" in shown
    assert cli("show", run["id"], "--format", "json").lines[0]["messages"][0]["name"] == "a:a"
    (record,) = cli("show", run["id"], "--format", "jsonl").lines
    for name in (published, record["id"], record["id"][:12], "a:a"):
        assert cli("show", name, "--format", "jsonl").lines == [record]
    assert f"message       {published}" in cli("show", "a:a", "--run", run["id"]).out


def test_status_says_what_became_of_messages(cli) -> None:
    cli.write("a.yaml", HELLO)
    published = cli("run", "a.yaml").out.split()[-1]
    for words in ([], [published], ["a:a"]):
        answer = cli("status", *words, "--wait", "20s")
        assert answer.code == 0
        assert answer.out.startswith(f"delivered a:a {published} 200")
        assert answer.err == "delivered 1\n"
    (followed,) = cli("status", "--format", "jsonl").lines
    assert followed["state"] == "delivered"
    assert followed["delivered"] is True


def test_status_says_of_a_run_that_only_skipped_that_it_published_nothing(cli) -> None:
    cli.write("hello.yaml", "url: https://api.example.com/hello\n")
    cli("run", "hello.yaml", "--run-key", "k")
    cli("run", "hello.yaml", "--run-key", "k")
    answer = cli("status")
    assert (answer.code, answer.out) == (0, "")
    assert answer.err.startswith("the run ")
    assert answer.err.endswith(" published nothing: skipped 1\n")


def test_status_counts_what_was_never_accepted(cli) -> None:
    cli.write("a.yaml", HELLO)
    cli.set("QSTASH_URL", "http://127.0.0.1:9")
    cli("run", "a.yaml")
    cli.set("QSTASH_URL", cli.server.url)
    answer = cli("status")
    assert answer.code == 9
    assert answer.err == "planned 1\n"


def test_an_environment_with_a_ledger_of_its_own_has_a_history_of_its_own(cli) -> None:
    ledger = cli.folder.parent / "production.db"
    cli.set("QSTASH_JOBS_LEDGER", None)
    cli.set("XDG_STATE_HOME", str(cli.folder.parent / "home"))
    cli.write(
        "qstash-jobs.yaml", f"project: shop\nenvironments: {{production: {{ledger: 'sqlite://{ledger}'}}}}\n"
    )
    cli.write("a.yaml", HELLO)
    assert cli("run", "a.yaml", "--environment", "production").code == 0
    assert ledger.exists()
    assert cli("runs").code == 2
    assert len(cli("runs", "--environment", "production", "--format", "jsonl").lines) == 1
    assert cli("status", "--environment", "production", "--wait", "20s").code == 0
    assert cli("run", "--continue", "--environment", "production").code == 0


def test_every_command_explains_itself(cli) -> None:
    for command in ("init", "validate", "plan", "run", "runs", "show", "status", "dev", "schema", "explain"):
        answer = cli(command, "--help")
        assert answer.code == 0
        assert answer.out.startswith(f"Usage: qstash-jobs {command} ")
    assert cli("--version").out.startswith("qstash-jobs ")
    assert json.loads(cli("schema").out)["title"]
    assert cli("explain", "delay").code == 0
    assert cli("explain", "schema-unknown-key").code == 0
