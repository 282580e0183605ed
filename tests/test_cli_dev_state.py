"""`dev --state FILE`: what a client was told is accepted outlives the process, whatever ends it."""

import http.client
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from qstash_jobs.local import DEV_USERS

TOKEN = DEV_USERS[0].token
WAIT_S = 60
"""A start costs half a second of a processor, a first one some more, and of a machine on which others work it may get
a tenth."""
ROUNDS = int(os.environ.get("KILL_ROUNDS", "6"))


class Dev:
    """A server process on a state file."""

    def __init__(self, *options: str, prepare: Callable[[], None] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "qstash_jobs", "dev", "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            preexec_fn=prepare,
        )
        assert self.process.stdout is not None
        first = self.process.stdout.readline()
        self.port = int(first.strip().rpartition(":")[2])

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        code = self.process.wait(WAIT_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


def publish(line: http.client.HTTPConnection, url: str, body: str, **headers: str) -> int:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    line.request("POST", f"/v2/publish/{url}", body, {"Authorization": f"Bearer {TOKEN}", **names})
    reply = line.getresponse()
    reply.read()
    return reply.status


class Client(threading.Thread):
    """Publishes as fast as it can until the server is gone; remembers what it was told is accepted."""

    def __init__(self, dev: Dev, url: str, name: str) -> None:
        super().__init__()
        self.dev, self.url, self.prefix = dev, url, name
        self.accepted: list[str] = []

    def run(self) -> None:
        line = self.dev.connect()
        for number in range(1_000_000):
            body = f"{self.prefix}-{number}"
            # Most are delivered at once; some are to come only after the process is dead.
            delay = {"Upstash_Delay": "2s"} if number % 5 == 0 else {}
            try:
                status = publish(line, self.url, body, **delay)
            except (OSError, http.client.HTTPException):
                break
            if status == 200:
                self.accepted.append(body)
        line.close()


@contextmanager
def destination() -> Iterator[tuple[str, Counter[str]]]:
    """A real one, that counts the bodies it got."""
    got: Counter[str] = Counter()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            got[body] += 1
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", got
        finally:
            server.shutdown()
            thread.join()


def test_nothing_that_was_accepted_is_lost_when_the_process_is_killed_again_and_again(tmp_path: Path) -> None:
    options = ("--deliver", "--state", str(tmp_path / "state.db"))
    accepted: set[str] = set()
    moment = random.Random(5)
    with destination() as (url, got):
        for turn in range(ROUNDS):
            dev = Dev(*options)
            clients = [Client(dev, url, f"{turn}-{number}") for number in range(4)]
            for client in clients:
                client.start()
            time.sleep(moment.uniform(0.05, 0.8))
            assert dev.end(signal.SIGKILL) == -signal.SIGKILL
            for client in clients:
                client.join()
                accepted |= set(client.accepted)
        assert len(accepted) > 10 * ROUNDS
        last = Dev(*options)
        try:
            end_s = time.monotonic() + 60
            while accepted - got.keys() and time.monotonic() < end_s:
                time.sleep(0.1)
            assert not accepted - got.keys()
        finally:
            assert last.end(signal.SIGINT) == 0
        # At least once: twice only what was under way when it was killed.
        assert sum(count > 1 for body, count in got.items()) <= 500 * ROUNDS


@pytest.mark.skipif(sys.platform == "darwin", reason="the limit is Linux's")
def test_what_cannot_be_written_is_not_accepted_and_what_was_accepted_stays(tmp_path: Path) -> None:
    state = tmp_path / "state.db"

    def limit_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    dev = Dev("--state", str(state), prepare=limit_files)
    line = dev.connect()
    statuses = [publish(line, "https://a.example", f"{n}" * 20_000, Upstash_Delay="1h") for n in range(60)]
    line.close()
    assert set(statuses) == {200, 503}
    dev.end(signal.SIGKILL)
    again = Dev("--state", str(state))
    line = again.connect()
    line.request("GET", "/v2/logs?count=1000", headers={"Authorization": f"Bearer {TOKEN}"})
    kept = json.loads(line.getresponse().read())["logs"]
    line.close()
    assert again.end(signal.SIGINT) == 0
    assert len(kept) >= statuses.count(200)


def test_it_says_where_what_it_holds_stays_and_refuses_what_excludes_each_other(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "qstash_jobs",
            "dev",
            "--sink",
            "--port",
            "0",
            "--state",
            str(state),
            "--retain",
            "5",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert re.search(r"Ctrl-C ends it, what it holds stays in .*state\.db", process.stderr.readline())
    second = subprocess.run(
        [sys.executable, "-m", "qstash_jobs", "dev", "--port", "0", "--state", str(state)],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
    assert (second.returncode, "is in use by another server" in second.stderr) == (2, True)
    process.send_signal(signal.SIGTERM)
    process.wait(WAIT_S)
    process.stderr.close()
    both = subprocess.run(
        [sys.executable, "-m", "qstash_jobs", "dev", "--virtual-time", "--fast-clock", "2"],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
    assert (both.returncode, "exclude each other" in both.stderr) == (2, True)
