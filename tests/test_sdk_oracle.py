"""The official SDK says how a request looks: for each of its parameters, ours is held against it on the wire."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import pytest
from chaos_server import ChaosServer, Peer
from pipeline import envelopes
from qstash import QStash

from qstash_jobs.publish.work import Batch, Try
from qstash_jobs.transport import open_line
from qstash_jobs.wire.http import Reply, Request
from qstash_jobs.wire.server import read_server

URL = "https://example.com/hook"
TOKEN = "token"

ANSWERS = {
    "publish": b'{"messageId":"msg_1"}',
    "enqueue": b'{"messageId":"msg_1"}',
    "group": b'[{"messageId":"msg_1","url":"https://example.com"}]',
    "batch": b'[{"messageId":"msg_1"},{"messageId":"msg_2"}]',
}


@dataclass(frozen=True)
class Seen:
    """A request as a server sees it, less what the connection adds and what only we send."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


def read_seen(raw: bytes) -> Seen:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = dict(line.split(": ", 1) for line in lines)
    return Seen(method, target, {name.lower(): value for name, value in headers.items()}, body)


CONNECTION = {"host", "user-agent", "accept", "accept-encoding", "connection", "content-length"}


def without_ours(headers: Mapping[str, str], *, keep_dedup: bool) -> dict[str, str]:
    """Leave out run labels, and the deduplication id where the SDK sends none."""
    kept = {name.lower(): value for name, value in headers.items() if name.lower() not in CONNECTION}
    labels = [label for label in kept.pop("upstash-label", "").split(",") if label]
    labels = [label for label in labels if not label.startswith(("qj-r-", "qj-m-"))]
    if labels:
        kept["upstash-label"] = ",".join(labels)
    if not keep_dedup:
        kept.pop("upstash-deduplication-id", None)
    return kept


@dataclass(frozen=True)
class Recorder:
    url: str
    requests: list[bytes]
    """In the order in which they came, whoever sent them."""


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    requests: list[bytes] = []

    def record(peer: Peer) -> None:
        while raw := peer.read_request():
            requests.append(raw)
            kind = raw.split(b" ", 2)[1].decode().split("/")[2]
            body = ANSWERS["group" if "/a-group" in raw.split(b" ", 2)[1].decode() else kind]
            peer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                % (len(body), body)
            )

    with ChaosServer(record) as server:
        yield Recorder(server.url, requests)


@pytest.fixture
def ask_sdk(recorder: Recorder) -> Iterator[Callable[[Callable[[QStash], Any]], Seen]]:
    client = QStash(TOKEN, base_url=recorder.url, retry=False)

    def ask(call: Callable[[QStash], Any]) -> Seen:
        call(client)
        return read_seen(recorder.requests[-1])

    yield ask
    client.http._client.close()


@pytest.fixture
def send(recorder: Recorder) -> Iterator[Callable[[Request], Seen]]:
    line = open_line(read_server(recorder.url), TOKEN, environment={})

    def send(request: Request) -> Seen:
        before = len(recorder.requests)
        answer = line.connect() or line.send(request, may_send=lambda: True)
        assert isinstance(answer, Reply)
        assert len(recorder.requests) == before + 1
        return read_seen(recorder.requests[-1])

    yield send
    line.close()


FLOW = {"key": "partner", "parallelism": 5, "rate": 10, "period": "1m"}

SINGLE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing but the url": ({}, {}),
    "body of text": (
        {"body": "hello", "content_type": "text/plain"},
        {"body": "hello", "content_type": "text/plain"},
    ),
    "body of bytes": (
        {"body_base64": "AP8B", "content_type": "application/octet-stream"},
        {"body": b"\x00\xff\x01", "content_type": "application/octet-stream"},
    ),
    "content_type": (
        {"body": "<p>", "content_type": "text/html"},
        {"body": "<p>", "content_type": "text/html"},
    ),
    **{
        f"method {method}": ({"method": method}, {"method": method})
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
    },
    "headers": ({"headers": {"X-One": "1", "x-two": "zwei"}}, {"headers": {"X-One": "1", "x-two": "zwei"}}),
    "retries": ({"retries": 0}, {"retries": 0}),
    "retry_delay": (
        {"retries": 2, "retry_delay": "1000 * (1 + retried)"},
        {"retries": 2, "retry_delay": "1000 * (1 + retried)"},
    ),
    "callback": ({"callback": URL + "/back?x=1"}, {"callback": URL + "/back?x=1"}),
    "failure_callback": ({"failure_callback": URL + "/failed"}, {"failure_callback": URL + "/failed"}),
    "callback_headers": (
        {
            "callback": {
                "url": URL + "/back",
                "headers": {"X-A": "1"},
                "retries": 2,
                "method": "PUT",
                "timeout": "7s",
                "retry_delay": "1000",
            }
        },
        {
            "callback": URL + "/back",
            "callback_headers": {
                "Forward-X-A": "1",
                "Retries": "2",
                "Method": "PUT",
                "Timeout": "7s",
                "Retry-Delay": "1000",
            },
        },
    ),
    "failure_callback_headers": (
        {"failure_callback": {"url": URL + "/failed", "headers": {"X-A": "1"}}},
        {"failure_callback": URL + "/failed", "failure_callback_headers": {"Forward-X-A": "1"}},
    ),
    "deduplication_id": ({"dedup": {"id": "order-1"}}, {"deduplication_id": "order-1"}),
    "timeout as text": ({"timeout": "30s"}, {"timeout": "30s"}),
    "timeout as a number": ({"timeout": 30}, {"timeout": 30}),
    "label": ({"labels": ["one", "two"]}, {"label": "one,two"}),
    "redact body": ({"redact": {"body": True}}, {"redact": {"body": True}}),
    "redact all headers": (
        {"headers": {"X-A": "1"}, "redact": {"headers": True}},
        {"headers": {"X-A": "1"}, "redact": {"header": True}},
    ),
    "redact some": (
        {"headers": {"X-A": "1", "X-B": "2"}, "redact": {"body": True, "headers": ["X-A", "X-B"]}},
        {"headers": {"X-A": "1", "X-B": "2"}, "redact": {"body": True, "header": ["X-A", "X-B"]}},
    ),
}

