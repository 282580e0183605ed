"""Every file under jobs/ is published as its comments say: this is what goes over the wire."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from qstash import QStash

from qstash_jobs.cli.main import run
from qstash_jobs.local.serve import LocalServer, start_server
from qstash_jobs.local.world.quota import FIXED

JOBS = Path(__file__).parent.parent / "jobs"


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with start_server(record_requests=True, quota=FIXED) as server:
        server.make_group(
            "order-placed",
            {"email": "https://mail.example.com/hook", "audit": "https://audit.example.com/hook"},
        )
        server.make_queue("invoices")
        yield server


@pytest.fixture
def publish(server, monkeypatch, tmp_path):
    """Publish an example, each message alone, and return what the server was sent."""
    monkeypatch.setenv("QSTASH_URL", server.url)
    monkeypatch.setenv("QSTASH_TOKEN", server.token)
    monkeypatch.setenv("REPORT_TOKEN", "s3cret-of-reports")

    def publish(name: str) -> list[dict]:
        before = len(server.requests())
        ledger = f"sqlite://{tmp_path / 'ledger.db'}"
        assert (
            run(["run", str(JOBS / name), "--batch-size", "1", "--concurrency", "1", "--ledger", ledger]) == 0
        )
        return [
            {
                "method": request.method,
                "target": request.target,
                "body": request.body,
                **{key.lower(): value for key, value in request.headers},
            }
            for request in server.requests()[before:]
            if request.method == "POST"
        ]

    return publish


def test_every_example_has_a_test_here():
    tested = Path(__file__).read_text()
    assert [path.name for path in JOBS.glob("*.yaml") if f'"{path.name}"' not in tested] == []


def test_hello_is_json_with_a_header_three_seconds_late(publish):
    [request] = publish("hello.yaml")
    assert (request["method"], request["target"]) == ("POST", "/v2/publish/https://api.example.com/hello")
    assert request["content-type"] == "application/json"
    assert request["upstash-delay"] == "3s"
    assert request["upstash-forward-test-header"] == "test-value"
    assert request["body"] == b'{"hello":"world"}'


def test_an_order_goes_to_a_url_group_and_its_total_keeps_its_digits(publish):
    [request] = publish("order-placed.yaml")
    assert request["target"] == "/v2/publish/order-placed"
    assert request["upstash-delay"] == "3s"
    assert request["upstash-forward-test-header"] == "test-value"
    assert request["body"] == b'{"order":1001,"total":10.10}'


def test_prices_are_polled_with_get_and_answered_to_callbacks(publish):
    [request] = publish("poll-prices.yaml")
    assert request["target"] == "/v2/publish/https://prices.example.com/v1/latest?currency=EUR"
    assert request["upstash-method"] == "GET"
    assert request["upstash-callback"] == "https://api.example.com/prices/arrived"
    assert request["upstash-failure-callback"] == "https://api.example.com/prices/failed"
    assert request["upstash-failure-callback-method"] == "POST"
    assert request["upstash-failure-callback-forward-x-alert"] == "prices"
    assert request["body"] == b""


def test_the_flaky_one_is_retried_once(publish):
    [request] = publish("retry-once.yaml")
    assert request["upstash-retries"] == "1"


def test_the_weekly_mail_is_html(publish):
    [request] = publish("weekly-mail.yaml")
    assert request["content-type"] == "text/html"
    assert request["body"] == b"<h1>Your week</h1>\n<p>Three invoices were paid.</p>\n"


def test_the_catalogue_is_deduplicated_by_its_content(publish):
    [request] = publish("sync-catalogue.yaml")
    assert request["upstash-content-based-deduplication"] == "true"
    assert "upstash-deduplication-id" not in request


def test_the_slow_report_gets_thirty_seconds(publish):
    [request] = publish("slow-report.yaml")
    assert request["upstash-timeout"] == "30s"


def test_the_patient_retry_waits_longer_each_time(publish):
    [request] = publish("patient-retry.yaml")
    assert request["upstash-retries"] == "4"
    assert request["upstash-retry-delay"] == "pow(2, retried) * 1000"


def test_invoices_go_on_their_queue_in_order(publish):
    requests = publish("invoices.yaml")
    assert {request["target"] for request in requests} == {
        "/v2/enqueue/invoices/https://billing.example.com/invoices"
    }
    assert [json.loads(request["body"])["number"] for request in requests] == [1, 2, 3]


def test_the_partner_is_not_called_faster_than_it_allows(publish):
    [request] = publish("partner-sync.yaml")
    assert request["upstash-method"] == "PUT"
    assert request["upstash-flow-control-key"] == "partner-api"
    assert request["upstash-flow-control-value"] == "parallelism=5, rate=10, period=60s"


def test_the_launch_is_at_nine_in_berlin(publish):
    [request] = publish("launch.yaml")
    assert request["upstash-not-before"] == "2051337600"  # 2035-01-02 08:00:00 UTC, `date -ud @2051337600`


def test_receipts_are_one_message_a_row_and_once_an_order(publish):
    requests = sorted(publish("receipts.yaml"), key=lambda request: request["target"])
    assert [request["target"].rpartition("/")[2] for request in requests] == ["1001", "1002", "1003"]
    assert [request["body"] for request in requests] == [
        b'{"email":"ada@example.com","total":10.10}',
        b'{"email":"grace@example.com","total":250}',
        b'{"email":"edsger@example.com","total":7.00}',
    ]
    assert len({request["upstash-deduplication-id"] for request in requests}) == 3
    assert all(request["upstash-label"].startswith("receipts,qj-r-") for request in requests)


def test_the_account_has_what_its_example_declares_and_a_second_apply_changes_nothing(
    server, publish, tmp_path
):
    assert publish("account.yaml") == []
    words = ["apply", str(JOBS / "account.yaml"), "--yes", "--ledger", f"sqlite://{tmp_path / 'ledger.db'}"]
    before = len(server.requests())
    assert run(words) == 0
    sent = [request for request in server.requests()[before:] if request.method != "GET"]
    by_target = {request.target: request for request in sent}
    digest = by_target["/v2/schedules/digest-readers"]
    headers = {name.lower(): value for name, value in digest.headers}
    assert headers["upstash-cron"] == "CRON_TZ=Europe/Berlin 0 7 * * 1-5"
    assert headers["upstash-schedule-id"] == "qstash-jobs-examples-morning-digest"
    assert headers["upstash-retries"] == "2"
    assert digest.body == b'{"kind":"digest"}'
    cleanup = by_target["/v2/schedules/https://api.example.com/cleanup"]
    assert dict(cleanup.headers)["Upstash-Queue-Name"] == "chores"
    assert json.loads(by_target["/v2/topics/digest-readers/endpoints"].body) == {
        "endpoints": [
            {"url": "https://sales.example.com/hook", "name": "sales"},
            {"url": "https://support.example.com/hook", "name": "support"},
        ]
    }
    [queue] = [json.loads(one.body) for target, one in by_target.items() if target.startswith("/v2/queues")]
    assert (queue["queueName"], queue["parallelism"]) == ("chores", 1)
    assert "qstash-jobs-examples-hourly-cleanup" in "".join(
        target for target in by_target if "pause" in target
    )
    client = QStash(server.token, base_url=server.url)
    made = {one.schedule_id: one.paused for one in client.schedule.list()}
    pinned = client.flow_control.get("partner-api")
    client.http._client.close()
    assert made == {
        "qstash-jobs-examples-morning-digest": False,
        "qstash-jobs-examples-hourly-cleanup": True,
    }
    assert (pinned.rate_max, pinned.rate_period, pinned.parallelism_max) == (10, 60, 5)
    before = len(server.requests())
    assert run(words) == 0
    assert {request.method for request in server.requests()[before:]} == {"GET"}


def test_the_nightly_report_carries_its_secret_and_has_it_redacted(publish):
    [request] = publish("nightly-report.yaml")
    assert request["upstash-forward-authorization"] == "Bearer s3cret-of-reports"
    assert request["upstash-redact-fields"] == "header[Authorization]"
    assert list(json.loads(request["body"])) == ["date"]
