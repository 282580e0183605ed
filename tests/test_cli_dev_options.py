"""What the options of `dev` do for whoever starts it: each is seen from the outside, by a client of the process."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from qstash import QStash, Receiver

from qstash_jobs.local import DEV_USERS

START_S = 60
"""A start loads some hundred files; a machine with much to do takes its time for them."""


class Dev:
    """A server process, what it printed, and requests to it."""

    def __init__(self, *options: str, cwd: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "qstash_jobs", "dev", "--port", "0", *options],
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "NO_COLOR": "1"},
        )
        assert self.process.stdout is not None
        lines = [self.process.stdout.readline() for _ in range(4)]
        self.settings = dict(re.findall(r"^export (\w+)=(\S+)$", "".join(lines), re.MULTILINE))
        self.url = self.settings["QSTASH_URL"]
        self.token = self.settings["QSTASH_TOKEN"]
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._listen)
        self._reader.start()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line.rstrip("\n"))

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, Any]:
        line = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=20)
        names = {f"Upstash-{name.replace('_', '-')}": value for name, value in headers.items()}
        try:
            line.request(method, path, body, {"Authorization": f"Bearer {self.token}", **names})
            reply = line.getresponse()
            content = reply.read()
        finally:
            line.close()
        return reply.status, json.loads(content) if content else None

    def wait_for(self, what: str) -> str:
        """Wait for a line on stderr."""
        end_s = time.monotonic() + START_S
        while time.monotonic() < end_s:
            found = next((line for line in self.said if what in line), None)
            if found is not None:
                return found
            time.sleep(0.02)
        raise AssertionError(f"{what!r} is not in {self.said}")

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(START_S) == 0
        self._reader.join()
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.process.stdout.close()
        self.process.stderr.close()


@contextmanager
def dev(cwd: Path, *options: str) -> Iterator[Dev]:
    server = Dev(*options, cwd=cwd)
    try:
        yield server
    finally:
        server.end()


def test_what_is_over_is_remembered_as_long_as_retain_says_and_what_waits_always_is(tmp_path: Path) -> None:
    with dev(tmp_path, "--retain", "3") as server:
        waiting = server.ask("POST", "/v2/publish/https://a.example/waits", Delay="1h")[1]["messageId"]
        for number in range(8):
            assert server.ask("POST", f"/v2/publish/https://a.example/{number}")[0] == 200
        server.wait_for("https://a.example/7 200")
        _, page = server.ask("GET", "/v2/logs?state=DELIVERED")
        assert [one["url"][-1] for one in page["logs"]] == ["7", "6", "5"]
        assert server.ask("GET", f"/v2/messages/{waiting}")[1]["url"] == "https://a.example/waits"


@pytest.mark.parametrize("options", [(), ("--sink",)])
def test_without_deliver_and_with_sink_nothing_reaches_its_destination(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as destination, dev(tmp_path, *options) as server:
        url = f"http://127.0.0.1:{destination.getsockname()[1]}/hook"
        assert server.ask("POST", f"/v2/publish/{url}", b"hello")[0] == 200
        server.wait_for(f"POST {url} 200 hello")
        destination.settimeout(0.3)
        with pytest.raises(TimeoutError):
            destination.accept()


def test_with_deliver_it_reaches_its_destination_signed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as destination, dev(tmp_path, "--deliver") as server:
        url = f"http://127.0.0.1:{destination.getsockname()[1]}/hook"
        assert server.ask("POST", f"/v2/publish/{url}", b"hello")[0] == 200
        destination.settimeout(START_S)
        line, _ = destination.accept()
        with line, line.makefile("rb") as file:
            rows = iter(lambda: file.readline().decode().strip(), "")
            headers = dict(row.partition(": ")[::2] for row in rows)
            body = file.read(int(headers["Content-Length"])).decode()
            line.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
        Receiver(
            server.settings["QSTASH_CURRENT_SIGNING_KEY"], server.settings["QSTASH_NEXT_SIGNING_KEY"]
        ).verify(signature=headers["Upstash-Signature"], body=body, url=url)
        server.wait_for(f"POST {url} 201 hello")


def test_a_fast_clock_brings_delays_retries_and_schedules_sooner_in_their_order(tmp_path: Path) -> None:
    options = ("--fast-clock", "36000", "--fault", "answer url=https://a.example/2h status=503 times=1")
    with dev(tmp_path, *options) as server:
        assert server.ask("POST", "/v2/schedules/https://a.example/hourly", Cron="0 * * * *")[0] == 200
        for delay in ("5h", "2h", "9h"):
            assert server.ask("POST", f"/v2/publish/https://a.example/{delay}", Delay=delay)[0] == 200
        server.wait_for("https://a.example/9h 200")
        server.wait_for("https://a.example/hourly 200")
        arrived = [re.search(r"/(\dh) (\d+)", line) for line in server.said]
        assert [(one[1], one[2]) for one in arrived if one] == [
            ("2h", "503"),
            ("2h", "200"),
            ("5h", "200"),
            ("9h", "200"),
        ]


def test_users_of_a_file_have_tokens_and_keys_of_their_own_and_nobody_else_gets_in(tmp_path: Path) -> None:
    users = [
        {"token": "alice", "read_only_token": "looks", "current_key": "sig_a1", "next_key": "sig_a2"},
        {"token": "bob"},
    ]
    (tmp_path / "users.json").write_text(json.dumps(users), encoding="utf-8")
    with dev(tmp_path, "--users", "users.json") as server:
        assert list(server.settings.values())[1:] == ["alice", "sig_a1", "sig_a2"]
        server.wait_for(f"{server.url}/#token=alice")
        assert server.ask("POST", "/v2/publish/https://a.example/hers")[0] == 200
        server.wait_for("https://a.example/hers 200")
        server.token = "looks"
        assert len(server.ask("GET", "/v2/logs?state=DELIVERED")[1]["logs"]) == 1
        assert server.ask("POST", "/v2/publish/https://a.example")[0] == 403
        server.token = "bob"
        assert server.ask("GET", "/v2/logs")[1]["logs"] == []
        assert server.ask("GET", "/v2/keys")[1]["current"].startswith("sig_")
        for stranger in (DEV_USERS[0].token, "alic", "alicea", "Alice", "b\u00f6b"):
            server.token = stranger
            assert server.ask("GET", "/v2/logs")[0] == 401


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[]", "at least one object with a token"),
        ("{", "the users are not JSON"),
        ('[{"token": "a"}, {"token": "a"}]', "two users have the same token"),
        ('[{"token": "a b"}]', "user 1: token is a text without blanks"),
        ('[{"token": "a", "key": "b"}]', "user 1 has a field 'key'"),
        (None, "users.json cannot be read: no such file or directory"),
    ],
)
def test_users_that_cannot_be_are_a_sentence(tmp_path: Path, content: str | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "users.json").write_text(content, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "qstash_jobs", "dev", "--port", "0", "--users", "users.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=START_S,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_users_that_never_come_through_a_pipe_can_be_given_up_with_ctrl_c(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "users")
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "qstash_jobs", "dev", "--port", "0", "--users", "users"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    # The last module that is loaded before the pipe is opened.
    while "qstash_jobs.local.users" not in process.stderr.readline():
        assert process.poll() is None
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert process.wait(START_S) == 130
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()


def test_what_a_delivery_shows_on_the_terminal_is_no_command_to_it_and_no_book(tmp_path: Path) -> None:
    with dev(tmp_path) as server:
        body = b"\x1b[2J\x1b]0;mine\x07\r\n\xe2\x80\xae\xc2\x9b31m"
        for url in ("https://a.example/" + "x" * 50_000, "https://a.example/end"):
            assert server.ask("POST", f"/v2/publish/{url}", body)[0] == 200
        end = server.wait_for("https://a.example/end 200")
        long = server.wait_for("https://a.example/xxx")
        assert len(long) < 900
        assert all(" " <= sign != "\x7f" and sign not in "\x9b\u202e" for sign in long + end)


@pytest.mark.parametrize(
    ("quota", "delay", "size"),
    # wire contract 16
    [("free", 604_800, 1_048_576), ("payg", 31_536_000, 10_485_760), ("fixed", None, 52_428_800)],
)
def test_a_plan_holds_delays_and_sizes(tmp_path: Path, quota: str, delay: int | None, size: int) -> None:
    with dev(tmp_path, "--quota", quota) as server:
        client = QStash(server.token, base_url=server.url, retry=False)
        try:
            assert client.message.publish(url="https://a.example", body=b"x" * size).message_id  # type: ignore[union-attr]
            with pytest.raises(Exception, match=f"quota maxMessageSize exceeded, current limit: {size}"):
                client.message.publish(url="https://a.example", body=b"x" * (size + 1))
            if delay is None:
                assert client.message.publish(url="https://a.example", delay="800d").message_id  # type: ignore[union-attr]
            else:
                assert client.message.publish(url="https://a.example", delay=delay).message_id  # type: ignore[union-attr]
                with pytest.raises(Exception, match=f"quota maxDelay exceeded, current limit: {delay}"):
                    client.message.publish(url="https://a.example", delay=delay + 1)
        finally:
            client.http._client.close()