PUBLISH_ONLY: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "delay as text": ({"delay": "3s"}, {"delay": "3s"}),
    "delay as a number": ({"delay": 3}, {"delay": 3}),
    "not_before": ({"not_before": 2_000_000_000}, {"not_before": 2_000_000_000}),
    "flow_control": ({"flow_control": FLOW}, {"flow_control": {**FLOW, "period": "60s"}}),
    "flow_control, parallelism alone": (
        {"flow_control": {"key": "k", "parallelism": 1}},
        {"flow_control": {"key": "k", "parallelism": 1}},
    ),
    "flow_control, rate alone": (
        {"flow_control": {"key": "k", "rate": 1}},
        {"flow_control": {"key": "k", "rate": 1}},
    ),
}

EXCEPTIONS = {
    "content_based_deduplication": "the SDK writes Python's True; only `true` is documented (features/deduplication)",
    "publish_json without a body": "the SDK sends the four bytes null; a job without a body sends none",
    "compound durations": "the SDK passes any text on; whole seconds are what every field is known to take",
    "batch body and queue": "the SDK writes an explicit null where there is none; an absent key means the same",
    "batch_json retry_delay": "the SDK forgets it (qstash-py 3.4.0, convert_to_batch_messages)",
}
"""Where ours differs on purpose; each has its own test below."""


@pytest.mark.parametrize("case", [*SINGLE, *PUBLISH_ONLY])
def test_a_published_job_is_the_sdks_publish(case, ask_sdk, send, tmp_path):
    job, parameters = {**SINGLE, **PUBLISH_ONLY}[case]
    expected = ask_sdk(lambda client: client.message.publish(url=URL + "?q=1&r=%2F", **parameters))
    [envelope] = envelopes(tmp_path, {"url": URL + "?q=1&r=%2F", **job})
    assert_same(send(envelope.request), expected)


@pytest.mark.parametrize("case", SINGLE)
def test_a_job_for_a_url_group_is_the_sdks_publish(case, ask_sdk, send, tmp_path):
    job, parameters = SINGLE[case]
    expected = ask_sdk(lambda client: client.message.publish(url_group="a-group", **parameters))
    [envelope] = envelopes(tmp_path, {"url_group": "a-group", **job})
    assert_same(send(envelope.request), expected)


@pytest.mark.parametrize("case", SINGLE)
def test_a_job_on_a_queue_is_the_sdks_enqueue(case, ask_sdk, send, tmp_path):
    job, parameters = SINGLE[case]
    expected = ask_sdk(lambda client: client.message.enqueue(queue="a-queue", url=URL, **parameters))
    [envelope] = envelopes(tmp_path, {"url": URL, "queue": "a-queue", **job})
    assert_same(send(envelope.request), expected)


VALUES = [
    {"hello": "world", "list": [1, 2.5, None, True], "ü": "ä€"},
    [1, 2],
    12.50,
    True,
    {"nested": {"deep": [{}]}},
]


@pytest.mark.parametrize("value", VALUES, ids=str)
@pytest.mark.parametrize("call", ["publish_json", "enqueue_json"])
def test_a_json_body_is_the_same_value_as_the_sdks(call, value, ask_sdk, send, tmp_path):
    queue = {"queue": "a-queue"} if call == "enqueue_json" else {}
    expected = ask_sdk(lambda client: getattr(client.message, call)(url=URL, body=value, **queue))
    [envelope] = envelopes(tmp_path, {"url": URL, "body": value, **queue})
    assert_same(send(envelope.request), expected, json_body=True)


