"""The page about pipelines: what it prints for an account is run, by GitHub's steps, GitLab's scripts and a shell.

The eye on the account is the official SDK. `gh` is a stand-in that keeps what it was given: GitHub is elsewhere.
"""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import yaml
from ci_runner import Runner
from doc_blocks import DOCS, read_blocks
from markdown_page import Page
from qstash import QStash

from qstash_jobs.local import DEV_USERS, start_server

PAGE = "gitops.md"
_, _, _, BLOCK, APPROVED, PROJECT, MATRIX, GITLAB = read_blocks(PAGE, "yaml")
WORKFLOW: dict[Any, Any] = yaml.safe_load(BLOCK.text)
CHECK, APPLY, DRIFT = (WORKFLOW["jobs"][name] for name in ("check", "apply", "drift"))
KEPT = yaml.safe_load(APPROVED.text)
PIPELINE = yaml.safe_load(GITLAB.text)
DEPLOY, LOOK, LOOK_FIRST = (block.text for block in read_blocks(PAGE, "sh"))

TOKEN = base64.b64encode(b'{"UserID":"team","Password":"writes"}').decode()
READ_ONLY = base64.b64encode(b'{"UserID":"team","Password":"reads"}').decode()
USER = replace(DEV_USERS[0], token=TOKEN, read_only_token=READ_ONLY)

GH = """\
#!/bin/bash
printf '%s\\n' "$@" > "$HOME/gh.txt"
cp "${!#}" "$HOME/comment.md"
"""

NIGHTLY = "schedules: {nightly: {cron: '0 4 * * *', url: 'https://api.example.com/nightly'}}\n"
DIGEST = """\
schedules:
  digest:
    cron: "0 7 * * 1"
    url: https://api.example.com/digest
    headers: {Authorization: "Bearer ${{ secrets.DIGEST_TOKEN }}"}
url_groups:
  order-placed: {endpoints: {audit: "https://audit.example.com/hook"}}
"""


@pytest.fixture
def runner(tmp_path) -> Iterator[Runner]:
    with start_server(record_requests=True, users=[USER]) as server:
        runner = Runner(
            root=tmp_path,
            server=server,
            values={
                "vars.QSTASH_URL": server.url,
                "secrets.QSTASH_TOKEN": TOKEN,
                "secrets.QSTASH_READ_ONLY_TOKEN": READ_ONLY,
                "github.event.pull_request.html_url": "https://github.com/acme/billing/pull/7",
            },
        )
        gh = tmp_path / "bin" / "gh"
        gh.parent.mkdir()
        gh.write_text(GH)
        gh.chmod(0o755)
        runner.write("qstash-jobs.yaml", "project: billing\n")
        runner.write("jobs/nightly.yaml", NIGHTLY)
        runner.write("jobs/digest.yaml", DIGEST)
        yield runner


@pytest.fixture
def sdk(runner) -> Iterator[QStash]:
    client = QStash(TOKEN, base_url=runner.server.url)
    yield client
    client.http._client.close()


def schedules(sdk: QStash) -> dict[str, str]:
    return {one.schedule_id: one.cron for one in sdk.schedule.list()}


def run(runner: Runner, job: dict[str, Any], **more: str) -> str:
    """Run a job that has to go well; return what its steps said."""
    done = runner.run(job, DIGEST_TOKEN="s3cret-digest", **more)
    assert [code for code, _ in done] == [0] * len(done), done
    return "".join(output for _, output in done)


def gitlab(name: str) -> dict[str, Any]:
    """A job of GitLab's as steps: each line of a script has to go well."""
    return {"steps": [{"run": line} for line in PIPELINE[name]["script"]], "env": {"QSTASH_TOKEN": TOKEN}}


