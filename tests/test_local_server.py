"""The local server as a thing in a program: it starts, stops, records, delivers for real, and stays bounded."""

import gc
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from qstash import Receiver

from qstash_jobs.errors import UsageError
from qstash_jobs.local import FREE, Delivery, LocalServer, Retention, SinkAnswer, Switches, start_server


def call(
    server: LocalServer, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> Any:
    with closing(HTTPConnection(server.url.removeprefix("http://"))) as connection:
        connection.request(method, path, body, {"Authorization": f"Bearer {server.token}"} | (headers or {}))
        reply = connection.getresponse()
        content = reply.read()
        return reply.status, json.loads(content) if content else None


def publish(server: LocalServer, url: str, body: bytes = b"x", **settings: str) -> Any:
    headers = {f"Upstash-{name.replace('_', '-')}": value for name, value in settings.items()}
    return call(server, "POST", f"/v2/publish/{url}", body, headers)


def test_it_listens_on_loopback_only_and_knows_the_public_development_credentials() -> None:
    with start_server() as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert server.token == "eyJVc2VySUQiOiJkZWZhdWx0VXNlciIsIlBhc3N3b3JkIjoiZGVmYXVsdFBhc3N3b3JkIn0="
        assert server.current_signing_key == "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r"
        assert server.next_signing_key == "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs"


def test_development_users_do_not_see_each_other() -> None:
    other = {"Authorization": "Bearer eyJVc2VySUQiOiJ0ZXN0VXNlcjEiLCJQYXNzd29yZCI6InRlc3RQYXNzd29yZCJ9"}
    with start_server() as server:
        publish(server, "https://example.com", Deduplication_Id="a")
        assert server.wait_idle(5)
        assert call(server, "GET", "/v2/events", headers=other)[1]["events"] == []
        assert (
            call(server, "GET", "/v2/keys", headers=other)[1]["current"] == "sig_7GVPjvuwsfqF65iC8fSrs1dfYruM"
        )


def test_it_leaves_no_thread_and_no_socket_behind() -> None:
    before = threading.active_count()
    for _ in range(3):
        with start_server() as server:
            host, _, port = server.url.removeprefix("http://").partition(":")
            idle = socket.create_connection((host, int(port)))
            publish(server, "https://example.com", Delay="1h")
            server.stop()
            server.stop()
            assert idle.recv(1) == b""
            idle.close()
    gc.collect()
    assert threading.active_count() == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


def test_what_was_recorded_can_be_read_after_it_stopped() -> None:
    with start_server(record_requests=True) as server:
        publish(server, "https://example.com/a?b=1", b"\x00\xff", Retries="1")
        assert server.wait_idle(5)
    (delivery,) = server.deliveries()
    assert delivery.body == b"\x00\xff"
    (request,) = server.requests()
    assert (request.method, request.target) == ("POST", "/v2/publish/https://example.com/a?b=1")
    assert ("Upstash-Retries", "1") in request.headers
    assert request.body == b"\x00\xff"
    assert server.wait_idle(0)


def test_a_port_that_is_taken_is_said_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port}"):
            start_server(port=port)
    with pytest.raises(UsageError, match="port 70000"):
        start_server(port=70_000)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(UsageError, match=r"pip install 'qstash-jobs\[local\]'"):
        start_server()


def test_a_group_or_queue_that_the_service_would_refuse_is_refused() -> None:
    with start_server() as server:
        with pytest.raises(UsageError, match="invalid queue name"):
            server.make_queue("a b")
        with pytest.raises(UsageError, match="invalid url group name"):
            server.make_group("a b", {"x": "https://example.com"})


def test_many_threads_may_publish_and_look_at_once() -> None:
    with start_server() as server, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: publish(server, f"https://example.com/{n}"), range(200)))
        list(pool.map(lambda _: server.deliveries(), range(20)))
        assert server.wait_idle(5)
        ids = {answer["messageId"] for _, answer in answers}
        assert ids == {delivery.message_id for delivery in server.deliveries()}
        assert server.delivery_count == len(ids) == 200


def test_waiting_gives_up_when_it_takes_too_long() -> None:
    with start_server(real_time=True) as server:
        publish(server, "https://example.com", Delay="1h")
        assert not server.wait_idle(0.1)


def test_real_time_follows_the_wall_clock() -> None:
    with start_server(real_time=True) as server:
        started = time.monotonic()
        publish(server, "https://example.com/later", Delay="1s")
        publish(server, "https://example.com/now")
        assert server.wait_idle(5)
        assert 0.9 < time.monotonic() - started < 3
        first, second = server.deliveries()
        assert [first.url, second.url] == ["https://example.com/now", "https://example.com/later"]
        assert 0.9 < (second.at - first.at).total_seconds() < 1.5


def test_old_messages_are_forgotten_and_pending_ones_are_not() -> None:
    with start_server(retention=Retention(messages=10)) as server:
        server.make_queue("held", paused=True)
        _, held = call(server, "POST", "/v2/enqueue/held/https://example.com/held")
        ids = [publish(server, "https://example.com")[1]["messageId"] for _ in range(50)]
        assert server.wait_idle(5)
        events = call(server, "GET", "/v2/events?count=1000")[1]["events"]
        assert {event["messageId"] for event in events} <= {*ids[-10:], held["messageId"]}
        assert call(server, "GET", f"/v2/events?messageId={ids[0]}")[1]["events"] == []
        assert len(call(server, "GET", f"/v2/events?messageId={ids[-1]}")[1]["events"]) == 3
        assert call(server, "GET", f"/v2/messages/{held['messageId']}")[0] == 200


