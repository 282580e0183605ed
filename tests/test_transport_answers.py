"""What comes back, cut, broken and hostile: complete, or lost, and never anything between."""

import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from time import monotonic

import pytest
from chaos_server import ACCEPTED, ChaosServer, Peer, Script, answer, answer_and_close, answer_and_reset
from hypothesis import given, settings
from hypothesis import strategies as st

from qstash_jobs.outcome import Published, Unknown
from qstash_jobs.transport import HttpLine, open_line
from qstash_jobs.transport.answer import AnswerReader
from qstash_jobs.transport.arrived import BrokenAnswerError
from qstash_jobs.wire.http import ANSWER_BYTES, Answer, Lost, Reply, Request
from qstash_jobs.wire.reply import read_publish
from qstash_jobs.wire.server import read_server

TOKEN = "sekret-token"
LINES: list[HttpLine] = []
NOW = datetime(2026, 1, 2, tzinfo=UTC)
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'5\r\n{"mes\r\n10;x=y\r\nsageId":"msg_1"}\r\n0\r\nX-T: 1\r\n\r\n'
)
UNTIL_CLOSE = b'HTTP/1.1 200 OK\r\n\r\n{"messageId":"msg_1"}'


@pytest.fixture(autouse=True)
def _no_line_stays_open() -> Iterator[None]:
    yield
    while LINES:
        LINES.pop().close()


def open_to(server: ChaosServer, *, deadline_s: float = 5) -> HttpLine:
    LINES.append(open_line(read_server(server.url), TOKEN, environment={}, deadline_s=deadline_s))
    return LINES[-1]


def send(line: HttpLine, body: bytes = b"{}") -> Answer:
    return line.send(Request(method="POST", target="/v2/publish/https://x", body=body), may_send=lambda: True)


def send_to(script: Script, *, deadline_s: float = 5) -> Answer:
    with ChaosServer(script) as server:
        return send(open_to(server, deadline_s=deadline_s))


def is_published(found: Answer) -> bool:
    outcome = read_publish(found, group=False, now=NOW)
    assert isinstance(outcome, Published | Unknown)
    return isinstance(outcome, Published)


# -- cut


@pytest.mark.parametrize("good", [ACCEPTED, CHUNKED, UNTIL_CLOSE], ids=["length", "chunked", "until-close"])
@pytest.mark.parametrize("end", [answer_and_close, answer_and_reset], ids=["fin", "rst"])
def test_an_acceptance_cut_at_any_byte_is_in_doubt_and_only_the_whole_one_is_published(
    good: bytes, end: Callable[[bytes], Script]
) -> None:
    with ChaosServer(*(end(good[:length]) for length in range(len(good)))) as server:
        line = open_to(server)
        for length in range(len(good)):
            assert not is_published(send(line)), good[:length]
    assert is_published(send_to(answer_and_close(good)))


@pytest.mark.parametrize("end", [Peer.close, Peer.reset], ids=["fin", "rst"])
def test_a_server_that_ends_anywhere_within_the_request_leaves_it_in_doubt(
    end: Callable[[Peer], None],
) -> None:
    def cut_after(count: int) -> Script:
        def script(peer: Peer) -> None:
            peer.read_bytes(count)
            end(peer)

        return script

    with ChaosServer(*(cut_after(count) for count in range(1, 150, 7))) as server:
        line = open_to(server)
        for _ in range(1, 150, 7):
            assert isinstance(send(line), Lost)


def test_a_server_that_ends_within_a_large_body_leaves_it_in_doubt() -> None:
    def script(peer: Peer) -> None:
        peer.read_bytes(100_000)
        peer.reset()

    with ChaosServer(script) as server:
        found = send(open_to(server), b"x" * 20_000_000)
    assert isinstance(found, Lost)


def test_a_large_body_that_is_refused_before_it_was_read_is_refused_and_not_in_doubt() -> None:
    def script(peer: Peer) -> None:
        peer.read_bytes(1000)
        peer.write(b"HTTP/1.1 413 Too large\r\nContent-Length: 2\r\n\r\nno")

    with ChaosServer(script) as server:
        found = send(open_to(server), b"x" * 20_000_000)
    assert found == Reply(status=413, headers=(("Content-Length", "2"),), body=b"no")


def test_an_acceptance_of_a_body_that_was_not_read_is_in_doubt() -> None:
    def script(peer: Peer) -> None:
        peer.read_bytes(1000)
        peer.write(ACCEPTED)

    with ChaosServer(script) as server:
        found = send(open_to(server), b"x" * 20_000_000)
    assert isinstance(found, Lost)
    assert found.status == 200


# -- slow and endless


def drip(peer: Peer) -> None:
    peer.read_request()
    peer.drip(ACCEPTED, pause_s=0.05)


def drip_headers(peer: Peer) -> None:
    peer.read_request()
    peer.drip(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000, pause_s=0.02)


def drip_continues(peer: Peer) -> None:
    peer.read_request()
    peer.drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 100, pause_s=0.02)


def hang(peer: Peer) -> None:
    peer.read_request()
    peer.wait(10)


def never_read(peer: Peer) -> None:
    peer.wait(10)


@pytest.mark.parametrize("script", [drip, drip_headers, drip_continues, hang, never_read])
def test_an_exchange_ends_at_its_deadline_however_slow_the_server(script: Script) -> None:
    with ChaosServer(script) as server:
        line = open_to(server, deadline_s=0.5)
        assert line.connect() is None
        began_s = monotonic()
        found = send(line, b"x" * 20_000_000 if script is never_read else b"{}")
        assert monotonic() - began_s < 2
    assert isinstance(found, Lost)
    assert found.reason.startswith(f"127.0.0.1:{server.port}: ")


