"""The local server harms nobody, and nobody harms it: addresses, browsers, clients, destinations without manners."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from qstash_jobs.errors import UsageError
from qstash_jobs.local import Limits, LocalServer, start_server
from qstash_jobs.local.reach import ClosedAddressError, Resolver, check_address


def connect(server: LocalServer) -> socket.socket:
    host, _, port = server.url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def request(server: LocalServer, method: str, target: str, *headers: str) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", f"Authorization: Bearer {server.token}", *headers]
    if not any(line.startswith("Host:") for line in headers):
        lines.append("Host: x")
    return ("\r\n".join([*lines, "Content-Length: 0", "Connection: close"]) + "\r\n\r\n").encode()


def receive(line: socket.socket) -> tuple[int, bytes]:
    data = b""
    while part := line.recv(65536):
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def ask(server: LocalServer, method: str, target: str, *headers: str) -> tuple[int, bytes]:
    with connect(server) as line:
        line.sendall(request(server, method, target, *headers))
        return receive(line)


def wait_for_a_place(server: LocalServer) -> None:
    """Ask again and again, until it is not refused for want of a place."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if ask(server, "GET", "/v2/queues")[0] == 200:
                return
        except (ConnectionResetError, BrokenPipeError):
            pass  # refused while it was still sending
        time.sleep(0.05)
    raise AssertionError("there was no place")


@contextmanager
def silent_destination() -> Iterator[str]:
    """Takes connections, and never answers."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(200)
        yield f"http://127.0.0.1:{silent.getsockname()[1]}/"


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.0.1",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::169.254.169.254]",
        "[2002:a9fe:a9fe::1]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "168.63.129.16",
        "[::169.254.169.254]",
        "[::ffff:0:169.254.169.254]",
        "[64:ff9b:1::a9fe:a9fe]",
        "user:password@169.254.169.254",
        "169.254.169.254.",
        "2852039166",
        "0xa9fea9fe",
        "169.254.43518",
        "0251.0376.0251.0376",
        "0xA9.254.0251.0xfe",
    ],
)
def test_nothing_is_delivered_to_metadata_and_link_local_addresses(host: str) -> None:
    with start_server(deliver=True) as server:
        status, _ = ask(server, "POST", f"/v2/publish/http://{host}/latest", "Upstash-Retries: 0")
        assert status == 200
        assert server.wait_idle(5)
        _, page = ask(server, "GET", "/v2/events?state=FAILED")
        assert "link-local or a metadata service; not delivered" in json.loads(page)["events"][0]["error"]


@pytest.mark.parametrize("host", ["2852039166", "0xa9fea9fe", "169.254.43518", "0251.0376.0251.0376"])
def test_a_name_that_leads_to_such_an_address_is_no_way_around(host: str) -> None:
    async def resolve() -> None:
        resolver = Resolver()
        try:
            await resolver.resolve(host, 80)
        finally:
            await resolver.close()

    with pytest.raises(ClosedAddressError):
        asyncio.run(resolve())


def test_a_name_of_a_metadata_service_and_one_that_changes_its_mind_are_no_way_around(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    answers = {
        "metadata.google.internal": ["169.254.169.254"],
        "two.example": ["127.0.0.1", "fe80::1"],
        "changes.example": ["127.0.0.1", "169.254.169.254"],
    }
    look_up = socket.getaddrinfo

    def answer(host: str, port: int, *given: object, **options: object) -> list[object]:
        """What a name server says; the last name gets another answer each time."""
        if host not in answers:
            return look_up(host, port, *given, **options)  # type: ignore[arg-type,return-value]
        asked.append(host)
        found = answers[host] if host != "changes.example" else [answers[host][asked.count(host) - 1]]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    with silent_destination() as silent, start_server(deliver=True) as server:
        port = silent.rstrip("/").rpartition(":")[2]
        for host in answers:
            target = f"/v2/publish/http://{host}:{port}/"
            assert ask(server, "POST", target, "Upstash-Retries: 0", "Upstash-Timeout: 1s")[0] == 200
        assert server.wait_idle(10)
        _, page = ask(server, "GET", "/v2/events?state=FAILED")
        errors = {one["url"].split("/")[2].split(":")[0]: one["error"] for one in json.loads(page)["events"]}
    assert "metadata.google.internal is at 169.254.169.254" in errors["metadata.google.internal"]
    assert "two.example is at fe80::1" in errors["two.example"]
    # The connection goes to the address that was looked at; nobody asks again.
    assert errors["changes.example"] == "no answer within 1s"
    assert sorted(asked) == sorted(answers)


def test_a_name_server_that_does_not_answer_keeps_neither_others_waiting_nor_the_program_from_ending() -> (
    None
):
    script = """
