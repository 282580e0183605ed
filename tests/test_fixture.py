"""The fixture `qstash`: a test gets a server of its own, in which nothing happens before its time."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from doc_blocks import read_blocks
from qstash import AsyncQStash, QStash, Receiver
from qstash.errors import QStashError

from qstash_jobs.errors import UsageError
from qstash_jobs.local import SinkAnswer, StandIn, start_server

pytest_plugins = ["pytester"]

URL = "https://example.com/hook"


@pytest.fixture
def client(qstash: StandIn) -> Iterator[QStash]:
    sdk = QStash(qstash.token, base_url=qstash.url, retry=False)
    yield sdk
    sdk.http._client.close()


def test_what_is_due_has_been_delivered_when_a_test_looks(qstash: StandIn, client: QStash) -> None:
    for number in range(200):
        client.message.publish(url=f"{URL}/{number}", body=str(number))
    assert [one.body for one in qstash.deliveries()] == [b"%d" % number for number in range(200)]
    assert {one.state for one in qstash.messages()} == {"DELIVERED"}
    assert len(qstash.requests()) == 200


def test_a_delay_lasts_until_the_test_lets_it_pass(qstash: StandIn, client: QStash) -> None:
    client.message.publish(url=URL, delay="1h", label="later")
    qstash.advance(3599.999)
    assert qstash.deliveries() == []
    [waiting] = qstash.messages()
    assert (waiting.state, waiting.labels, waiting.url) == ("CREATED", ("later",), URL)
    assert (waiting.due_at - waiting.created_at).total_seconds() == 3600
    qstash.advance(0.001)
    [delivery] = qstash.deliveries()
    assert delivery.at == waiting.due_at


def test_the_wall_clock_moves_nothing(qstash: StandIn, client: QStash) -> None:
    client.message.publish(url=URL, delay="1s")
    client.message.publish(url=URL, deduplication_id="once")
    qstash.turn(dedup_window_s=1)
    time.sleep(1.1)
    assert client.message.publish(url=URL, deduplication_id="once").deduplicated
    assert len(qstash.deliveries()) == 1
    qstash.advance(1)
    assert len(qstash.deliveries()) == 2
    assert not client.message.publish(url=URL, deduplication_id="once").deduplicated


def test_a_schedule_fires_as_often_as_its_time_passes(qstash: StandIn, client: QStash) -> None:
    client.schedule.create(destination=URL, cron="0 * * * *")
    qstash.advance(86_400)
    moments = [one.at for one in qstash.deliveries()]
    assert len(moments) == 24
    assert {(one.minute, one.second) for one in moments} == {(0, 0)}


def test_finish_lets_all_retries_happen(qstash: StandIn, client: QStash) -> None:
    qstash.add_fault("answer", status=503, times="always")
    client.message.publish(url=URL, retries=3, failure_callback="https://example.com/failed")
    assert [one.attempt for one in qstash.deliveries()] == [0]
    qstash.clear_faults()
    qstash.add_fault("answer", url=URL, status=500, times=3)
    assert qstash.finish()
    assert [(one.kind, one.attempt, one.status) for one in qstash.deliveries()] == [
        ("message", 0, 503),
        ("message", 1, 500),
        ("message", 2, 500),
        ("message", 3, 500),
        ("failure_callback", 0, 200),
    ]
    failed, callback = qstash.messages()
    assert (failed.state, failed.retried, callback.state, callback.kind) == (
        "FAILED",
        3,
        "DELIVERED",
        "failure_callback",
    )
    assert json.loads(callback.body)["sourceMessageId"] == failed.message_id
    assert [one.message_id for one in client.dlq.list().messages] == [failed.message_id]


def test_finish_says_when_something_is_further_away_than_it_may_go(qstash: StandIn, client: QStash) -> None:
    client.message.publish(url=URL, delay="2d")
    assert not qstash.finish(86_400)
    assert qstash.deliveries() == []
    assert qstash.finish()
    assert len(qstash.deliveries()) == 1


def test_a_paused_queue_keeps_no_test_waiting(qstash: StandIn, client: QStash) -> None:
    qstash.make_queue("orders", paused=True)
    client.message.enqueue(queue="orders", url=URL)
    assert qstash.deliveries() == []
    assert qstash.finish()
    assert [one.queue for one in qstash.messages()] == ["orders"]
    client.queue.resume("orders")
    assert len(qstash.deliveries()) == 1


def test_the_receiver_takes_deliveries_with_the_keys_of_the_fixture(qstash: StandIn, client: QStash) -> None:
    qstash.make_group("both", {"a": "https://a.example/", "b": "https://b.example/"})
    client.message.publish(url_group="both", body="hello")
    receiver = Receiver(qstash.current_signing_key, qstash.next_signing_key)
    assert [one.group for one in qstash.messages()] == ["both", "both"]
    for delivery in qstash.deliveries():
        signature = dict(delivery.headers)["Upstash-Signature"]
        receiver.verify(signature=signature, body=delivery.body.decode(), url=delivery.url)


def test_a_program_under_test_finds_the_server_by_its_environment(qstash: StandIn, tmp_path: Path) -> None:
    (tmp_path / "hello.yaml").write_text("url: https://example.com/hello\ndelay: 1m\n")
    command = [
        sys.executable,
        "-m",
        "qstash_jobs",
        "run",
        "--yes",
        "--ledger",
        f"sqlite://{tmp_path}/ledger.db",
        "hello.yaml",
    ]
    environment = os.environ | {"HOME": str(tmp_path)} | qstash.environment
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=60)
    assert [one.state for one in qstash.messages()] == ["CREATED"]
    qstash.advance(60)
    [delivery] = qstash.deliveries()
    signature = dict(delivery.headers)["Upstash-Signature"]
    receiver = Receiver(
        qstash.environment["QSTASH_CURRENT_SIGNING_KEY"], qstash.environment["QSTASH_NEXT_SIGNING_KEY"]
    )
    receiver.verify(signature=signature, body=delivery.body.decode(), url="https://example.com/hello")


def test_a_request_goes_wrong_as_often_as_the_test_says(qstash: StandIn, client: QStash) -> None:
    qstash.add_fault("rate-limit", family="burst")
    with pytest.raises(QStashError):
        client.message.publish(url=URL)
    client.message.publish(url=URL)
    assert len(qstash.messages()) == 1


def test_the_asynchronous_sdk_is_a_client_too(qstash: StandIn) -> None:
    import asyncio

    async def publish() -> None:
        sdk = AsyncQStash(qstash.token, base_url=qstash.url, retry=False)
        await sdk.message.publish(url=URL, delay="1m")
        await asyncio.to_thread(qstash.advance, 60)
        await sdk.http._client.aclose()

    asyncio.run(publish())
    assert [one.url for one in qstash.deliveries()] == [URL]


@pytest.mark.qstash(answer=lambda _: SinkAnswer(status=204))
class TestWithOptions:
    """The marker's options reach the server; that of a test comes before that of its class."""

    def test_the_class_is_heard(self, qstash: StandIn, client: QStash) -> None:
        client.message.publish(url=URL)
        assert [one.status for one in qstash.deliveries()] == [204]

    @pytest.mark.qstash(answer=None, switches={"success_status": 202})
    def test_the_test_is_heard_before_it(self, qstash: StandIn, client: QStash) -> None:
        client.message.publish(url=URL)
        assert [one.status for one in qstash.deliveries()] == [200]


