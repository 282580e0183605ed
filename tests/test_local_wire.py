"""The local server's door: raw targets arrive intact, and nothing malformed makes it fail or stop."""

import json
import socket
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qstash_jobs.local import LocalServer, start_server

TOKEN = "eyJVc2VySUQiOiJkZWZhdWx0VXNlciIsIlBhc3N3b3JkIjoiZGVmYXVsdFBhc3N3b3JkIn0="
AUTHORIZED = f"Authorization: Bearer {TOKEN}\r\n".encode()


@pytest.fixture(scope="module")
def shared() -> Iterator[LocalServer]:
    with start_server() as running:
        yield running


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with start_server(record_requests=True) as running:
        yield running


def send(server: LocalServer, data: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes, and read one answer with its length."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall(data)
        file = line.makefile("rb")
        status = int(file.readline().split()[1])
        headers = {}
        while (row := file.readline().strip()) != b"":
            name, _, value = row.decode().partition(":")
            headers[name.lower()] = value.strip()
        body = file.read(int(headers.get("content-length", 0)))
        file.close()
        return status, headers, body


def post(target: str, body: bytes = b"", headers: bytes = AUTHORIZED) -> bytes:
    length = f"Content-Length: {len(body)}\r\n".encode()
    return f"POST {target} HTTP/1.1\r\nHost: x\r\n".encode() + headers + length + b"\r\n" + body


@pytest.mark.parametrize(
    "destination",
    [
        "https://example.com//a//b/",
        "https://example.com/a%2Fb%2fc%20d",
        "https://example.com/a/../b/./c",
        "http://[::1]:80/a|b?x=[1]|2&y=%7e",
        "https://example.com/a?x=1&y=2&x=1",
        "https://example.com/a?",
        "https://example.com?x",
        "https://user:pass@example.com:8443/a;b,c=d",
        "https://example.com/" + "a" * 200_000,
    ],
)
def test_a_destination_is_taken_from_the_request_line_as_it_stands(
    server: LocalServer, destination: str
) -> None:
    status, _, body = send(server, post(f"/v2/publish/{destination}"))
    assert (status, list(json.loads(body))) == (200, ["messageId"])
    status, _, _ = send(server, post(f"/v2/enqueue/slow/{destination}"))
    assert status == 200
    assert server.wait_idle(5)
    assert [d.url for d in server.deliveries()] == [destination, destination]
    assert [r.target for r in server.requests()] == [
        f"/v2/publish/{destination}",
        f"/v2/enqueue/slow/{destination}",
    ]


@pytest.mark.parametrize("written", ["orders", "orders/", "orders?x=1", "%6Frders", "orders/?"])
def test_a_group_is_meant_whatever_stands_around_its_name(server: LocalServer, written: str) -> None:
    server.make_group("orders", {"one": "https://example.com/1"})
    for path in (f"/v2/publish/{written}", f"/v2/enqueue/slow/{written}"):
        status, _, body = send(server, post(path))
        assert (status, json.loads(body)[0]["url"]) == (200, "https://example.com/1")
    status, _, _ = send(
        server, post(f"/v2/schedules/{written}", headers=AUTHORIZED + b"Upstash-Cron: * * * * *\r\n")
    )
    assert status == 200


def test_qstashs_own_query_parameters_configure_and_do_not_reach_the_destination(server: LocalServer) -> None:
    query = "a=%2F&upstash-delay=10s&upstash-forward-x-mine=1+2&Upstash-Delay=b&upstash-label=red"
    status, _, body = send(server, post(f"/v2/publish/https://example.com/a?{query}"))
    assert status == 200
    assert server.wait_idle(5)
    (delivery,) = server.deliveries()
    assert delivery.url == "https://example.com/a?a=%2F&Upstash-Delay=b"
    assert dict(delivery.headers)["X-Mine"] == "1 2"
    status, _, body = send(server, post("/v2/publish/https://example.com/a?upstash-delay=10"))
    assert (status, json.loads(body)["error"]) == (400, 'invalid delay: missing unit in duration "10"')


def test_a_batch_takes_such_parameters_for_the_destinations_own(server: LocalServer) -> None:
    url = "https://example.com/a?upstash-delay=nonsense"
    status, _, _ = send(server, post("/v2/batch", json.dumps([{"destination": url}]).encode()))
    assert status == 200
    assert server.wait_idle(5)
    assert [d.url for d in server.deliveries()] == [url]


def test_the_token_may_stand_in_the_query(server: LocalServer) -> None:
    target = f"/v2/publish/https://example.com/a?x=1&qstash_token={TOKEN.replace('=', '%3D')}"
    assert send(server, post(target, headers=b""))[0] == 200
    assert server.wait_idle(5)
    assert [d.url for d in server.deliveries()] == ["https://example.com/a?x=1"]


@pytest.mark.parametrize("headers", [b"", b"Authorization: Bearer\r\n", b"Authorization: Bearer x\xff\r\n"])
def test_without_the_token_nothing_is_done(server: LocalServer, headers: bytes) -> None:
    status, _, body = send(server, post("/v2/publish/https://example.com/a", headers=headers))
    assert (status, list(json.loads(body))) == (401, ["error"])
    assert server.wait_idle(5)
    assert server.deliveries() == []


def test_the_webhook_form_forwards_the_senders_headers(server: LocalServer) -> None:
    headers = AUTHORIZED + b"X-Github-Event: push\r\nUpstash-Header-Forward: true\r\nContent-Type: a/b\r\n"
    assert send(server, post("/v2/publish/https://example.com/a", b"{}", headers))[0] == 200
    assert server.wait_idle(5)
    (delivery,) = server.deliveries()
    names = dict(delivery.headers)
    assert (names["X-Github-Event"], names["Content-Type"]) == ("push", "a/b")
    assert not {"Authorization", "Host", "Content-Length"} & names.keys()


def test_header_bytes_beyond_ascii_arrive_as_they_were_sent(server: LocalServer) -> None:
    headers = AUTHORIZED + b"Upstash-Forward-X: \xff\xc3\xa9\r\n"
    assert send(server, post("/v2/publish/https://example.com/a", headers=headers))[0] == 200
    assert server.wait_idle(5)
    (delivery,) = server.deliveries()
    assert dict(delivery.headers)["X"].encode("utf-8", "surrogateescape") == b"\xff\xc3\xa9"


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"{}", "JSON array"),
        (b"[1]", "not an object"),
        (b"[{}]", "no destination"),
        (b'[{"destination": 1}]', "no destination"),
        (b'[{"destination": "https://a", "body": {}}]', "strings"),
        (b'[{"destination": "https://a", "queue": 1}]', "strings"),
        (b'[{"destination": "https://a", "headers": []}]', "map of strings"),
        (b'[{"destination": "https://a", "headers": {"Upstash-Retries": 1}}]', "map of strings"),
        (b'[{"destination": "https://a", "headers": {"Upstash-Forward-": "x"}}]', "header name"),
        (b'[{"destination": "https://a", "headers": {"Upstash-Forward-A": "x\\r\\ny"}}]', "header A"),
        (b'[{"destination": "https://a", "queue": "a/b"}]', "invalid queue name"),
        (
            b'[{"destination": "https://a", "queue": "a", "headers": {"upstash-delay": "1s"}}]',
            "delay is not supported",
        ),
        (b'[{"destination": "https://a b"}]', "is not a URL"),
        (b'[{"destination": "https://\\ud800"}]', "is not a URL"),
        (b'[{"destination": "https://[::1/x"}]', "is not a URL"),
        (b'[{"destination": "https://"}]', "is not a URL"),
        (b'[{"destination": "ftp://a"}]', "invalid scheme"),
    ],
)
def test_a_malformed_batch_is_refused_and_nothing_of_it_is_taken(
    shared: LocalServer, body: bytes, part: str
) -> None:
    before = shared.delivery_count
    if body.startswith(b"[{"):
        body = b'[{"destination": "https://example.com/fine"}, ' + body[1:]
    status, headers, answer = send(shared, post("/v2/batch", body))
    assert (status, headers["content-type"].partition(";")[0]) == (400, "application/json")
    assert part in json.loads(answer)["error"]
    assert shared.wait_idle(5)
    assert shared.delivery_count == before


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /v2/publish/https://a HTTP/1.1\r\nHost: x\r\n" + AUTHORIZED + b"\r\n", 405),
        (b"GET /v2/batch HTTP/1.1\r\nHost: x\r\n" + AUTHORIZED + b"\r\n", 405),
        (b"PATCH /v2/messages/a HTTP/1.1\r\nHost: x\r\n" + AUTHORIZED + b"\r\n", 405),
        (b"GET /v2/nothing HTTP/1.1\r\nHost: x\r\n" + AUTHORIZED + b"\r\n", 404),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + AUTHORIZED + b"\r\n", 403),
        (b"GET /nothing HTTP/1.1\r\nHost: x\r\n" + AUTHORIZED + b"\r\n", 404),
        (b"GET /v1/publish HTTP/1.1\r\nHost: x\r\n" + AUTHORIZED + b"\r\n", 404),
        (b"GET /v2/messages/a/b/c HTTP/1.1\r\nHost: x\r\n" + AUTHORIZED + b"\r\n", 404),
        (b"GET /v2/events?count=x HTTP/1.1\r\nHost: x\r\n" + AUTHORIZED + b"\r\n", 400),
        (b"GET /v2/events?count=0 HTTP/1.1\r\nHost: x\r\n" + AUTHORIZED + b"\r\n", 400),
        (b"GET /v2/events?state=x HTTP/1.1\r\nHost: x\r\n" + AUTHORIZED + b"\r\n", 400),
        (b"GET /v2/events?cursor=-1 HTTP/1.1\r\nHost: x\r\n" + AUTHORIZED + b"\r\n", 400),
        (b"GET /v2/dlq?cursor=x HTTP/1.1\r\nHost: x\r\n" + AUTHORIZED + b"\r\n", 400),
        (b"GET /v2/events? HTTP/1.1\r\nHost: x\r\n" + AUTHORIZED + b"\r\n", 200),
        (b"GET /v2/logs HTTP/1.1\r\nHost: x\r\n" + AUTHORIZED + b"\r\n", 200),
        (b"GET http://other/v2/queues HTTP/1.1\r\nHost: x\r\n" + AUTHORIZED + b"\r\n", 200),
        (b"GET /v2/queues/ HTTP/1.1\r\nHost: x\r\n" + AUTHORIZED + b"\r\n", 200),
        (b"HEAD /v2/queues HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + AUTHORIZED + b"\r\n", 405),
        (post("/v2/queues", b'{"queueName": "a b"}'), 400),
        (post("/v2/queues", b'{"queueName": "a", "parallelism": 0}'), 400),
        (post("/v2/queues", b'{"queueName": "a", "parallelism": true}'), 400),
        (post("/v2/queues", b'{"queueName": "a", "parallelism": 101}'), 412),
        (post("/v2/queues", b"[]"), 400),
        (post("/v2/topics/a/endpoints", b'{"endpoints": [{"name": "x"}]}'), 400),
        (post("/v2/topics/a/endpoints", b'{"endpoints": []}'), 400),
        (post("/v2/topics/a%20b/endpoints", b'{"endpoints": [{"url": "https://a"}]}'), 400),
        (post("/v2/flowControl/a/pin?period=0"), 400),
        (post("/v2/publish/"), 400),
        (post("/v2/publish"), 400),
        (post("/v2/enqueue/only"), 400),
        (post("/v2/enqueue//https://example.com"), 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"\x00\xff\x00\xff\r\n\r\n", 400),
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET foo HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"POST /v2/batch HTTP/1.1\r\nHost: x\r\nContent-Length: zz\r\n\r\n", 400),
        (b"POST /v2/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 200000000\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 1500 + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 1_100_000 + b"\r\n\r\n", 400),
        (b"GET /" + b"a" * 1_100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /v2/queues HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", 401),
    ],
)
def test_odd_requests_are_answered_as_json(shared: LocalServer, data: bytes, status: int) -> None:
    found, headers, body = send(shared, data)
    assert found == status
    if body:
        assert headers["content-type"].partition(";")[0] == "application/json"
        assert status == 200 or list(json.loads(body)) == ["error"]