def test_a_pull_request_shows_as_comment_and_summary_what_its_merge_does_and_the_merge_does_it(runner, sdk):
    run(runner, APPLY)
    assert schedules(sdk) == {"billing-nightly": "0 4 * * *", "billing-digest": "0 7 * * 1"}
    runner.write("jobs/nightly.yaml", NIGHTLY.replace("nightly: {", "weekly: {").replace("* * *", "* * 1"))
    runner.write("jobs/digest.yaml", DIGEST.replace("0 7", "0 8").replace("Bearer", "Token"))
    changing = len([one for one in runner.server.requests() if one.method != "GET"])
    (runner.root / "summary.md").unlink()
    # secrets of schedules are not set here
    assert [code for code, _ in runner.run(CHECK)] == [0, 0, 0]
    comment = (runner.root / "comment.md").read_text()
    assert comment == (runner.root / "summary.md").read_text()
    page = Page(comment)
    assert "would delete 1, update 1, create 1 in the account; 1 unchanged" in page.text
    rows = [cells for cells in page.cells if cells[0] in ("schedule", "URL group")]
    assert [(cells[1], cells[-1]) for cells in rows] == [
        ("billing-nightly", "url https://api.example.com/nightlycron 0 4 * * *"),
        ("digestin the account billing-digest", "jobs/digest.yaml:2"),
        ("weeklyin the account billing-weekly", "jobs/nightly.yaml:1"),
    ]
    assert "cron 0 7 * * 1 → 0 8 * * 1" in rows[1][2]
    assert "not compared, since a secret in it is not known here: headers" in rows[1][2]
    arguments = (runner.root / "gh.txt").read_text().splitlines()
    assert arguments[:3] == ["pr", "comment", "https://github.com/acme/billing/pull/7"]
    assert len([one for one in runner.server.requests() if one.method != "GET"]) == changing
    output = run(runner, APPLY)
    assert "apply 3 changes, 1 deletion among them, to 127.0.0.1" in output
    assert "created 1, updated 1, deleted 1" in output
    assert schedules(sdk) == {"billing-weekly": "0 4 * * 1", "billing-digest": "0 8 * * 1"}


def test_from_a_fork_the_plan_is_made_without_a_token(runner):
    runner.values = {}
    validated, (code, _) = runner.run({"steps": CHECK["steps"][:-1]})
    assert (validated[0], code) == (0, 0)
    assert "what would change in the account is not known" in runner.summary.text
    assert "Declared, and not compared with the account: 1 URL group, 2 schedules" in runner.summary.text
    assert runner.server.requests() == []
    assert "head.repo.full_name == github.repository" in CHECK["steps"][-1]["if"]


def test_the_address_beside_the_token_is_stronger_than_that_of_the_pull_request(runner):
    runner.write("qstash-jobs.yaml", "project: billing\nurl: http://127.0.0.1:9\n")
    assert [code for code, _ in runner.run(CHECK)] == [0, 0, 0]
    assert "would create 3" in runner.summary.text


def test_drift_is_told_by_the_exit_code_and_a_token_that_may_only_read_is_enough(runner, sdk):
    run(runner, APPLY)
    run(runner, DRIFT)
    sdk.schedule.create(
        destination="https://api.example.com/nightly", cron="0 5 * * *", schedule_id="billing-nightly"
    )
    (runner.root / "summary.md").unlink()
    [(code, _)] = runner.run(DRIFT, DIGEST_TOKEN="s3cret-digest")
    # written by another without the mark, it is no longer the project's
    assert code == 2
    assert "the account has a schedule billing-nightly that this project did not make" in runner.summary.text
    sdk.schedule.delete("billing-nightly")
    [(code, _)] = runner.run(DRIFT, DIGEST_TOKEN="s3cret-digest")
    assert code == 8
    [(code, _)] = runner.run(DRIFT, QSTASH_TOKEN="wrong")
    assert code == 4
    run(runner, APPLY)
    run(runner, DRIFT)


def test_the_approved_plan_is_what_is_applied_or_nothing(runner, sdk):
    run(runner, KEPT["plan"])
    kept = json.loads((runner.root / "checkout/plan.json").read_text())
    assert len(kept["changes"]) == 3
    assert "s3cret" not in json.dumps(kept)
    sdk.schedule.create(destination="https://api.example.com/x", cron="0 5 * * *", schedule_id="not-ours")
    run(runner, KEPT["apply"])
    assert set(schedules(sdk)) == {"billing-nightly", "billing-digest", "not-ours"}
    [(code, output)] = runner.run(KEPT["apply"], DIGEST_TOKEN="s3cret-digest")
    assert code == 2
    assert "was to change, and is as declared now" in output


def test_more_deletions_than_anybody_means_are_refused_and_the_pull_request_has_said_so(runner, sdk):
    many = "".join(
        f"  s{number}: {{cron: '0 4 * * *', url: 'https://api.example.com'}}\n" for number in range(5)
    )
    runner.write("jobs/many.yaml", f"schedules:\n{many}")
    run(runner, APPLY)
    (runner.root / "checkout/jobs/many.yaml").unlink()
    (runner.root / "summary.md").unlink()
    run(runner, CHECK)
    assert "apply will refuse it without --force: 5 of 8" in runner.summary.text
    [(code, _)] = runner.run(APPLY, DIGEST_TOKEN="s3cret-digest")
    assert code == 2
    assert len(schedules(sdk)) == 7
    [command] = re.findall(r"`(qstash-jobs apply --prune --force jobs/)`", (DOCS / PAGE).read_text())
    by_hand = {"steps": [{"run": f"{command} --yes"}], "env": APPLY["steps"][-1]["env"]}
    run(runner, by_hand)
    assert len(schedules(sdk)) == 2


