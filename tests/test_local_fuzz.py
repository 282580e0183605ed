"""The local server under requests that nobody would write: over every route, none fails, stops it, or is lost."""

import json
import logging
import re
import socket
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qstash_jobs.local import Delivery, LocalServer, Retention, SinkAnswer, start_server

URLS = ["https://example.com/a?b=1", "http://fails.example/", "https://[::1]:8/%2F//..", "http://a"]
NAMES = ["q", "g", "s", "k", "a.b-c_d", "%2e%2e", "%00", "é", "a%20b", "x" * 300]
SEGMENTS = st.sampled_from(
    [*NAMES, *URLS, "", "pause", "resume", "endpoints", "retry", "rotate", "pin", "ID"]
)
ROUTES = """
POST /v2/publish/URL
POST /v2/publish/g
POST /v2/enqueue/q/URL
POST /v2/enqueue/q/g
POST /v2/batch
GET /v2/messages/ID
DELETE /v2/messages/ID
DELETE /v2/messages
GET /v2/topics
GET /v2/topics/g
PATCH /v2/topics/g
DELETE /v2/topics/g
POST /v2/topics/g/endpoints
DELETE /v2/topics/g/endpoints
GET /v2/queues
POST /v2/queues
GET /v2/queues/q
DELETE /v2/queues/q
POST /v2/queues/q/pause
PATCH /v2/queues/q/resume
GET /v2/schedules
POST /v2/schedules/URL
POST /v2/schedules/g
GET /v2/schedules/s
DELETE /v2/schedules/ID
PATCH /v2/schedules/s/pause
POST /v2/schedules/s/resume
GET /v2/events
GET /v2/logs
GET /v2/dlq
DELETE /v2/dlq
GET /v2/dlq/ID
DELETE /v2/dlq/ID
POST /v2/dlq/retry
POST /v2/dlq/retry/ID
GET /v2/flowControl
GET /v2/flowControl/k
POST /v2/flowControl/k/pause
POST /v2/flowControl/k/resume
POST /v2/flowControl/k/pin
POST /v2/flowControl/k/unpin
POST /v2/flowControl/k/resetRate
GET /v2/globalParallelism
GET /v2/keys
POST /v2/keys/rotate
GET /local/switches
PATCH /local/switches
POST /local/advance
GET /local/faults
POST /local/faults
DELETE /local/faults
DELETE /local/faults/ID
""".strip().splitlines()
METHODS = ["GET", "POST", "DELETE", "PATCH", "PUT", "OPTIONS"]
ODD = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=12)
VALUES = st.sampled_from(
    [
        "1",
        "0",
        "-1",
        "3s",
        "1d10h",
        "999999999999999d",
        "90",
        "true",
        "True",
        "a,b",
        "*/5 * * * *",
        "CRON_TZ=Europe/Berlin 30 2 * * 0",
        "@daily",
        "0 0 31 2 *",
        "parallelism=1",
        "rate=1, period=3s",
        "pow(2, retried) * 1000",
        "1/0",
        "sqrt(0 - 1)",
        "body, header",
        "header[x]",
        "PUT",
        "9999999999",
        "99999999999999999999",
        "g",
        "q",
        "s",
        "k",
        "ID",
        "DELIVERED",
        "IN_PROGRESS",
        "NaN",
        "1e3",
        "+1",
        "%ff",
        "%00",
        "%D9%A1",
        "0x10",
        ",",
        "--",
        "*" * 3000,
        *URLS,
    ]
)
HEADERS = st.sampled_from(
    [
        "Content-Type",
        "Upstash-Method",
        "Upstash-Delay",
        "Upstash-Not-Before",
        "Upstash-Retries",
        "Upstash-Retry-Delay",
        "Upstash-Timeout",
        "Upstash-Callback",
        "Upstash-Callback-Retries",
        "Upstash-Callback-Forward-A",
        "Upstash-Failure-Callback",
        "Upstash-Failure-Callback-Delay",
        "Upstash-Deduplication-Id",
        "Upstash-Content-Based-Deduplication",
        "Upstash-Flow-Control-Key",
        "Upstash-Flow-Control-Value",
        "Upstash-Label",
        "Upstash-Redact-Fields",
        "Upstash-Header-Forward",
        "Upstash-Forward-X",
        "Upstash-Forward-",
        "Upstash-Cron",
        "Upstash-Schedule-Id",
        "Upstash-Queue-Name",
        "Upstash-Nonsense",
        "Origin",
        "Expect",
    ]
)
QUERIES = st.sampled_from(
    [
        "messageIds",
        "messageId",
        "dlqIds",
        "count",
        "cursor",
        "state",
        "url",
        "topicName",
        "queueName",
        "scheduleId",
        "label",
        "flowControlKey",
        "fromDate",
        "toDate",
        "responseStatus",
        "callerIp",
        "callerIP",
        "host",
        "path",
        "search",
        "parallelism",
        "rate",
        "period",
        "upstash-delay",
        "upstash-cron",
        "%",
        "",
    ]
)
FIELDS = st.sampled_from(
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
        "seconds",
        "kind",
        "times",
        "dedup_window_s",
        "group_answer",
        "success_status",
        "Upstash-Delay",
        "Upstash-Cron",
    ]
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    ODD,
    VALUES,
    st.sampled_from(["answer", "twice", "duplicate", "object", "201"]),
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4),
    max_leaves=10,
)
BATCH = st.lists(
    st.fixed_dictionaries(
        {"destination": st.sampled_from([*URLS, "g"])},
        optional={
            "headers": st.dictionaries(HEADERS, VALUES | ODD, max_size=3),
            "body": ODD,
            "queue": st.sampled_from(["q", "", "a b"]),
        },
    ),
    max_size=3,
)
ENDPOINTS = st.fixed_dictionaries(
    {"endpoints": st.lists(st.fixed_dictionaries({"url": st.sampled_from(URLS), "name": ODD}), max_size=3)}
)
QUEUE = st.fixed_dictionaries(
    {"queueName": st.just("q"), "parallelism": st.integers(-1, 3), "paused": st.booleans()}
)
BROKEN_JSON = st.sampled_from(
    [
        b"[" * 4000,
        b'{"a":' * 2000,
        b"1" * 5000,
        b"1e400",
        b"[1e400]",
        b"-0.0",
        b"NaN",
        b'[{"destination":"https://a","body":"\\ud800"}]',
        b'[{"destination":"https://\\ud800/","headers":{"Upstash-Label":"\\udfff"}}]',
        b'[{"destination":"https://a","destination":null}]',
        b'[{"destination":"https://a","headers":{"upstash-DELAY":"1s","Upstash-Delay":"2s"}}]',
        b'\xef\xbb\xbf{"seconds":1}',
        b'{"seconds":1e308}',
        b'{"seconds":Infinity}',
        b'{"seconds":true}',
        b'{"endpoints":[{"url":"https://a","name":"\\u0000"}]}',
        b'{"queueName":"q","parallelism":1e9}',
        b'{"queueName":"q","parallelism":99999999999999999999}',
        b'{"messageIds":[[],{},null,1,"a"]}',
        b'{"kind":"answer","times":1e18,"skip":-1}',
        b"\x00",
        b"\xff\xfe",
        '{"seconds": 1}'.encode("utf-16"),
    ]
)
BODIES = st.one_of(
    st.binary(max_size=30),
    BROKEN_JSON,
    st.one_of(JSON, BATCH, ENDPOINTS, QUEUE).map(lambda value: json.dumps(value).encode()),
)


