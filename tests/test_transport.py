"""What goes out, and when nothing has."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from chaos_server import (
    ACCEPTED,
    ChaosServer,
    Peer,
    Script,
    answer,
    answer_and_close,
    closed_port,
    make_certificate,
    serve_tls,
)

from qstash_jobs.boundary import Line
from qstash_jobs.transport import HttpLine, open_line
from qstash_jobs.wire.http import Answer, Headers, Held, Lost, Reply, Request, Unreachable, Untrusted
from qstash_jobs.wire.server import Server, read_server

TOKEN = "sekret-token"
LINES: list[HttpLine] = []


@pytest.fixture(autouse=True)
def _no_line_stays_open() -> Iterator[None]:
    yield
    while LINES:
        LINES.pop().close()


def open_to(
    server: ChaosServer | str, environment: dict[str, str] | None = None, *, deadline_s: float = 5
) -> HttpLine:
    url = server if isinstance(server, str) else server.url
    LINES.append(
        open_line(
            read_server(url), TOKEN, environment=environment or {}, connect_timeout_s=2, deadline_s=deadline_s
        )
    )
    return LINES[-1]


def post(
    target: str = "/v2/publish/https://example.com/", headers: Headers = (), body: bytes = b"{}"
) -> Request:
    return Request(method="POST", target=target, headers=headers, body=body)


def send(line: Line, request: Request | None = None) -> Answer:
    return line.send(request or post(), may_send=lambda: True)


# -- what goes out


@pytest.mark.parametrize(
    "target",
    [
        "/v2/publish/https://example.com/a%2fb%7e?u=%7e",
        "/v2/publish/https://example.com//a//b/../c/./d",
        "/v2/publish/http://[::1]:80/",
        '/v2/publish/https://example.com/?x=[1]|2&y={}^`\\"<>',
        "/v2/publish/https://user:pw@example.com/",
    ],
)
def test_a_target_goes_out_exactly_as_it_is(target: str) -> None:
    with ChaosServer() as server:
        assert isinstance(send(open_to(server), post(target)), Reply)
        assert server.requests[0].startswith(f"POST {target} HTTP/1.1\r\n".encode())


def test_a_request_carries_token_host_and_length_and_nothing_that_is_not_asked_for() -> None:
    with ChaosServer() as server:
        send(open_to(server), post(headers=(("Upstash-Delay", "5s"), ("X-Twice", "1"), ("X-Twice", "2"))))
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
    names = [line.partition(b":")[0] for line in head.split(b"\r\n")[1:]]
    assert names == [
        b"Host", b"User-Agent", b"Accept-Encoding", b"Authorization", b"Content-Length",
        b"Upstash-Delay", b"X-Twice", b"X-Twice",
    ]  # fmt: skip
    assert b"\r\nAuthorization: Bearer sekret-token\r\n" in head
    assert b"\r\nAccept-Encoding: identity\r\n" in head
    assert b"\r\nUser-Agent: qstash-jobs/" in head
    assert f"\r\nHost: 127.0.0.1:{server.port}\r\n".encode() in head
    assert body == b"{}"


def test_a_post_without_a_body_says_that_its_length_is_zero_and_a_get_says_nothing() -> None:
    with ChaosServer() as server:
        line = open_to(server)
        send(line, post(body=b""))
        send(line, Request(method="GET", target="/v2/events?count=1"))
        first, second = server.requests
    assert b"\r\nContent-Length: 0\r\n" in first
    assert b"Content-Length" not in second


def test_head_and_body_leave_in_one_piece() -> None:
    pieces: list[bytes] = []

    def script(peer: Peer) -> None:
        pieces.append(peer.read_packet())
        peer.write(ACCEPTED)

    with ChaosServer(script) as server:
        assert isinstance(send(open_to(server), post(body=b"x" * 10_000)), Reply)
    assert pieces[0].endswith(b"\r\n\r\n" + b"x" * 10_000)


def test_a_large_body_arrives_whole() -> None:
    body = bytes(range(256)) * 40_000
    with ChaosServer() as server:
        assert isinstance(send(open_to(server), post(body=body)), Reply)
        assert server.requests[0].endswith(b"\r\n\r\n" + body)


def test_an_ipv6_server_is_named_in_brackets() -> None:
    try:
        server = ChaosServer(host="::1")
    except OSError:
        pytest.skip("no IPv6 here")
    with server:
        assert isinstance(send(open_to(server)), Reply)
        assert f"\r\nHost: [::1]:{server.port}\r\n".encode() in server.requests[0]


def test_a_server_below_a_path_keeps_it() -> None:
    with ChaosServer() as server:
        send(open_to(server.url + "/qstash/"), post("/v2/batch"))
        assert server.requests[0].startswith(b"POST /qstash/v2/batch HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "request_",
    [
        post("/v2/publish/https://example.com/a b"),
        post("/v2/publish/https://example.com/é"),
        post("/v2/publish/https://example.com/\r\nX: y"),
        post("/v2/publish/https://example.com/\0"),
        post("https://example.com/"),
        post(headers=(("X-A", "b\r\nX-C: d"),)),
        post(headers=(("X-A", "b\0"),)),
        post(headers=(("X-A", "€"),)),
        post(headers=(("X A", "b"),)),
        post(headers=(("", "b"),)),
        post(headers=(("hOST", "b"),)),
        post(headers=(("Content-Length", "3"),)),
        post(headers=(("Transfer-Encoding", "chunked"),)),
        post(headers=(("Authorization", "Basic eA=="),)),
        Request(method="POST /x", target="/"),
        Request(method="", target="/"),
    ],
)
def test_what_cannot_go_out_as_it_is_does_not_go_out(request_: Request) -> None:
    with ChaosServer() as server:
        line = open_to(server)
        with pytest.raises(ValueError, match=r"request|header"):
            send(line, request_)
        assert isinstance(send(line), Reply)
        assert len(server.requests) == 1


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX: y", "é", "a\n"])
def test_a_token_that_cannot_stand_in_a_header_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(ValueError, match="token") as caught:
        open_line(Server(host="127.0.0.1", port=1, secure=False), token, environment={})
    assert not token or token not in str(caught.value)


# -- surely not sent


def test_nothing_is_written_when_the_sender_is_held_back() -> None:
    seen: list[bytes] = []

    def script(peer: Peer) -> None:
        seen.append(peer.read_bytes(1))

    with ChaosServer(script) as server:
        line = open_to(server)
        assert line.send(post(), may_send=lambda: False) == Held()
        line.close()
        server.await_peers(1)
    assert seen == [b""]


def test_a_line_that_was_held_back_can_send() -> None:
    with ChaosServer() as server:
        line = open_to(server)
        assert line.send(post(), may_send=lambda: False) == Held()
        assert isinstance(send(line), Reply)
        assert len(server.peers) == 1


def test_the_sender_is_asked_once_and_only_when_the_line_is_connected() -> None:
    asked: list[int] = []

    with ChaosServer() as server:

        def may_send() -> bool:
            server.await_peers(1)
            asked.append(len(server.requests))
            return True

        assert isinstance(open_to(server).send(post(), may_send=may_send), Reply)
    assert asked == [0]
    with closed_port() as port:
        line = open_to(f"http://127.0.0.1:{port}")
        assert isinstance(line.send(post(), may_send=may_send), Unreachable)
    assert asked == [0]


def test_a_port_where_nobody_listens_is_unreachable() -> None:
    with closed_port() as port:
        line = open_to(f"http://127.0.0.1:{port}")
        expected = Unreachable(reason=f"cannot reach 127.0.0.1:{port}: connection refused")
        assert line.connect() == expected
        assert send(line) == expected


def test_a_host_that_does_not_exist_is_named() -> None:
    found = open_to("https://nothing.invalid").connect()
    assert isinstance(found, Unreachable)
    assert "nothing.invalid" in found.reason


def test_a_server_that_never_shakes_hands_is_unreachable() -> None:
    with ChaosServer(lambda peer: peer.wait(10)) as server:
        line = open_line(
            Server(host="127.0.0.1", port=server.port), TOKEN, environment={}, connect_timeout_s=0.2
        )
        assert line.connect() == Unreachable(
            reason=f"cannot reach 127.0.0.1:{server.port}: no answer within 0.2 s"
        )


def test_a_plain_server_behind_https_is_unreachable() -> None:
    def script(peer: Peer) -> None:
        peer.read_bytes(1)
        peer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with ChaosServer(script) as server:
        found = open_to(f"https://127.0.0.1:{server.port}").connect()
        assert isinstance(found, Unreachable)
        assert found.reason.startswith(f"cannot speak TLS with 127.0.0.1:{server.port}: ")


# -- one connection for many requests


def test_one_connection_serves_many_requests() -> None:
    with ChaosServer() as server:
        line = open_to(server)
        for _ in range(20):
            assert line.connect() is None
            assert isinstance(send(line), Reply)
        assert len(server.peers) == 1


def late_reset(peer: Peer) -> None:
    peer.read_request()
    peer.write(ACCEPTED)
    peer.wait(0.1)
    peer.reset()


@pytest.mark.parametrize("first", [answer_and_close(ACCEPTED), late_reset], ids=["closed", "reset"])
def test_a_connection_that_the_server_ended_between_requests_is_replaced_and_nothing_is_lost(
    first: Script,
) -> None:
    with ChaosServer(first, answer(ACCEPTED)) as server:
        line = open_to(server)
        assert isinstance(send(line), Reply)
        server.peers[0].wait(0.3)
        assert isinstance(send(line), Reply)
        assert len(server.peers) == 2


@pytest.mark.parametrize(
    "response",
    [
        ACCEPTED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        ACCEPTED.replace(b"\r\n\r\n", b"\r\nConnection: x, Close\r\n\r\n"),
        ACCEPTED.replace(b"HTTP/1.1", b"HTTP/1.0"),
        ACCEPTED + b"x",
    ],
)
def test_a_connection_that_may_not_be_used_again_is_not(response: bytes) -> None:
    with ChaosServer(answer(response)) as server:
        line = open_to(server)
        for _ in range(2):
            assert isinstance(send(line), Reply)
        assert [len(peer.requests) for peer in server.peers] == [1, 1]


def test_bytes_that_answer_no_request_are_never_taken_for_the_next_answer() -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.write(ACCEPTED)
        peer.wait(0.1)
        peer.write(ACCEPTED.replace(b"msg_1", b"msg_9"))
        peer.wait_for_farewell()

    with ChaosServer(script, answer(ACCEPTED)) as server:
        line = open_to(server)
        assert isinstance(send(line), Reply)
        server.peers[0].wait(0.3)
        second = send(line)
        assert isinstance(second, Reply)
        assert b"msg_1" in second.body
        assert len(server.peers) == 2


def test_a_closed_line_opens_again() -> None:
    with ChaosServer() as server:
        line = open_to(server)
        line.close()
        assert isinstance(send(line), Reply)
        line.close()
        assert isinstance(send(line), Reply)
        assert len(server.peers) == 2


def test_closing_from_another_thread_ends_an_exchange_at_once() -> None:
    with ChaosServer(Peer.wait_for_farewell) as server:
        line = open_to(server)
        answers: list[Answer] = []
        sender = Thread(target=lambda: answers.append(send(line)))
        sender.start()
        server.await_peers(1)
        while sender.is_alive():
            line.close()
            sender.join(0.05)
        assert isinstance(answers[0], Lost)


# -- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


def trusting(certificate: Path) -> dict[str, str]:
    return {"SSL_CERT_FILE": str(certificate.with_name("certificate.pem"))}


def test_a_certificate_that_nobody_vouches_for_is_untrusted(certificate: Path) -> None:
    with ChaosServer(tls=serve_tls(certificate)) as server:
        line = open_to(server)
        found = line.connect()
        assert isinstance(found, Untrusted)
        assert found.reason.startswith(
            f"certificate of 127.0.0.1:{server.port} is not trusted: self-signed certificate"
        )
        assert found.reason.endswith("; set SSL_CERT_FILE to the certificate of its issuer")
        assert isinstance(send(line), Untrusted)
        assert server.requests == []


def test_a_certificate_named_by_ssl_cert_file_is_trusted_and_the_connection_is_kept(
    certificate: Path,
) -> None:
    with ChaosServer(tls=serve_tls(certificate)) as server:
        line = open_to(server, trusting(certificate))
        for _ in range(3):
            # TLS 1.3 sends tickets after the handshake: they are no reason to connect again
            assert line.connect() is None
            server.peers[0].wait(0.05) if server.peers else server.await_peers(1)
            assert isinstance(send(line), Reply)
        assert len(server.peers) == 1


@pytest.mark.parametrize("length", [0, 1, 30, len(ACCEPTED) - 22, len(ACCEPTED) - 1])
def test_an_answer_cut_under_tls_is_lost_and_the_next_connection_is_good(
    certificate: Path, length: int
) -> None:
    scripts = [answer_and_close(ACCEPTED[:length]), answer(ACCEPTED)]
    with ChaosServer(*scripts, tls=serve_tls(certificate)) as server:
        line = open_to(server, trusting(certificate))
        assert isinstance(send(line), Lost)
        assert isinstance(send(line), Reply)


def test_a_connection_that_the_server_ended_under_tls_is_replaced(certificate: Path) -> None:
    with ChaosServer(answer_and_close(ACCEPTED), answer(ACCEPTED), tls=serve_tls(certificate)) as server:
        line = open_to(server, trusting(certificate))
        assert isinstance(send(line), Reply)
        server.peers[0].wait(0.2)
        assert isinstance(send(line), Reply)
        assert len(server.peers) == 2


def test_closing_from_another_thread_under_tls_ends_an_exchange_at_once(certificate: Path) -> None:
    with ChaosServer(Peer.wait_for_farewell, tls=serve_tls(certificate)) as server:
        line = open_to(server, trusting(certificate))
        assert line.connect() is None
        answers: list[Answer] = []
        sender = Thread(target=lambda: answers.append(send(line)))
        sender.start()
        while sender.is_alive():
            line.close()
            sender.join(0.05)
        assert isinstance(answers[0], Lost)


def test_a_large_body_that_is_refused_before_it_was_read_is_refused_under_tls_too(certificate: Path) -> None:
    def script(peer: Peer) -> None:
        peer.read_bytes(1000)
        peer.write(b"HTTP/1.1 413 Too large\r\nContent-Length: 2\r\n\r\nno")

    with ChaosServer(script, tls=serve_tls(certificate)) as server:
        found = send(open_to(server, trusting(certificate)), post(body=b"x" * 20_000_000))
    assert isinstance(found, Reply)
    assert (found.status, found.body) == (413, b"no")


def test_a_large_body_arrives_whole_under_tls(certificate: Path) -> None:
    body = bytes(range(256)) * 8_000
    with ChaosServer(tls=serve_tls(certificate)) as server:
        assert isinstance(send(open_to(server, trusting(certificate)), post(body=body)), Reply)
        assert server.requests[0].endswith(b"\r\n\r\n" + body)


def test_a_certificate_of_another_host_is_untrusted(tmp_path: Path) -> None:
    other = make_certificate(tmp_path, names=["DNS:other.example"])
    with ChaosServer(tls=serve_tls(other)) as server:
        found = open_to(server, trusting(other)).connect()
    assert isinstance(found, Untrusted)
    assert found.reason.endswith("; is QSTASH_URL right?")


def test_tls_older_than_1_2_is_refused(certificate: Path) -> None:
    old = serve_tls(certificate)
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with ChaosServer(tls=old) as server:
        assert isinstance(open_to(server, trusting(certificate)).connect(), Unreachable | Untrusted)


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_certificate_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    found = open_to("https://127.0.0.1:1", {"SSL_CERT_FILE": str(file)}).connect()
    assert found == Untrusted(reason=f"SSL_CERT_FILE cannot be read as certificates: {file}")


# -- proxies


def tunnel_to(port: int) -> Script:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.write(b"HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n")
        peer.splice(port)

    return script


@pytest.fixture
def qstash(tmp_path: Path) -> tuple[ssl.SSLContext, dict[str, str]]:
    certificate = make_certificate(tmp_path, names=["DNS:qstash.test"])
    return serve_tls(certificate), trusting(certificate)


@pytest.mark.parametrize("setting", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_is_asked_for_a_tunnel_and_never_sees_the_token(
    qstash: tuple[ssl.SSLContext, dict[str, str]], setting: str
) -> None:
    tls, environment = qstash
    with ChaosServer(tls=tls) as server, ChaosServer(tunnel_to(server.port)) as proxy:
        url = f"http://user:p%40ss@127.0.0.1:{proxy.port}"
        line = open_to(f"https://qstash.test:{server.port}", {**environment, setting: url})
        assert isinstance(send(line), Reply)
        assert isinstance(send(line), Reply)
        (asked,) = proxy.requests
        line.close()
    assert asked.startswith(f"CONNECT qstash.test:{server.port} HTTP/1.1\r\n".encode())
    assert b"\r\nProxy-Authorization: Basic dXNlcjpwQHNz\r\n" in asked
    assert TOKEN.encode() not in asked
    assert b"Proxy-Authorization" not in server.requests[0]


@pytest.mark.parametrize(
    ("answered", "kind", "words"),
    [
        (b"HTTP/1.1 407 Who\r\n\r\n", Untrusted, "asks for a user and a password"),
        (b"HTTP/1.1 403 No\r\n\r\n", Unreachable, "refused with status 403"),
        (b"HTTP/1.1 502 No\r\n\r\n", Unreachable, "refused with status 502"),
        (b"", Unreachable, "ended without an answer"),
        (b"SSH-2.0\r\n\r\n", Unreachable, "not an HTTP answer"),
        (b"HTTP/1.1 200 Yes\r\n\r\nmore", Unreachable, "more than its answer"),
    ],
)
def test_a_proxy_that_does_not_help_is_named_and_nothing_was_sent(
    answered: bytes, kind: type[Answer], words: str
) -> None:
    with ChaosServer(answer_and_close(answered)) as proxy:
        url = f"http://user:hidden@127.0.0.1:{proxy.port}"
        found = open_to("https://qstash.test", {"HTTPS_PROXY": url}).connect()
    assert isinstance(found, kind)
    assert isinstance(found, Unreachable | Untrusted)
    assert f"proxy 127.0.0.1:{proxy.port}" in found.reason
    assert words in found.reason
    assert "hidden" not in found.reason


def test_a_proxy_that_drips_is_given_up() -> None:
    with ChaosServer(lambda peer: peer.drip(b"HTTP/1.1 200 " + b"x" * 1000, pause_s=0.05)) as proxy:
        line = open_line(
            read_server("https://qstash.test"),
            TOKEN,
            environment={"HTTPS_PROXY": f"127.0.0.1:{proxy.port}"},
            connect_timeout_s=0.3,
        )
        assert isinstance(line.connect(), Unreachable)


def test_a_proxy_whose_name_cannot_be_looked_up_is_named() -> None:
    name = "x" * 64 + ".test"
    found = open_to("https://qstash.test", {"HTTPS_PROXY": f"http://{name}:1"}).connect()
    assert found == Unreachable(reason=f"no such host {name}")


@pytest.mark.parametrize("url", ["socks5://127.0.0.1:1", "https://127.0.0.1:1", "http://", "http://x:port"])
def test_a_proxy_setting_that_cannot_be_used_is_named(url: str) -> None:
    found = open_to("https://qstash.test", {"HTTPS_PROXY": url}).connect()
    assert isinstance(found, Untrusted)
    assert found.reason.startswith("HTTPS_PROXY ")


@pytest.mark.parametrize("url", ["http://127.0.0.1:{}", "http://localhost:{}"])
def test_a_server_on_this_machine_is_never_reached_through_a_proxy(url: str) -> None:
    with ChaosServer() as server:
        everywhere = dict.fromkeys(["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"], "http://127.0.0.1:1")
        assert isinstance(send(open_to(url.format(server.port), everywhere)), Reply)


@pytest.mark.parametrize(
    "exceptions", ["*", "qstash.test", ".test", "*.test", "a,  QSTASH.test ,b", "qstash.test:443"]
)
def test_no_proxy_names_hosts_that_are_reached_directly(exceptions: str) -> None:
    environment = {"HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": exceptions}
    found = open_to("https://qstash.test", environment).connect()
    assert isinstance(found, Unreachable)
    assert "proxy" not in found.reason


@pytest.mark.parametrize("exceptions", ["", "stash.test", "qstash.test:444", "qstash", ".", ","])
def test_no_proxy_names_no_other_hosts(exceptions: str) -> None:
    environment = {"HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": exceptions}
    found = open_to("https://qstash.test", environment).connect()
    assert isinstance(found, Unreachable)
    assert "through proxy 127.0.0.1:1" in found.reason


# -- the address of QStash


def test_an_address_is_read_with_its_port_and_path() -> None:
    assert read_server("https://QSTASH.upstash.io/") == Server(host="qstash.upstash.io", port=443)
    assert read_server("http://[::1]:8080/x/") == Server(host="::1", port=8080, secure=False, path="/x")
    assert read_server("http://api.localhost").is_local
    assert not read_server("https://qstash.upstash.io").is_local


@pytest.mark.parametrize(
    "url",
    [
        "", "qstash.upstash.io", "ftp://x", "https://", "https:///x", "https://u:p@x", "https://x?y", "https://x#y",
        "http://qstash.upstash.io", "http://10.0.0.1", "https://x:port", "https://a b", "https://é.example",
        "https://x\n", "https://[::1",
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_server(url)