import socket, time
from urllib.request import Request, urlopen
from qstash_jobs.local import start_server
look_up = socket.getaddrinfo
def answer(host, *given, **options):
    if host.endswith("silent.example"):
        time.sleep(60)
    return look_up(host, *given, **options)
socket.getaddrinfo = answer
with socket.create_server(("127.0.0.1", 0)) as quick, start_server(deliver=True, real_time=True) as server:
    names = [f"{number}.silent.example" for number in range(60)]
    for name in (*names, f"localhost:{quick.getsockname()[1]}"):
        call = Request(f"{server.url}/v2/publish/http://{name}/", b"", {"Authorization": f"Bearer {server.token}"})
        urlopen(call).close()
    quick.settimeout(20)
    quick.accept()[0].close()
print("ended")
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::ResourceWarning", "-c", script],
        capture_output=True,
        text=True,
        timeout=40,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "::1", "93.184.216.34", "2606:4700::1", "fd00::1"]
)
def test_other_addresses_are_reached(address: str) -> None:
    check_address("a", address)


def test_a_name_is_resolved_and_delivered_to() -> None:
    with socket.socket() as destination, start_server(deliver=True) as server:
        destination.bind(("127.0.0.1", 0))
        destination.listen()
        ask(
            server,
            "POST",
            f"/v2/publish/http://localhost:{destination.getsockname()[1]}/a",
            "Upstash-Retries: 0",
        )
        line, _ = destination.accept()
        with line:
            assert line.recv(65536).startswith(b"POST /a HTTP/1.1\r\nHost: localhost:")
            line.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        assert server.wait_idle(5)
        assert [one.status for one in server.deliveries()] == [204]


def test_whoever_allows_it_reaches_link_local_addresses() -> None:
    with start_server(deliver=True, allow_link_local=True) as server:
        target = "/v2/publish/http://169.254.0.0:1/"
        ask(server, "POST", target, "Upstash-Retries: 0", "Upstash-Timeout: 1s")
        assert server.wait_idle(10)
        _, page = ask(server, "GET", "/v2/events?state=FAILED")
        assert "link-local" not in json.loads(page)["events"][0]["error"]


def test_a_destination_that_never_answers_does_not_hold_the_others_up() -> None:
    with (
        silent_destination() as silent,
        silent_destination() as other,
        start_server(deliver=True, real_time=True) as server,
    ):
        for number in range(120):
            assert ask(server, "POST", f"/v2/publish/{silent}{number}")[0] == 200
        with socket.socket() as quick:
            quick.bind(("127.0.0.1", 0))
            quick.listen()
            quick.settimeout(5)
            ask(server, "POST", f"/v2/publish/http://127.0.0.1:{quick.getsockname()[1]}/")
            line, _ = quick.accept()
            line.close()
        assert other != silent


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((), 200),
        (("Origin: https://evil.example",), 403),
        (("Origin: null",), 403),
        (("Sec-Fetch-Site: cross-site",), 403),
        (("Sec-Fetch-Site: same-site",), 403),
        (("Host: evil.example:8080", "Origin: http://evil.example:8080", "Sec-Fetch-Site: same-origin"), 403),
        (("Host: 127.0.0.1:8080", "Origin: http://127.0.0.1:8080", "Sec-Fetch-Site: same-origin"), 200),
        (("Host: localhost:8080", "Origin: http://localhost:8080"), 200),
        (("Host: [::1]:8080", "Origin: http://[::1]:8080"), 200),
        (("Host: host.docker.internal:8080",), 200),
    ],
)
def test_pages_of_other_sites_cannot_use_the_public_tokens(headers: tuple[str, ...], status: int) -> None:
    with start_server() as server:
        found, _ = ask(server, "POST", f"/v2/publish/https://a.b/?qstash_token={server.token}", *headers)
        assert found == status
        assert server.wait_idle(5)
        assert server.delivery_count == (status == 200)