def test_what_is_refused_in_the_middle_is_told_as_the_page_says_and_the_rest_is_made(runner, sdk):
    runner.write("jobs/queue.yaml", "queues: {mails: {parallelism: 10000}}\n")
    [(code, output)] = runner.run(APPLY, DIGEST_TOKEN="s3cret-digest")
    assert code == 1
    assert [cells[0] for cells in runner.summary.cells][:2] == ["", "failed create"]
    said = " ".join((DOCS / PAGE).read_text().split())
    [line] = [one for one in output.splitlines() if one.startswith("failed ")]
    assert line.partition("  ")[0] in said
    assert len(schedules(sdk)) == 2
    runner.write("jobs/queue.yaml", "queues: {mails: {parallelism: 10}}\n")
    assert "created 1" in run(runner, APPLY)
    run(runner, DRIFT)


def test_each_environment_has_its_own_schedules(runner, sdk):
    runner.write("qstash-jobs.yaml", PROJECT.text)
    runner.write("jobs/digest.yaml", NIGHTLY.replace("nightly", "hourly").replace("0 4", "0 *"))
    environments = yaml.safe_load(MATRIX.text)
    assert environments["strategy"]["matrix"]["environment"] == list(
        yaml.safe_load(PROJECT.text)["environments"]
    )
    tokens = {"QSTASH_STAGING_TOKEN": TOKEN, "QSTASH_PRODUCTION_TOKEN": TOKEN}
    for name in environments["strategy"]["matrix"]["environment"]:
        runner.values["matrix.environment"] = name
        run(runner, {**APPLY, "env": environments["env"]}, **tokens)
    assert sorted(schedules(sdk)) == [
        "billing-production-hourly",
        "billing-production-nightly",
        "billing-staging-hourly",
        "billing-staging-nightly",
    ]
    run(runner, DRIFT, **tokens)
    assert "Left alone, not this project's in staging: schedule billing-production-" in runner.summary.text
    sdk.schedule.delete("billing-staging-nightly")
    assert [code for code, _ in runner.run(DRIFT, **tokens)] == [8]


def test_gitlab_does_the_same(runner, sdk):
    run(runner, gitlab("check"))
    artifacts = PIPELINE["check"]["artifacts"]
    assert "would create 3" in (runner.root / "checkout" / artifacts["paths"][0]).read_text()
    assert "<testsuites" in (runner.root / "checkout" / artifacts["reports"]["junit"]).read_text()
    run(runner, gitlab("apply"))
    assert len(schedules(sdk)) == 2
    run(runner, gitlab("drift"))
    sdk.schedule.delete("billing-nightly")
    assert runner.run(gitlab("drift"))[0][0] == 8


def test_a_shell_does_the_same_and_prints_nothing_where_nothing_is_to_be_told(runner, sdk):
    def shell(script: str) -> dict[str, Any]:
        return {"steps": [{"run": script}], "env": {"QSTASH_TOKEN": TOKEN}}

    assert "created 3" in run(runner, shell(DEPLOY))
    assert run(runner, shell(LOOK)) == ""
    sdk.schedule.delete("billing-nightly")
    [(code, output)] = runner.run(shell(LOOK), DIGEST_TOKEN="s3cret-digest")
    assert code == 8
    assert "create schedule nightly (billing-nightly)  jobs/nightly.yaml:1" in output
    run(runner, shell(LOOK_FIRST))
    assert len(schedules(sdk)) == 2


def test_the_full_token_is_given_to_what_applies_only_and_one_applies_at_a_time():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    for job in (CHECK, DRIFT, KEPT["plan"]):
        assert "secrets.QSTASH_TOKEN" not in json.dumps(job)
    for job in (APPLY, KEPT["apply"]):
        assert job["environment"] == "production"
        assert job["concurrency"] == {"group": "qstash-account-production", "cancel-in-progress": False}
    assert KEPT["apply"]["needs"] == "plan"
    assert PIPELINE["apply"]["resource_group"]
    for name, event in (("check", "pull_request"), ("apply", "push"), ("drift", "schedule")):
        assert WORKFLOW["jobs"][name]["if"] == f"github.event_name == '{event}'"
        assert event in WORKFLOW[True]