def test_a_batch_is_the_sdks_batch(ask_sdk, send, tmp_path):
    cases = {**SINGLE, **PUBLISH_ONLY}
    batchable = [case for case in cases if case != "body of bytes"]
    expected = ask_sdk(
        lambda client: client.message.batch([{"url": URL, **dict(cases[case][1])} for case in batchable])
    )
    made = envelopes(tmp_path, *({"url": URL, **cases[case][0]} for case in batchable))
    batch = Batch(tries=tuple(Try(envelope=envelope, attempt=1) for envelope in made))
    assert_same_batch(send(batch.request()), expected, cases=batchable)


def test_a_batch_of_json_to_urls_groups_and_queues_is_the_sdks_batch_json(ask_sdk, send, tmp_path):
    jobs = [
        {"url": URL, "body": {"n": 1}, "delay": "5s"},
        {"url_group": "a-group", "body": [2]},
        {"url": URL, "queue": "a-queue", "body": {"n": 3}, "retries": 1},
    ]
    expected = ask_sdk(
        lambda client: client.message.batch_json(
            [
                {"url": URL, "body": {"n": 1}, "delay": "5s"},
                {"url_group": "a-group", "body": [2]},
                {"url": URL, "queue": "a-queue", "body": {"n": 3}, "retries": 1},
            ]
        )
    )
    batch = Batch(tries=tuple(Try(envelope=envelope, attempt=1) for envelope in envelopes(tmp_path, *jobs)))
    assert_same_batch(send(batch.request()), expected, cases=["", "", ""])


def test_content_based_deduplication_is_written_as_the_documents_do(ask_sdk, send, tmp_path):
    sdk = ask_sdk(lambda client: client.message.publish(url=URL, content_based_deduplication=True))
    [envelope] = envelopes(tmp_path, {"url": URL, "dedup": "content"})
    ours = send(envelope.request)
    assert sdk.headers["upstash-content-based-deduplication"] == "True"
    assert ours.headers["upstash-content-based-deduplication"] == "true"
    assert "upstash-deduplication-id" not in ours.headers


def test_a_job_without_a_body_sends_none_where_the_sdk_sends_null(ask_sdk, send, tmp_path):
    sdk = ask_sdk(lambda client: client.message.publish_json(url=URL))
    [envelope] = envelopes(tmp_path, {"url": URL})
    assert sdk.body == b"null"
    assert send(envelope.request).body == b""


def test_durations_go_out_as_whole_seconds(send, tmp_path):
    [envelope] = envelopes(tmp_path, {"url": URL, "delay": "1d10h30m", "timeout": "1h30m3s"})
    headers = send(envelope.request).headers
    assert (headers["upstash-delay"], headers["upstash-timeout"]) == ("124200s", "5403s")


def test_a_batch_keeps_the_retry_delay_that_the_sdks_batch_json_forgets(ask_sdk, send, tmp_path):
    sdk = ask_sdk(
        lambda client: client.message.batch_json(
            [{"url": URL, "body": 1, "retries": 1, "retry_delay": "1000"}] * 2
        )
    )
    made = envelopes(tmp_path, *[{"url": URL, "body": 1, "retries": 1, "retry_delay": "1000"}] * 2)
    ours = send(Batch(tries=tuple(Try(envelope=envelope, attempt=1) for envelope in made)).request())
    assert "Upstash-Retry-Delay" not in json.loads(sdk.body)[0]["headers"]
    assert json.loads(ours.body)[0]["headers"]["Upstash-Retry-Delay"] == "1000"


def assert_same(ours: Seen, sdk: Seen, *, json_body: bool = False) -> None:
    keep_dedup = "upstash-deduplication-id" in sdk.headers
    assert ours.method == sdk.method
    assert ours.target == sdk.target
    assert without_ours(ours.headers, keep_dedup=keep_dedup) == without_ours(
        sdk.headers, keep_dedup=keep_dedup
    )
    if json_body:
        assert json.loads(ours.body) == json.loads(sdk.body)
    else:
        assert ours.body == sdk.body


def assert_same_batch(ours: Seen, sdk: Seen, *, cases: list[str]) -> None:
    assert (ours.method, ours.target) == (sdk.method, sdk.target) == ("POST", "/v2/batch")
    assert unquote(ours.headers["content-type"]) == sdk.headers["content-type"]
    our_items, sdk_items = json.loads(ours.body), json.loads(sdk.body)
    assert len(our_items) == len(sdk_items) == len(cases)
    for our_item, sdk_item, case in zip(our_items, sdk_items, cases, strict=True):
        keep_dedup = "Upstash-Deduplication-Id" in sdk_item["headers"]
        assert without_ours(our_item["headers"], keep_dedup=keep_dedup) == without_ours(
            sdk_item["headers"], keep_dedup=keep_dedup
        ), case
        for key in ("destination", "queue"):
            assert our_item.get(key) == sdk_item.get(key), case
        assert our_item.get("body") == sdk_item["body"] or json.loads(our_item["body"]) == json.loads(
            sdk_item["body"]
        ), case
