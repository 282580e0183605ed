"""Groups and queues that jobs name are looked up before anything is sent."""

import pytest

from qstash_jobs.cli.main import run
from qstash_jobs.local import start_server


@pytest.fixture
def server(monkeypatch, tmp_path):
    with start_server(record_requests=True) as server:
        monkeypatch.setenv("QSTASH_URL", server.url)
        monkeypatch.setenv("QSTASH_TOKEN", server.token)
        monkeypatch.setenv("QSTASH_JOBS_LEDGER", f"sqlite://{tmp_path / 'ledger.db'}")
        monkeypatch.chdir(tmp_path)
        yield server


def published(server) -> list[str]:
    return [request.target for request in server.requests() if request.method == "POST"]


def test_a_misspelt_group_is_told_with_the_likely_name_and_nothing_is_sent(server, tmp_path, capsys):
    server.make_group("order-placed", {"one": "https://example.com/hook"})
    (tmp_path / "job.yaml").write_text("url_group: order-plced\n")
    assert run(["run", "job.yaml"]) == 2
    said = capsys.readouterr().err
    assert "job.yaml:1:12: error: the account has no URL group order-plced [url-group-unknown]" in said
    assert "did you mean order-placed?" in said
    assert published(server) == []


def test_a_group_that_the_account_has_is_published_to(server, tmp_path, capsys):
    server.make_group("order-placed", {"one": "https://example.com/hook"})
    (tmp_path / "job.yaml").write_text("url_group: order-placed\n")
    assert run(["run", "job.yaml"]) == 0
    assert published(server) == ["/v2/publish/order-placed"]
    assert "url-group-unknown" not in capsys.readouterr().err


def test_a_declared_group_that_was_never_made_is_told_so(server, tmp_path, capsys):
    (tmp_path / "job.yaml").write_text(
        "url_groups: {g: {endpoints: {one: 'https://example.com'}}}\njobs: {a: {url_group: g}}\n"
    )
    assert run(["run", "job.yaml"]) == 2
    assert "type: qstash-jobs apply job.yaml" in capsys.readouterr().err
    assert published(server) == []


def test_an_unknown_queue_is_a_warning_because_qstash_makes_it(server, tmp_path, capsys):
    server.make_queue("invoices")
    (tmp_path / "job.yaml").write_text("url: https://example.com/hook\nqueue: invoicse\n")
    assert run(["run", "job.yaml"]) == 0
    said = capsys.readouterr().err
    assert "warning: the account has no queue invoicse" in said
    assert "did you mean invoices?" in said
    assert published(server) == ["/v2/enqueue/invoicse/https://example.com/hook"]


def test_jobs_that_name_nothing_of_the_account_ask_it_nothing(server, tmp_path):
    (tmp_path / "job.yaml").write_text("url: https://example.com/hook\n")
    assert run(["run", "job.yaml"]) == 0
    assert [request.method for request in server.requests()] == ["POST"]