@pytest.mark.qstash(deliver=True)
def test_a_real_destination_has_the_message_when_advance_returns(qstash: StandIn, client: QStash) -> None:
    got = []

    class Destination(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Destination) as destination:
        threading.Thread(target=destination.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{destination.server_port}/"
        client.message.publish(url=url, body="hello", delay="10m")
        assert got == []
        qstash.advance(600)
        assert got == [b"hello"]
        destination.shutdown()
    assert [one.status for one in qstash.deliveries()] == [204]


@pytest.mark.qstash(real_time=True)
def test_time_may_follow_the_wall_clock(qstash: StandIn, client: QStash) -> None:
    client.message.publish(url=URL, delay="1s")
    assert len(qstash.deliveries()) == 1


def test_time_neither_goes_back_nor_does_two_things_at_once(qstash: StandIn) -> None:
    for seconds in (-1, float("nan"), float("inf"), 1e12):
        with pytest.raises(UsageError, match="time goes on by 0 to"):
            qstash.advance(seconds)
    with pytest.raises(UsageError, match="either follows the wall clock or stands still"):
        start_server(real_time=True, stands_still=True)


def test_a_test_session_that_never_asks_pays_for_nothing() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, pytest, qstash_jobs.fixture; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    ours = {name for name in loaded if name.startswith("qstash_jobs")}
    assert ours == {"qstash_jobs", "qstash_jobs.fixture"}
    assert not {"aiohttp", "asyncio.base_events", "click", "yaml"} & set(loaded)


def test_without_the_extra_only_tests_that_ask_fail_and_say_what_to_install(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeconftest("import sys\nsys.modules['aiohttp'] = None\n")
    pytester.makepyfile("def test_other():\n    pass\n\ndef test_asks(qstash):\n    pass\n")
    done = pytester.runpytest_subprocess()
    done.assert_outcomes(passed=1, errors=1)
    done.stdout.fnmatch_lines(
        ["*UsageError: the local server needs aiohttp: pip install 'qstash-jobs?local?'"]
    )


def test_the_marker_is_known_and_wants_names(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import pytest\n\n@pytest.mark.qstash(True)\ndef test_asks(qstash):\n    pass\n",
    )
    done = pytester.runpytest_subprocess("--strict-markers")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*the marker qstash takes options by their names, as in qstash(deliver=True)"])


def test_the_example_of_the_documentation_passes(pytester: pytest.Pytester) -> None:
    [example] = [one for one in read_blocks("local-server.md", "python") if "def test_" in one.text]
    pytester.makepyfile(example.text)
    done = pytester.runpytest_subprocess("--strict-markers")
    done.assert_outcomes(passed=example.text.count("def test_"))