def test_without_a_word_it_listens_on_one_address_of_this_machine_alone() -> None:
    with start_server() as server:
        port = int(server.url.rpartition(":")[2])
        assert server.url == f"http://127.0.0.1:{port}"
        # On Linux these reach whoever listens on all addresses.
        for address in ("127.0.0.2", "::1"):
            with pytest.raises(OSError):
                socket.create_connection((address, port), timeout=2).close()


def test_an_empty_address_to_listen_on_is_not_all_of_them() -> None:
    for host in ("", " "):
        with pytest.raises(UsageError, match=r"the host to listen on is empty: .* or say 0\.0\.0\.0 for all"):
            start_server(host=host)


def test_it_listens_where_it_is_told() -> None:
    with start_server(host="0.0.0.0") as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert ask(server, "GET", "/v2/queues")[0] == 200
    with start_server(host="localhost") as server:
        assert server.url.startswith("http://localhost:")
    with pytest.raises(UsageError, match=r"cannot listen on no-such-host\.invalid, port 0: "):
        start_server(host="no-such-host.invalid")
    with pytest.raises(UsageError, match=r"cannot listen on 203\.0\.113\.1, port 0: "):
        start_server(host="203.0.113.1")


def test_more_connections_than_are_being_answered_are_refused_until_one_ends() -> None:
    with start_server(limits=Limits(connections=2)) as server:
        server.add_fault("delay", seconds=1, on="queues", times=2)
        first, second = connect(server), connect(server)
        for line in (first, second):
            line.sendall(request(server, "GET", "/v2/queues"))
        time.sleep(0.2)
        with connect(server) as third:
            assert receive(third) == (503, b'{"error":"too many connections"}')
        for line in (first, second):
            assert receive(line)[0] == 200
            line.close()
        wait_for_a_place(server)


def test_a_client_that_comes_back_keeps_its_place_when_others_only_stand_around() -> None:
    with start_server(limits=Limits(connections=10)) as server, connect(server) as regular:
        again = request(server, "GET", "/v2/queues").replace(b"Connection: close\r\n", b"")
        idle: list[socket.socket] = []
        for _ in range(5):
            regular.sendall(again)
            assert regular.recv(65536).startswith(b"HTTP/1.1 200")
            idle += [connect(server) for _ in range(20)]
        for line in idle:
            line.close()


@pytest.mark.parametrize("sent", [b"", b"GET /v2/que", b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n"])
def test_a_client_that_dawdles_is_left(sent: bytes) -> None:
    with start_server(limits=Limits(connections=1, idle_s=0.3)) as server:
        with connect(server) as line:
            line.sendall(sent)
            assert line.recv(65536) == b""
        assert ask(server, "GET", "/v2/queues")[0] == 200


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    with start_server(limits=Limits(body_s=0.2)) as server, connect(server) as line:
        line.sendall(request(server, "POST", "/v2/batch").replace(b"Length: 0", b"Length: 9"))
        assert receive(line)[0] == 408


def test_a_client_that_does_not_take_its_answer_is_left() -> None:
    with start_server(limits=Limits(connections=1, answer_s=0.3)) as server:
        server.make_queue("held", paused=True)
        with connect(server) as line:
            body = b"x" * 9_000_000
            head = request(server, "POST", "/v2/enqueue/held/https://a.b", "Upstash-Label: big")
            head = head.replace(b"Content-Length: 0\r\nConnection: close", b"Content-Length: %d" % len(body))
            line.sendall(head + body)
            assert line.recv(65536).startswith(b"HTTP/1.1 200")
            line.sendall(request(server, "GET", "/v2/events"))
            wait_for_a_place(server)
            # It was left in the middle: what is still to be read is less than the whole.
            assert len(take_all(line)) < 20_000_000


def take_all(line: socket.socket) -> bytes:
    data = b""
    try:
        while part := line.recv(1 << 20):
            data += part
    except ConnectionResetError:
        return data
    return data


def test_a_head_that_does_not_end_is_refused() -> None:
    with start_server() as server, connect(server) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        try:
            for number in range(400):
                line.sendall(b"A%d: " % number + b"b" * 10_000 + b"\r\n")
            status, body = receive(line)
        except (BrokenPipeError, ConnectionResetError):
            pass
        else:
            assert (status, b"the head is larger" in body) == (431, True)
        assert ask(server, "GET", "/v2/queues")[0] == 200