def test_dead_letters_are_forgotten_with_their_messages() -> None:
    def fail(_: Delivery) -> SinkAnswer:
        return SinkAnswer(status=500, body=b"x" * 1000)

    with start_server(answer=fail, retention=Retention(body_bytes=20_000)) as server:
        for _ in range(30):
            publish(server, "https://example.com", Retries="0")
        assert server.wait_idle(5)
        letters = call(server, "GET", "/v2/dlq")[1]["messages"]
        assert 0 < len(letters) < 15
        assert all(letter["body"] == "x" for letter in letters)


def test_the_plan_can_be_a_small_one() -> None:
    with start_server(quota=FREE) as server:
        status, answer = publish(server, "https://example.com", Delay="8d")
        assert (status, answer["error"]) == (400, "quota maxDelay exceeded, current limit: 604800")
        server.make_queue("a", 2)
        with pytest.raises(UsageError, match="maxQueueParallelism"):
            server.make_queue("a", 3)


def test_where_the_sources_disagree_a_test_chooses() -> None:
    chosen = Switches(
        success_status=201,
        group_answer="object",
        unknown_queue="refuse",
        cancelled="CANCELLED",
        default_retries=5,
    )
    with start_server(switches=chosen) as server:
        server.make_group("orders", {"one": "https://example.com/1"})
        status, answer = call(server, "POST", "/v2/publish/orders")
        assert (status, [one["url"] for one in answer["messages"]]) == (201, ["https://example.com/1"])
        assert call(server, "POST", "/v2/enqueue/none/https://example.com")[0] == 404
        server.make_queue("held", paused=True)
        _, held = call(server, "POST", "/v2/enqueue/held/https://example.com")
        assert call(server, "GET", f"/v2/messages/{held['messageId']}")[1]["maxRetries"] == 5
        assert call(server, "DELETE", f"/v2/messages/{held['messageId']}")[0] == 202
        assert call(server, "GET", "/v2/events?state=CANCELED")[1]["logs"][0]["state"] == "CANCELLED"


class Hook(BaseHTTPRequestHandler):
    """A destination on this machine."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        # `self.path` has lost one of two leading slashes.
        target = self.requestline.split(" ")[1]
        self.server.seen.append((target, list(self.headers.items()), body))  # type: ignore[attr-defined]
        status, headers = {"/moved": (302, {"Location": "/other"}), "/busy": (503, {"Retry-After": "1"})}.get(
            self.path.partition("?")[0], (200, {"Set-Cookie": "a=b"})
        )
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def destination() -> Iterator[tuple[str, list[tuple[str, list[tuple[str, str]], bytes]]]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.seen = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", server.seen  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()
    thread.join()


def test_with_deliver_messages_go_to_their_real_destinations_unchanged() -> None:
    with destination() as (base, seen), start_server(deliver=True) as server:
        url = f"{base}//a%2Fb|c?x=[1]&y=%7e"
        publish(server, url, b'{"a": 1}', Forward_X="1", Callback=f"{base}/callback", Delay="1h")
        assert server.wait_idle(10)
        (path, pairs, body), (callback, _, report) = seen
        headers = dict(pairs)
        assert (base + path, body) == (url, b'{"a": 1}')
        assert (headers["X"], headers["User-Agent"], headers["Upstash-Retried"]) == (
            "1",
            "Upstash-QStash",
            "0",
        )
        assert not {"Content-Type", "Accept", "Cookie"} & headers.keys()
        receiver = Receiver(server.current_signing_key, server.next_signing_key)
        receiver.verify(signature=headers["Upstash-Signature"], body=body.decode(), url=url)
        assert (callback, json.loads(report)["status"]) == ("/callback", 200)
        assert [d.status for d in server.deliveries()] == [200, 200]


def test_with_deliver_redirects_are_not_followed_and_failures_are_tried_again() -> None:
    with destination() as (base, seen), start_server(deliver=True) as server:
        publish(server, f"{base}/moved", Retries="1")
        publish(server, f"{base}/busy", Retries="2")
        publish(server, f"{base}/get", b"", Method="GET")
        publish(server, "http://127.0.0.1:1/closed", Retries="1")
        assert server.wait_idle(20)
        paths = sorted(path for path, _, _ in seen)
        assert paths == ["/busy", "/busy", "/busy", "/get", "/moved", "/moved"]
        closed = [d for d in server.deliveries() if d.url.endswith("closed")]
        assert [d.status for d in closed] == [0, 0]
        states = {e["state"] for e in call(server, "GET", "/v2/events?state=FAILED")[1]["events"]}
        assert states == {"FAILED"}


def test_it_stops_while_a_destination_keeps_it_waiting() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with start_server(deliver=True) as server:
            publish(server, f"http://127.0.0.1:{silent.getsockname()[1]}/")
            accepted, _ = silent.accept()
            assert not server.wait_idle(0.05)
            started = time.monotonic()
        assert time.monotonic() - started < 3
        accepted.close()


def test_a_destination_that_is_too_slow_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with start_server(deliver=True) as server:
            publish(server, f"http://127.0.0.1:{silent.getsockname()[1]}/", Timeout="1s", Retries="0")
            assert server.wait_idle(5)
            assert [d.status for d in server.deliveries()] == [0]
            event = call(server, "GET", "/v2/events?state=FAILED")[1]["events"][0]
            assert event["error"] == "no answer within 1s"