def flood_after(head: bytes, filling: bytes) -> Script:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.write(head)
        peer.flood(filling * (65536 // len(filling)))

    return script


@pytest.mark.parametrize(
    "script",
    [
        flood_after(b"HTTP/1.1 200 OK\r\n\r\n", b" "),
        flood_after(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b" "),
        flood_after(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        flood_after(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b" " * 4096 + b"\r\n"
        ),
        flood_after(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
        flood_after(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
        flood_after(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        flood_after(b"HTTP/1.1 200 OK\r\nX: ", b" "),
        flood_after(b"", b"x"),
    ],
)
def test_an_endless_answer_is_given_up_within_little_memory(script: Script) -> None:
    with ChaosServer(script) as server:
        line = open_to(server, deadline_s=20)
        assert line.connect() is None
        tracemalloc.start()
        try:
            found = send(line)
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert isinstance(found, Lost)
    assert peak_bytes < 5 * 1024 * 1024


def test_an_answer_may_be_as_long_as_the_request_says() -> None:
    body = b" " * (ANSWER_BYTES + 1)
    response = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    with ChaosServer(answer(response)) as server:
        line = open_to(server)
        patient = Request(method="GET", target="/v2/events", answer_bytes=len(body))
        assert isinstance(send(line), Lost)
        assert line.send(patient, may_send=lambda: True) == Reply(
            status=200, headers=(("Content-Length", str(len(body))),), body=body
        )


# -- not what was asked for


def test_an_informational_answer_is_lost_and_does_not_shift_the_answers() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ACCEPTED.replace(b"msg_1", b"msg_9")
    with ChaosServer(answer(early), answer(ACCEPTED)) as server:
        line = open_to(server)
        first = send(line)
        assert isinstance(first, Lost)
        assert first.status == 103
        second = send(line)
        assert isinstance(second, Reply)
        assert b"msg_1" in second.body


def test_a_redirect_is_an_answer_and_is_never_followed() -> None:
    with ChaosServer() as other:
        moved = f"HTTP/1.1 302 Found\r\nLocation: {other.url}/x\r\nContent-Length: 0\r\n\r\n".encode()
        found = send_to(answer(moved))
        assert isinstance(found, Reply)
        assert (found.status, found.header("location")) == (302, f"{other.url}/x")
        assert other.peers == []


BROKEN = [
    b"garbage\r\n\r\n",
    b"\x15\x03\x01\x00\x02\x02\x46\r\n\r\n",
    b"HTTP/2 200\r\n\r\n",
    b"HTTP/1.1 20 OK\r\n\r\n",
    b"HTTP/1.1 2000 OK\r\n\r\n",
    b"HTTP/1.1  200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
]


@pytest.mark.parametrize("response", BROKEN)
def test_an_answer_that_breaks_the_rules_is_lost_and_ends_the_connection(response: bytes) -> None:
    with ChaosServer(answer(response), answer(ACCEPTED)) as server:
        line = open_to(server)
        assert isinstance(send(line), Lost)
        assert isinstance(send(line), Reply)
        assert len(server.peers) == 2


def test_no_answer_holds_the_token() -> None:
    for script in (
        answer_and_close(b""),
        answer_and_close(ACCEPTED[:-1]),
        answer_and_reset(b"x"),
        answer(b"x\r\n\r\n"),
    ):
        assert TOKEN not in repr(send_to(script))


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_an_answer_without_a_body_does_not_wait_for_one(status: bytes) -> None:
    with ChaosServer(answer(b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\n", ACCEPTED)) as server:
        line = open_to(server)
        first = send(line)
        assert isinstance(first, Reply)
        assert first.body == b""
        assert is_published(send(line))
        assert len(server.peers) == 1


def test_a_repeated_length_that_says_the_same_is_one_length() -> None:
    found = send_to(answer(ACCEPTED.replace(b"\r\n\r\n", b"\r\ncontent-length: 21\r\n\r\n")))
    assert is_published(found)


# -- the reader alone


def read(data: bytes, sizes: list[int]) -> Reply | str:
    """Read what comes in pieces of these sizes, over and over, and then ends."""

    def pieces() -> bytes:
        nonlocal data
        size = sizes[0]
        sizes.append(sizes.pop(0))
        piece, data = data[:size], data[size:]
        return piece

    reader = AnswerReader(method="POST", body_bytes=1000)
    try:
        while (reply := reader.feed(pieces())) is None:
            pass
    except BrokenAnswerError as error:
        return str(error)
    return reply


sizes = st.lists(st.integers(1, 40), min_size=1, max_size=5)


@settings(deadline=None, max_examples=300)
@given(good=st.sampled_from([ACCEPTED, CHUNKED, UNTIL_CLOSE, *BROKEN]), sizes=sizes)
def test_how_an_answer_was_cut_into_packets_makes_no_difference(good: bytes, sizes: list[int]) -> None:
    assert read(good, sizes) == read(good, [len(good)])


alphabet = [
    b"HTTP/1.1 200 OK\r\n",
    b"Content-Length: ",
    b"Transfer-Encoding: chunked",
    b"\r\n",
    b"\r\n\r\n",
    b"5",
    b"0",
    b":",
]


@settings(deadline=None, max_examples=500)
@given(
    data=st.lists(st.sampled_from(alphabet) | st.binary(max_size=5), max_size=12).map(b"".join), sizes=sizes
)
def test_any_bytes_are_an_answer_or_broken_and_nothing_else(data: bytes, sizes: list[int]) -> None:
    assert isinstance(read(data, sizes), Reply | str)