@dataclass(frozen=True, kw_only=True)
class Request:
    """Something like a request; `ID` stands for an id that an earlier answer named."""

    route: str
    url: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    pick: int = 0

    def write(self, token: str) -> bytes:
        method, _, path = self.route.partition(" ")
        known = KNOWN[self.pick % len(KNOWN)]
        query = "&".join(f"{name}={value}" for name, value in self.query.items())
        target = path.replace("URL", self.url) + ("?" + query if query else "")
        target = "".join(c if " " < c < "\x7f" else "".join(f"%{b:02x}" for b in c.encode()) for c in target)
        lines = [f"{method} {target} HTTP/1.1", "Host: x", f"Authorization: Bearer {token}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines.append(f"Content-Length: {len(self.body)}")
        head = "\r\n".join(lines).replace("ID", known) + "\r\n\r\n"
        return head.encode("utf-8", "surrogateescape") + self.body


FLOW = {"Upstash-Flow-Control-Key": "k", "Upstash-Flow-Control-Value": "rate=1, parallelism=1"}
HEADER_MAPS = st.one_of(
    st.dictionaries(HEADERS, VALUES, max_size=3),
    st.dictionaries(HEADERS, ODD, max_size=2),
    st.just(FLOW),
    st.just({"Upstash-Deduplication-Id": "a", "Upstash-Label": "b"}),
    st.just(
        {
            "Upstash-Callback": "http://fails.example/c",
            "Upstash-Retries": "1",
            "Upstash-Failure-Callback": "http://a",
        }
    ),
)
PATHS = [one.partition(" ")[2] for one in ROUTES]
ANY_ROUTE = st.one_of(
    st.builds("{} {}".format, st.sampled_from(METHODS), st.sampled_from(PATHS)),
    st.builds("{} /v2/{}".format, st.sampled_from(METHODS), st.lists(SEGMENTS, max_size=4).map("/".join)),
)
FITTING = {
    "POST /v2/batch": BATCH,
    "POST /v2/queues": QUEUE,
    "POST /v2/topics/g/endpoints": ENDPOINTS,
    "DELETE /v2/topics/g/endpoints": ENDPOINTS,
    "PATCH /v2/topics/g": st.builds(lambda headers: {"headers": headers}, HEADER_MAPS),
    "POST /local/advance": st.builds(lambda seconds: {"seconds": seconds}, st.floats(0, 5000)),
    "POST /local/faults": st.builds(
        lambda kind, more: {"kind": kind} | more,
        st.sampled_from(["answer", "twice", "duplicate", "item-error"]),
        st.dictionaries(
            st.sampled_from(["times", "skip", "status", "items"]), st.sampled_from([0, 1, 2, 404]), max_size=2
        ),
    ),
}


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Mostly a route with what fits it; now and then anything."""
    route = draw(st.sampled_from([*ROUTES, "any"]))
    if route == "any":
        route = draw(ANY_ROUTE)
    fitting = FITTING.get(route, BATCH).map(lambda value: json.dumps(value).encode())
    extra = {}
    if route.startswith("POST /v2/schedules"):
        extra = draw(st.sampled_from([{}, {"Upstash-Cron": "*/5 * * * *", "Upstash-Schedule-Id": "s"}]))
    return Request(
        route=route,
        url=draw(st.sampled_from(URLS)),
        query=draw(st.one_of(st.just({}), st.just({}), st.dictionaries(QUERIES, VALUES | ODD, max_size=2))),
        headers=draw(st.one_of(st.just({}), HEADER_MAPS)) | extra,
        body=draw(st.one_of(fitting, fitting, BODIES)),
        pick=draw(st.integers(0, 19)),
    )


class Errors(logging.Handler):
    """Keeps what is logged as an error: of a request that failed, or a callback of the loop."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def fail_some(delivery: Delivery) -> SinkAnswer:
    return SinkAnswer(status=500 if "fails" in delivery.url else 200, body=b"\xff", took_s=delivery.attempt)


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    errors = Errors()
    logging.getLogger().addHandler(errors)
    with start_server(answer=fail_some, retention=Retention(messages=200, body_bytes=10_000)) as running:
        yield running
        assert running.wait_idle(20)
        count = running.delivery_count
        last = Request(route="DELETE /local/faults", url="", query={}, headers={}, body=b"")
        assert exchange(running, [last]) == [200]
        publish = Request(route="POST /v2/publish/URL", url="https://the.end", query={}, headers={}, body=b"")
        assert exchange(running, [publish])[0] in (200, 201, 202)
        assert running.wait_idle(20)
        assert running.delivery_count == count + 1
    logging.getLogger().removeHandler(errors)
    assert [record.getMessage() for record in errors.records] == []


KNOWN: deque[str] = deque(["none"], maxlen=20)


def remember(answer: Any) -> None:
    """Keep the ids in an answer for later requests."""
    for value in answer if isinstance(answer, list) else [answer]:
        if isinstance(value, dict):
            KNOWN.extend(
                str(value[name]) for name in ("messageId", "dlqId", "scheduleId", "id") if name in value
            )
            for inner in value.values():
                if isinstance(inner, list):
                    remember(inner[:3])


def exchange(server: LocalServer, sequence: list[Request]) -> list[int]:
    """Send requests over one connection, as long as it lasts; return the statuses."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    statuses = []
    with socket.create_connection((host, int(port)), timeout=20) as line, line.makefile("rb") as file:
        for request in sequence:
            line.sendall(request.write(server.token))
            status, answer, closed = read_answer(file)
            statuses.append(status)
            remember(answer)
            if closed:
                break
    return statuses


def read_answer(file: Any) -> tuple[int, Any, bool]:
    status, version, headers = 100, b"", {}
    while status == 100:
        version, word, *_ = file.readline().split()
        status, headers = int(word), {}
        while (row := file.readline().strip()) != b"":
            name, _, value = row.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
    content = file.read(int(headers.get("content-length", 0)))
    assert not content or headers["content-type"].startswith("application/json")
    closed = version == b"HTTP/1.0" or headers.get("connection") == "close"
    return status, json.loads(content) if content else None, closed


ODDITIES = st.sampled_from(
    [
        b"\r\n",
        b"\n",
        b"\r",
        b"\x00",
        b"\xff",
        b" ",
        b"\t",
        b":",
        b"%",
        b"%zz",
        b"/../",
        b"//",
        b"?",
        b"#",
        b"\r\n folded",
        b"\r\nHost: y",
        b"\r\nContent-Length: 5",
        b"\r\nContent-Length: -1",
        b"\r\nTransfer-Encoding: chunked",
        b"\r\nTransfer-Encoding: gzip, chunked",
        b"\r\nExpect: 100-continue",
        b"\r\nExpect: nonsense",
        b"\r\nUpgrade: websocket\r\nConnection: upgrade",
        b"\r\nConnection: \x00",
        b"\r\nAuthorization: Bearer",
        b"\r\nAuthorization: Basic \xff",
        b"\r\nUpstash-Forward-: x",
        b"\r\nUpstash-Not-Before: 99999999999999999999999",
        b"\r\nno colon here",
        b"\r\n: no name",
        b"\r\n\r\n",
        b"GET / HTTP/0.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\n\r\n",
        b"HTTP/1.1",
        b"HTTP/9.9",
        b"a" * 9000,
        b"\xe2\x82\xac",
    ]
)


@st.composite
def mangled(draw: st.DrawFn) -> tuple[Request, list[tuple[float, float, bytes]]]:
    """Something like a request, and where which of its bytes give way to others."""
    cut = st.tuples(st.floats(0, 1), st.sampled_from([0.0, 0.0, 0.01, 0.3]), ODDITIES | st.binary(max_size=8))
    return draw(requests()), draw(st.lists(cut, min_size=1, max_size=4))


def mangle(data: bytes, cuts: list[tuple[float, float, bytes]]) -> bytes:
    for at, share, other in cuts:
        place = round(at * len(data))
        data = data[:place] + other + data[place + round(share * len(data)) :]
    return data


@given(broken=mangled())
@settings(
    deadline=None,
    max_examples=400,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_bytes_make_the_server_fail(
    server: LocalServer, broken: tuple[Request, list[tuple[float, float, bytes]]]
) -> None:
    request, cuts = broken
    host, _, port = server.url.removeprefix("http://").partition(":")
    said = b""
    with socket.create_connection((host, int(port)), timeout=20) as line:
        try:
            line.sendall(mangle(request.write(server.token), cuts))
            line.shutdown(socket.SHUT_WR)
            while part := line.recv(65536):
                said += part
        except (ConnectionResetError, BrokenPipeError):
            pass  # refused while this side was still sending
    # A status line is written by the server alone: in a JSON text its line ends are escaped.
    statuses = re.findall(rb"^HTTP/1\.[01] (\d+) [^\r]*\r$", said, re.MULTILINE)
    assert [status for status in statuses if not b"100" <= status < b"500"] == []


@given(sequence=st.lists(requests(), min_size=1, max_size=12))
@settings(
    deadline=None,
    max_examples=250,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
def test_no_sequence_of_requests_makes_the_server_fail(server: LocalServer, sequence: list[Request]) -> None:
    assert all(status < 500 for status in exchange(server, sequence))