def test_a_header_of_almost_a_mebibyte_is_taken(server: LocalServer) -> None:
    value = b"v" * 1_000_000
    headers = AUTHORIZED + b"Upstash-Forward-Big: " + value + b"\r\n"
    assert send(server, post("/v2/publish/https://example.com", headers=headers))[0] == 200
    assert server.wait_idle(5)
    assert len(dict(server.deliveries()[0].headers)["Big"]) == len(value)


def test_a_chunked_body_and_one_that_waits_for_leave_are_read(server: LocalServer) -> None:
    chunked = (
        b"POST /v2/publish/https://example.com/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        + AUTHORIZED
        + b"\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    assert send(server, chunked)[0] == 200
    waiting = AUTHORIZED + b"Expect: 100-continue\r\n"
    assert send(server, post("/v2/publish/https://example.com/2", b"xyz", waiting))[0] == 100
    compressed = AUTHORIZED + b"Content-Encoding: gzip\r\n"
    assert send(server, post("/v2/publish/https://example.com/3", b"\x1f\x8b\x00", compressed))[0] == 200
    assert server.wait_idle(5)
    assert [d.body for d in server.deliveries()] == [b"abcde", b"xyz", b"\x1f\x8b\x00"]


def test_a_body_that_breaks_in_the_middle_is_the_clients_fault(server: LocalServer) -> None:
    host, _, port = server.url.removeprefix("http://").partition(":")
    head = b"POST /v2/batch HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" + AUTHORIZED + b"\r\n"
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall(head + b"3\r\nabc\r\n")
        assert send(server, post("/v2/publish/https://example.com"))[0] == 200
        line.sendall(b"zz\r\n")
        assert b" 400 " in line.recv(65536)


def test_a_body_that_never_ends_does_not_hold_the_others_up(server: LocalServer) -> None:
    host, _, port = server.url.removeprefix("http://").partition(":")
    whole = post("/v2/publish/https://example.com/slow", b"x" * 1000)
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall(whole[:-1])
        target = "/v2/publish/https://example.com/fine?upstash-delay=7d"
        assert send(server, post(target))[0] == 200
        assert server.wait_idle(5)
        assert [d.url for d in server.deliveries()] == ["https://example.com/fine"]


def test_clients_that_hang_up_harm_nobody(server: LocalServer) -> None:
    host, _, port = server.url.removeprefix("http://").partition(":")
    whole = post("/v2/publish/https://example.com/cut", b"x" * 1000)
    for length in (1, 20, 80, len(whole) - 500, len(whole) - 1):
        with socket.create_connection((host, int(port))) as line:
            line.sendall(whole[:length])
    assert send(server, post("/v2/publish/https://example.com/fine"))[0] == 200
    assert server.wait_idle(5)
    assert [d.url for d in server.deliveries()] == ["https://example.com/fine"]


def test_many_requests_on_one_connection_are_answered_in_order(server: LocalServer) -> None:
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall(b"".join(post(f"/v2/publish/https://example.com/{n}") for n in range(50)))
        received = b""
        while received.count(b"messageId") < 50:
            received += line.recv(65536)
    assert server.wait_idle(5)
    assert [d.url for d in server.deliveries()] == [f"https://example.com/{n}" for n in range(50)]


WORDS = st.sampled_from(
    [
        "publish",
        "enqueue",
        "batch",
        "messages",
        "topics",
        "queues",
        "events",
        "logs",
        "dlq",
        "flowControl",
        "keys",
        "schedules",
        "retry",
        "pause",
        "endpoints",
        "globalParallelism",
        "a",
        "msg_x",
        "https://example.com/a",
        "https://[",
        "%2F",
        "%ff",
        "?",
        "?a=b",
        "?count=1",
        "?fromDate=9",
        "?messageIds=a,b",
    ]
)
VALUES = st.one_of(
    st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=20),
    st.sampled_from(
        [
            "1",
            "0s",
            "1d2h",
            "true",
            "a,b",
            "https://a",
            "parallelism=1",
            "rate=1,period=1s",
            "header[a]",
            "-1",
        ]
    ),
)
NAMES = st.sampled_from(
    [
        "Delay",
        "Not-Before",
        "Retries",
        "Retry-Delay",
        "Timeout",
        "Method",
        "Label",
        "Redact-Fields",
        "Callback",
        "Callback-Method",
        "Callback-Forward-X",
        "Failure-Callback",
        "Failure-Callback-Retries",
        "Flow-Control-Key",
        "Flow-Control-Value",
        "Deduplication-Id",
        "Content-Based-Deduplication",
        "Forward-X",
        "Header-Forward",
        "Cron",
        "Schedule-Id",
        "Nonsense",
    ]
)
BODIES = st.one_of(
    st.binary(max_size=50),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("https://example.com"),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "destination",
                        "headers",
                        "body",
                        "queue",
                        "endpoints",
                        "url",
                        "name",
                        "queueName",
                        "parallelism",
                        "paused",
                        "messageIds",
                        "dlqIds",
                    ]
                ),
                inner,
                max_size=3,
            )
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
)


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
    words=st.lists(WORDS, max_size=4),
    options=st.dictionaries(NAMES, VALUES, max_size=4),
    body=BODIES,
)
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_request_makes_the_server_fail(
    shared: LocalServer, method: str, words: list[str], options: dict[str, str], body: bytes
) -> None:
    target = "/v2/" + "/".join(words)
    lines = b"".join(f"Upstash-{name}: {value}\r\n".encode("latin-1") for name, value in options.items())
    data = post(target, body, AUTHORIZED + lines).replace(b"POST", method.encode(), 1)
    status, _, answer = send(shared, data)
    assert status < 500
    assert not answer or isinstance(json.loads(answer), dict | list)
    assert send(shared, b"GET /v2/schedules HTTP/1.1\r\nHost: x\r\n" + AUTHORIZED + b"\r\n")[0] == 200


@given(data=st.binary(min_size=1, max_size=300))
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_make_the_server_stop(shared: LocalServer, data: bytes) -> None:
    host, _, port = shared.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as line:
        line.sendall(data)
    assert send(shared, b"GET /v2/schedules HTTP/1.1\r\nHost: x\r\n" + AUTHORIZED + b"\r\n")[0] == 200
