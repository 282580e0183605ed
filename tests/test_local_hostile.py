"""While others do their worst to the local server, an honest client's message is accepted and delivered in time."""

import gzip
import json
import logging
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from test_local_safety import ask, connect, receive, request

from qstash_jobs.local import Limits, LocalServer, start_server
from qstash_jobs.local.routes.publish import BATCH_MESSAGES

IN_TIME_S = 8
"""Bounded: without the others it takes a hundredth of a second; the machine may be busy."""

Behave = Callable[[socket.socket], None]


@contextmanager
def destination(behave: Behave) -> Iterator[str]:
    """A destination on this machine: each connection gets one read, and then the behaviour."""
    with socket.create_server(("127.0.0.1", 0), backlog=200) as listening:

        def answer(line: socket.socket) -> None:
            try:
                with line:
                    line.recv(65536)
                    behave(line)
            except OSError:
                return  # the server has left it

        def accept() -> None:
            while True:
                try:
                    line, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(line,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@contextmanager
def honest_client(server: LocalServer) -> Iterator[Callable[[], None]]:
    """Publishes to a destination of its own, and sees the delivery arrive."""
    arrived = threading.Event()

    def take(line: socket.socket) -> None:
        arrived.set()
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with destination(take) as url:

        def work() -> None:
            arrived.clear()
            began = time.monotonic()
            assert ask(server, "POST", f"/v2/publish/{url}/")[0] == 200
            assert arrived.wait(IN_TIME_S)
            assert time.monotonic() - began < IN_TIME_S

        yield work


@pytest.fixture(autouse=True)
def nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What others do wrong is no failure of the server."""
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with start_server(deliver=True, real_time=True, limits=Limits(connections=50)) as running:
        yield running


def go_on(head: bytes, part: bytes, *, pause_s: float = 0.0) -> Behave:
    """Say something, and then the same without an end."""

    def behave(line: socket.socket) -> None:
        line.sendall(head)
        while True:
            line.sendall(part)
            time.sleep(pause_s)

    return behave


def say(text: bytes) -> Behave:
    return lambda line: line.sendall(text)


def reset(line: socket.socket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def keep_silent(line: socket.socket) -> None:
    line.recv(1)


OK = b"HTTP/1.1 200 OK\r\n"
BOMB = gzip.compress(b"0" * 20_000_000)
DESTINATIONS: dict[str, tuple[Behave, str]] = {
    "an endless body": (go_on(OK + b"\r\n", b"x" * 65536), "200"),
    "an endless body in tiny pieces": (
        go_on(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 5000),
        # 1 MiB, or as much as comes within its time
        "",
    ),
    "endless headers": (go_on(OK, b"A: b\r\n" * 1000), "not HTTP"),
    "an endless header": (go_on(OK + b"A: ", b"b" * 65536), "not HTTP"),
    "an endless first line": (go_on(b"HTTP/1.1 200 ", b"b" * 65536), "not HTTP"),
    "a header a letter at a time": (go_on(OK, b"A", pause_s=0.2), "no answer within 2s"),
    "no answer": (keep_silent, "no answer within 2s"),
    "a bomb of gzip": (
        say(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB),
        "200",
    ),
    "a way to a metadata service": (
        say(b"HTTP/1.1 307 x\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"),
        "status 307",
    ),
    "noise": (say(bytes(range(256))), "not HTTP"),
    "nothing": (say(b""), "disconnected"),
    "a reset": (reset, "reset"),
    "a body that breaks off": (say(OK + b"Content-Length: 9\r\n\r\nabc"), "not completed"),
    "a status that is none": (say(b"HTTP/1.1 999999 x\r\n\r\n"), "not HTTP"),
    "a wait that is a number without end": (
        say(b"HTTP/1.1 503 x\r\nRetry-After: " + b"9" * 4000 + b"\r\nContent-Length: 0\r\n\r\n"),
        "status 503",
    ),
    "a wait until a day that is none": (
        say(
            b"HTTP/1.1 503 x\r\nRetry-After: Fri, 99 Dec 99999 23:59:59 GMT\r\nX-RateLimit-Reset: nan\r\n"
            b"Content-Length: 0\r\n\r\n"
        ),
        "status 503",
    ),
    "two lengths": (say(OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi!"), "not HTTP"),
}


def test_a_destination_that_closes_after_each_answer_fails_no_delivery(server: LocalServer) -> None:
    with destination(say(OK + b"Content-Length: 0\r\n\r\n")) as url:
        for _ in range(30):
            options = ("Upstash-Retries: 0", "Upstash-Label: theirs")
            assert ask(server, "POST", f"/v2/publish/{url}/", *options)[0] == 200
        assert server.wait_idle(30)
        assert [event.get("responseStatus") for event in read_ends(server)] == [200] * 30


@pytest.mark.parametrize("name", DESTINATIONS)
def test_a_destination_that_answers_with_it_keeps_nobody_waiting(server: LocalServer, name: str) -> None:
    behave, outcome = DESTINATIONS[name]
    with destination(behave) as url, honest_client(server) as work:
        for _ in range(5):
            options = ("Upstash-Retries: 0", "Upstash-Timeout: 2s", "Upstash-Label: theirs")
            assert ask(server, "POST", f"/v2/publish/{url}/", *options)[0] == 200
        work()
        assert server.wait_idle(30)
        ends = read_ends(server)
        assert len(ends) == 5
        for event in ends:
            said = event.get("error") or str(event.get("responseStatus"))
            assert outcome in said
            assert "\n" not in said


def read_ends(server: LocalServer) -> list[dict[str, Any]]:
    """Read how the messages with the label ended."""
    _, page = ask(server, "GET", "/v2/events?label=theirs&count=100")
    return [one for one in json.loads(page)["events"] if one["state"] in ("DELIVERED", "FAILED")]


def test_a_destination_that_answers_too_much_fills_no_memory() -> None:
    with (
        destination(say(OK + b"Content-Length: 4000000\r\n\r\n" + b"x" * 4_000_000)) as url,
        start_server(deliver=True) as server,
    ):
        for _ in range(3):
            assert ask(server, "POST", f"/v2/publish/{url}/", "Upstash-Label: a")[0] == 200
        assert server.wait_idle(30)
        _, page = ask(server, "GET", "/v2/events?state=DELIVERED")
        # 1 MiB in base64
        assert {len(one["responseBody"]) for one in json.loads(page)["events"]} == {1_398_104}


def send(line: socket.socket, data: bytes) -> None:
    """Send as much as is taken."""
    try:
        line.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        return


def post(server: LocalServer, target: str, *, head: bytes) -> bytes:
    """Write the head of a request that has a body."""
    return request(server, "POST", target).replace(b"Content-Length: 0", head)


def test_more_idle_connections_than_it_takes_keep_nobody_out(server: LocalServer) -> None:
    with ExitStack() as stack, honest_client(server) as work:
        for begin in (b"", b"GET / HTTP/1.1\r\nHost: x\r\nA: "):
            for _ in range(120):
                line = stack.enter_context(connect(server))
                send(line, begin)
            work()


@pytest.mark.parametrize(
    "begin",
    [b"GET / HTTP/1.1\r\nHost: x\r\nA: ", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n"],
)
def test_clients_that_send_a_letter_at_a_time_keep_nobody_out(server: LocalServer, begin: bytes) -> None:
    ended = threading.Event()
    with ExitStack() as stack, honest_client(server) as work:
        lines = [stack.enter_context(connect(server)) for _ in range(60)]
        for line in lines:
            send(line, begin)

        def drip() -> None:
            while not ended.wait(0.1):
                for line in lines:
                    send(line, b"A")

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            for _ in range(3):
                work()
        finally:
            ended.set()
            dripping.join()


def test_clients_that_take_no_answer_keep_nobody_out() -> None:
    limits = Limits(connections=5)
    with (
        start_server(deliver=True, real_time=True, limits=limits) as server,
        ExitStack() as stack,
        honest_client(server) as work,
    ):
        server.make_queue("held", paused=True)
        with connect(server) as line:
            body = b"x" * 3_000_000
            head = post(server, "/v2/enqueue/held/https://a.b", head=b"Content-Length: %d" % len(body))
            line.sendall(head + body)
            assert receive(line)[0] == 200
        for _ in range(5):
            line = stack.enter_context(connect(server))
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            send(line, request(server, "GET", "/v2/events"))
        work()


def test_a_client_that_sends_request_upon_request_without_reading_keeps_nobody_waiting(
    server: LocalServer,
) -> None:
    one = request(server, "GET", "/v2/queues").replace(b"Connection: close\r\n", b"")
    with connect(server) as line, honest_client(server) as work:
        line.settimeout(None)
        flood = threading.Thread(target=send, args=(line, one * 100_000))
        flood.start()
        for _ in range(3):
            work()
        line.shutdown(socket.SHUT_RDWR)
        flood.join()


CHUNKED = b"Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    ("head", "body", "status"),
    [
        (b"Content-Length: 99999999999", b"x", 413),
        (CHUNKED, (b"100000\r\n" + b"x" * 0x100000 + b"\r\n") * 101, 413),
        (CHUNKED, b"-1\r\nx", 400),
        (CHUNKED, b"1z\r\nx", 400),
        (CHUNKED, b"1\r\nxyz\r\n", 400),
        (CHUNKED, b"0\r\n" + b"T: x\r\n" * 2_000, 400),
        (CHUNKED, b"1\r\nx\r\n" * 50_000 + b"0\r\n\r\n", 200),
        (CHUNKED + b"\r\nContent-Length: 3", b"0\r\n\r\n", 400),
        (b"Content-Length: 3\r\nContent-Length: 4", b"abcd", 400),
        (b"Content-Length: -3", b"abcd", 400),
        (b"Content-Length: 3, 3", b"abc", 400),
    ],
)
def test_a_body_that_is_a_trap_is_answered_and_harms_nobody(
    server: LocalServer, head: bytes, body: bytes, status: int
) -> None:
    with connect(server) as line, honest_client(server) as work:
        send(line, post(server, "/v2/publish/http://127.0.0.1:1/", head=head) + body)
        work()
        try:
            assert receive(line)[0] == status
        except ConnectionResetError:
            # It was answered and left while this side was still sending.
            assert len(body) > 10_000
        finally:
            assert len(server.messages()) == 1 + (status == 200)


@pytest.mark.parametrize(
    "head", [CHUNKED + b"\r\n\r\nFFFFFFFFFFFFFFF0\r\nx", b"Content-Length: 50\r\n\r\nabc", b"Content-Len"]
)
def test_a_client_that_leaves_in_the_middle_is_forgotten(server: LocalServer, head: bytes) -> None:
    with honest_client(server) as work:
        for leave in (reset, lambda line: line.shutdown(socket.SHUT_WR), lambda line: None):
            for _ in range(20):
                line = connect(server)
                send(line, request(server, "POST", "/v2/batch").partition(b"Content-Length")[0] + head)
                leave(line)
                line.close()
        work()
        _, page = ask(server, "GET", "/v2/events")
        assert {one["url"] for one in json.loads(page)["events"]} == {server.messages()[0].url}


def test_a_batch_is_no_larger_than_what_others_can_wait_for(server: LocalServer) -> None:
    def batch(destination: str, count: int) -> tuple[int, bytes]:
        body = json.dumps([{"destination": destination, "headers": {"Upstash-Delay": "1d"}}] * count).encode()
        with connect(server) as line:
            line.sendall(post(server, "/v2/batch", head=b"Content-Length: %d" % len(body)) + body)
            return receive(line)

    server.make_group("pair", {"a": "https://a.example", "b": "https://b.example"})
    refused = (400, b'{"error":"invalid body: a batch of more than %d messages"}' % BATCH_MESSAGES)
    assert batch("https://a.example", BATCH_MESSAGES + 1) == refused
    assert batch("pair", BATCH_MESSAGES // 2 + 1) == refused
    assert server.messages() == []
    assert batch("pair", 2)[0] == 200
    assert len(server.messages()) == 4
