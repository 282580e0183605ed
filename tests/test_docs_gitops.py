"""The page about pipelines: its workflow for messages is read as GitHub reads it, and its steps run in their order.

The folder of the ledger takes the place of the cache.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ci_runner import SHA, Runner
from doc_blocks import read_blocks

from qstash_jobs.local import start_server

PAGE = "gitops.md"
BLOCK, SCANNING, ONCE = read_blocks(PAGE, "yaml")[:3]
WORKFLOW: dict[Any, Any] = yaml.safe_load(BLOCK.text)
ON = WORKFLOW[True]
"""YAML 1.1 takes the key `on` for true."""

CHECK, PUBLISH = WORKFLOW["jobs"]["check"], WORKFLOW["jobs"]["publish"]


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    with start_server(record_requests=True) as server:
        runner = Runner(root=tmp_path, server=server, values={"secrets.QSTASH_TOKEN": server.token})
        runner.write("qstash-jobs.yaml", "project: shop\n")
        runner.write("jobs/hello.yaml", "url: https://api.example.com/hello\nbody: {hello: world}\n")
        runner.write("jobs/once.yaml", ONCE.text)
        yield runner


def test_a_pull_request_is_checked_without_token_secrets_and_network(runner: Runner) -> None:
    assert "secrets" not in json.dumps(CHECK)
    runner.write(
        "jobs/hello.yaml", "url: https://api.example.com/hello\nheaders: {X-Key: '${{ secrets.API_KEY }}'}\n"
    )
    (valid, _), (planned, plan) = runner.run(CHECK, QSTASH_URL="http://127.0.0.1:9")
    assert (valid, planned) == (0, 0)
    assert "would publish 2 messages" in plan
    assert "would publish 2 messages of 2 jobs" in runner.summary.text
    assert ["publish", "jobs/hello:hello", "POST https://api.example.com/hello"] in [
        cells[:3] for cells in runner.summary.cells
    ]
    assert runner.published() == 0


def test_a_pull_request_with_a_mistake_is_told_beside_its_line(runner: Runner) -> None:
    runner.write("jobs/hello.yaml", "url: https://api.example.com/hello\nretrys: 3\n")
    [(code, output)] = runner.run(CHECK)
    assert code == 2
    assert "::error file=jobs/hello.yaml,line=2," in output


def test_a_commit_is_published_once_and_the_next_one_again_but_for_what_is_to_go_out_once(
    runner: Runner,
) -> None:
    for sha, totals, published in (
        (SHA, "published 2 ", 2),
        (SHA, "skipped 2 ", 2),
        (SHA[::-1], "published 1, skipped 1 ", 3),
    ):
        [(code, output)] = runner.run(PUBLISH, GITHUB_SHA=sha)
        assert code == 0, output
        assert totals in output
        assert runner.published() == published
        assert totals.strip() in [cells[1] for cells in runner.summary.cells if cells[0] == "messages"][-1]


def test_code_scanning_is_given_what_is_wrong_also_where_that_fails_the_step(runner: Runner) -> None:
    check, upload = yaml.safe_load(SCANNING.text)
    runner.write("jobs/hello.yaml", "url: https://api.example.com/hello\nretrys: 3\n")
    [(code, _)] = runner.run({"steps": [check, upload]})
    log = json.loads((runner.root / "checkout" / upload["with"]["sarif_file"]).read_text())
    assert code == 2
    assert upload["if"] == "always()"
    assert [result["ruleId"] for result in log["runs"][0]["results"]] == ["schema-unknown-key"]


def test_a_lost_ledger_is_as_the_page_says(runner: Runner) -> None:
    runner.run(PUBLISH)
    for path in sorted((runner.root / "qstash-jobs").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    [(code, output)] = runner.run(PUBLISH)
    assert code == 0
    assert "skipped 2 " in output
    assert "by QStash's log" in runner.summary.text
    assert len(runner.server.deliveries()) == 2


def test_the_token_is_given_to_one_step_and_the_workflow_may_only_read() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert "permissions" not in CHECK
    assert "permissions" not in PUBLISH
    given = [step for step in PUBLISH["steps"] if "QSTASH_TOKEN" in step.get("env", {})]
    assert [step["name"] for step in given] == ["Publish"]
    assert "secrets." in given[0]["env"]["QSTASH_TOKEN"]
    assert PUBLISH["environment"] == "production"


def test_only_a_push_publishes_and_one_at_a_time() -> None:
    assert set(ON) == {"pull_request", "push"}
    assert ON["push"]["branches"] == ["main"]
    assert CHECK["if"] == "github.event_name == 'pull_request'"
    assert PUBLISH["if"] == "github.event_name == 'push'"
    assert PUBLISH["concurrency"] == {"group": "qstash-jobs-production", "cancel-in-progress": False}


def test_the_ledger_is_where_the_cache_looks_and_is_kept_after_a_failure() -> None:
    steps = {step["name"]: step for step in PUBLISH["steps"] if "name" in step}
    fetch, keep = steps["Fetch the ledger"], steps["Keep the ledger"]
    ledger = PUBLISH["env"]["QSTASH_JOBS_LEDGER"].removeprefix("sqlite://")
    assert {fetch["with"]["path"], keep["with"]["path"]} == {str(Path(ledger).parent)}
    assert fetch["with"]["key"] == keep["with"]["key"]
    assert keep["with"]["key"].startswith(fetch["with"]["restore-keys"])
    assert keep["if"] == "always()"
    assert list(steps) == ["Install", "Fetch the ledger", "Publish", "Keep the ledger"]
