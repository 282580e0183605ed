"""What `plan` prints is what `run` sends, byte for byte: every example, alone and in batches."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from qstash_jobs.cli.main import run
from qstash_jobs.ledger.sqlite import open_sqlite
from qstash_jobs.local.serve import LocalServer, start_server
from qstash_jobs.local.world.quota import FIXED
from qstash_jobs.record import RunKey

JOBS = Path(__file__).parent.parent / "jobs"
SECRET = "s3cret-of-reports"

CONNECTION = {"host", "authorization", "user-agent", "accept-encoding", "content-length", "connection"}


@pytest.fixture
def server(monkeypatch) -> Iterator[LocalServer]:
    with start_server(record_requests=True, quota=FIXED) as server:
        server.make_group("order-placed", {"email": "https://mail.example.com/hook"})
        server.make_queue("invoices")
        monkeypatch.setenv("QSTASH_URL", server.url)
        monkeypatch.setenv("QSTASH_TOKEN", server.token)
        monkeypatch.setenv("REPORT_TOKEN", SECRET)
        yield server


def plan_and_run(batch_size: int, tmp_path: Path, capsys) -> list[dict]:
    """Plan and run every example under one run key; return the plan's lines."""
    common = [str(JOBS), "--run-key", "key", "--batch-size", str(batch_size)]
    ledger = ["--ledger", f"sqlite://{tmp_path / 'ledger.db'}"]
    # its id names the project where no remote does
    open_sqlite(tmp_path / "ledger.db").close()
    assert run(["plan", *common, *ledger, "--format", "jsonl"]) == 0
    *planned, quota = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    planned = [line for line in planned if "via" in line]
    assert quota["kind"] == "quota"
    assert run(["run", *common, *ledger]) == 0
    return planned


def mask(text: str) -> str:
    return text.replace(SECRET, "***")


def test_alone_each_planned_request_is_the_one_that_is_sent(server, tmp_path, capsys):
    planned = plan_and_run(1, tmp_path, capsys)
    assert len(planned) == 17
    sent = {
        (
            request.method,
            request.target,
            tuple((name, mask(value)) for name, value in request.headers if name.lower() not in CONNECTION),
            mask(request.body.decode()),
        )
        for request in server.requests()
        if request.method == "POST"
    }
    assert {line["via"] for line in planned} == {"publish", "enqueue"}
    assert {
        (line["method"], line["target"], tuple(line["headers"].items()), line["body"]) for line in planned
    } == sent


def test_in_batches_each_planned_request_is_an_item_that_is_sent(server, tmp_path, capsys):
    planned = plan_and_run(100, tmp_path, capsys)
    items = [
        item
        for request in server.requests()
        if request.target == "/v2/batch"
        for item in json.loads(mask(request.body.decode()))
    ]
    assert {line["via"] for line in planned} == {"batch"}
    sent = {(item["destination"], tuple(item["headers"].items()), item.get("body", "")) for item in items}
    assert {
        (
            line["target"].removeprefix("/v2/publish/").removeprefix("/v2/enqueue/invoices/"),
            tuple(line["headers"].items()),
            line["body"],
        )
        for line in planned
    } == sent
    assert [item["queue"] for item in items if "queue" in item] == ["invoices"] * 3


def test_under_a_run_key_a_plan_renders_the_day_of_its_first_run(tmp_path, monkeypatch, capsys):
    (tmp_path / "qstash-jobs.yaml").write_text("project: billing\n")
    (tmp_path / "job.yaml").write_text("url: https://example.com/hook\nbody: {day: '${{ run.date }}'}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QSTASH_TOKEN", raising=False)
    monkeypatch.setenv("QSTASH_JOBS_LEDGER", f"sqlite://{tmp_path / 'ledger.db'}")
    with closing(open_sqlite(tmp_path / "ledger.db")) as ledger:
        key = RunKey(project="billing", environment="", target="", text="release-1")
        ledger.open_key(key, run="0123456789ab", at=datetime(2026, 1, 31, 23, 59, tzinfo=UTC))
    assert run(["plan", "job.yaml", "--run-key", "release-1", "--format", "jsonl"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["body"] == '{"day":"2026-01-31"}'
