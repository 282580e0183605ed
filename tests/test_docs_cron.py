"""The page about cron and systemd: its commands run as cron and systemd run them, in an environment as bare."""

import configparser
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from chaos_server import ChaosServer, Peer
from doc_blocks import DOCS, read_blocks
from prometheus_client.parser import text_string_to_metric_families

from qstash_jobs.cron import read_cron
from qstash_jobs.local import LocalServer, start_server

PAGE = "cron.md"
PROGRAM = "/opt/qstash-jobs/bin/qstash-jobs"

LINES = [
    line
    for block in read_blocks(PAGE, "crontab")
    for line in block.text.splitlines()
    if not line.startswith("MAILTO=")
]
[WATCHED] = [line for line in LINES if "--metrics-file" in line]
SERVICE, TIMER = read_blocks(PAGE, "ini")
ENV = next(block for block in read_blocks(PAGE, "sh") if block.path == "/etc/qstash-jobs/env")
JOB = next(block for block in read_blocks(PAGE, "yaml") if block.path == "/srv/shop/jobs/digest.yaml")

LOOK = next(block.text for block in read_blocks(PAGE, "sh") if block.text.endswith("qstash-jobs runs\n"))

METRICS = "/var/lib/node_exporter/textfile/shop.prom"

TOO_FAR = "url: https://api.example.com/reminder\ndelay: 400d\n"
"""A job that the local server rejects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The page's folders below another root, with a server that takes the place of QStash."""

    root: Path
    server: LocalServer

    def move(self, text: str) -> str:
        """Write the page's paths as they are on this machine."""
        text = text.replace(PROGRAM, str(Path(sys.executable).with_name("qstash-jobs")))
        for folder in ("/etc/", "/srv/", "/var/"):
            text = text.replace(folder, f"{self.root}{folder}")
        return text

    def write(self, path: str, text: str) -> Path:
        place = Path(self.move(path))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        return place

    def start(self, line: str, **more: str) -> "subprocess.Popen[str]":
        """Start a line of the crontab as cron does."""
        # crontab(5): "%" characters not escaped end the command
        assert "%" not in line.replace("\\%", "")
        return self._start(line.replace("\\%", "%").split(maxsplit=5)[5], more)

    def cron(self, line: str, **more: str) -> tuple[int, str]:
        """Run a line of the crontab; return the exit code, and the mail."""
        return _end(self.start(line, **more))

    def sh(self, command: str) -> tuple[int, str]:
        """Run a command as the user of the crontab."""
        return _end(self._start(command, {}))

    def _start(self, command: str, more: Mapping[str, str]) -> "subprocess.Popen[str]":
        # crontab(5): LOGNAME, HOME and SHELL are set, and a PATH; the command goes to sh
        env = {"HOME": str(self.root), "LOGNAME": "shop", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
        return subprocess.Popen(
            ["/bin/sh", "-c", self.move(command)],
            cwd=self.root,
            env=env | watched() | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def published(self) -> int:
        return sum(request.method != "GET" for request in self.server.requests())


def _end(process: "subprocess.Popen[str]") -> tuple[int, str]:
    mail, _ = process.communicate(timeout=60)
    return process.returncode, mail


def watched() -> Mapping[str, str]:
    """What coverage needs, where these tests run under it."""
    return {name: value for name, value in os.environ.items() if name.startswith("COVERAGE")}


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with start_server(record_requests=True) as server:
        machine = Machine(root=tmp_path, server=server)
        env = machine.move(ENV.text).replace("…", server.token)
        machine.write("/etc/qstash-jobs/env", f"{env}export QSTASH_URL={server.url}\n").chmod(0o600)
        machine.write("/srv/shop/jobs/digest.yaml", JOB.text)
        Path(machine.move(METRICS)).parent.mkdir(parents=True)
        machine.write("/srv/shop/qstash-jobs.yaml", "project: shop\n")
        yield machine


@pytest.mark.parametrize("line", LINES, ids=["key-of-the-file", "key-of-the-command", "watched"])
def test_a_line_of_the_crontab_publishes_once_a_day_and_is_silent(machine: Machine, line: str) -> None:
    assert machine.cron(line) == (0, "")
    assert machine.published() == 1
    assert machine.cron(line) == (0, "")
    assert machine.published() == 1
    assert Path(machine.move("/var/lib/qstash-jobs/ledger.db")).is_file()


def test_the_time_of_a_line_is_one_that_cron_understands() -> None:
    for line in LINES:
        assert read_cron(" ".join(line.split()[:5])).fires()


def test_a_percent_sign_survives_a_cron_that_keeps_the_backslash() -> None:
    [command] = [line.split(maxsplit=5)[5] for line in LINES if "%" in line]
    key = command[command.index('"$(') : command.index(')"') + 2]
    shown = [
        subprocess.run(["/bin/sh", "-c", f"echo {text}"], capture_output=True, text=True, check=True).stdout
        for text in (key, key.replace("\\%", "%"))
    ]
    assert shown[0] == shown[1]


def test_without_the_file_of_the_token_nothing_is_sent_and_the_mail_says_so(machine: Machine) -> None:
    Path(machine.move("/etc/qstash-jobs/env")).unlink()
    code, mail = machine.cron(LINES[0])
    assert code != 0
    assert "/etc/qstash-jobs/env" in mail
    assert machine.published() == 0


def test_what_was_rejected_is_in_the_mail_with_what_to_type_and_is_sent_again(machine: Machine) -> None:
    bad = machine.write("/srv/shop/jobs/reminder.yaml", f"run_key: ${{{{ run.date }}}}\n{TOO_FAR}")
    code, mail = machine.cron(LINES[0])
    assert code == 1
    assert "rejected jobs/reminder:reminder 400 quota maxDelay exceeded" in mail
    assert "qstash-jobs run --continue" in mail
    assert "digest" not in mail
    bad.write_text(bad.read_text().replace("400d", "40d"))
    assert machine.cron(LINES[0]) == (0, "")
    code, runs = machine.sh(LOOK)
    assert code == 0
    assert ["published 1, skipped 1" in runs, "published 1, rejected 1" in runs] == [True, True]


def test_of_two_at_once_the_second_ends_with_7_and_one_that_waits_is_silent(machine: Machine) -> None:
    machine.write("/srv/shop/jobs/digest.yaml", f"{JOB.text}for_each: [{{n: 1}}, {{n: 2}}]\n")
    with machine.start(LINES[0], QSTASH_JOBS_RATE="0.5") as first:
        while not machine.published():
            assert first.poll() is None
        time.sleep(0.5)  # by now the first message is recorded, and the second is not due yet
        os.killpg(first.pid, signal.SIGSTOP)
        try:
            code, mail = machine.cron(LINES[0])
            assert code == 7
            assert "another run of these jobs is under way" in mail
            waiting = machine.start(LINES[0].replace("--quiet", "--quiet --lock-wait 10m"))
        finally:
            os.killpg(first.pid, signal.SIGCONT)
        assert _end(waiting) == (0, "")
        assert _end(first) == (0, "")
    assert machine.published() == 2


def test_the_doctor_looks_at_what_cron_s_user_would_meet(machine: Machine) -> None:
    [command] = [block.text for block in read_blocks(PAGE, "sh") if "doctor" in block.text]
    code, said = machine.sh(command)
    assert code == 0
    assert "good token: QSTASH_TOKEN from the environment, of the account " in said
    assert f"none at {machine.root}/var/lib/qstash-jobs/ledger.db yet" in said
    Path(machine.move("/etc/qstash-jobs/env")).unlink()
    assert machine.sh(command)[0] == 2


def test_a_watched_line_keeps_every_metric_of_the_page_and_tells_a_monitor(machine: Machine) -> None:
    pings: list[tuple[str, str]] = []

    def monitor(peer: Peer) -> None:
        while raw := peer.read_request():
            head, _, body = raw.decode().partition("\r\n\r\n")
            pings.append((head.split(" ")[1], body.strip()))
            peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK")

    with ChaosServer(monitor) as server:
        env = Path(machine.move("/etc/qstash-jobs/env"))
        env.write_text(f"{env.read_text()}QSTASH_JOBS_HEARTBEAT_URL={server.url}/YOUR-UUID\n")
        assert machine.cron(WATCHED) == (0, "")
        machine.write("/srv/shop/jobs/reminder.yaml", TOO_FAR)
        assert machine.cron(WATCHED)[0] == 1
    assert pings == [
        ("/YOUR-UUID/start", ""),
        ("/YOUR-UUID", "exit code 0: published 1"),
        ("/YOUR-UUID/start", ""),
        ("/YOUR-UUID/fail", "exit code 1: rejected 1, skipped 1"),
    ]
    families = list(text_string_to_metric_families(Path(machine.move(METRICS)).read_text()))
    samples = [sample for family in families for sample in family.samples]
    assert {sample.labels["name"] for sample in samples} == {"shop"}
    shown = re.findall(r"^\| `(qstash_jobs_\w+)(?:\{(\w+)\})?`", (DOCS / PAGE).read_text(), re.M)
    assert {(sample.name, *(set(sample.labels) - {"name"})) for sample in samples} == {
        (name, label) if label else (name,) for name, label in shown
    }
    [alerts] = read_blocks(PAGE, "promql")
    assert set(re.findall(r"qstash_jobs_\w+", alerts.text)) <= {name for name, _ in shown}


def read_unit(text: str) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(text)
    return unit


def test_the_service_does_what_systemd_would_start(machine: Machine) -> None:
    service = read_unit(SERVICE.text)["Service"]
    name, path = service["LoadCredential"].split(":")
    credentials, state = machine.root / "credentials", machine.root / "private"
    credentials.mkdir()
    machine.write(path, f"{machine.server.token}\n")
    shutil.copy(machine.move(path), credentials / name)
    # systemd.exec(5): with DynamicUser the state folder is a link to one below /var/lib/private
    state.mkdir()
    link = Path(machine.move(f"/var/lib/{service['StateDirectory']}"))
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(state)
    env = {
        "CREDENTIALS_DIRECTORY": str(credentials),
        "STATE_DIRECTORY": str(link),
        "QSTASH_URL": machine.server.url,
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
    }
    for _ in range(2):
        assert "%" not in service["ExecStart"]
        run = subprocess.run(
            shlex.split(machine.move(service["ExecStart"])),
            env=env | watched(),
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
        assert machine.published() == 1
    assert (state / "ledger.db").is_file()
    [look] = [
        line for block in read_blocks(PAGE, "sh") for line in block.text.splitlines() if "--ledger" in line
    ]
    code, runs = machine.sh(look)
    assert code == 0
    assert "skipped 1" in runs


def test_the_units_say_what_the_page_says_of_them() -> None:
    service, timer = read_unit(SERVICE.text), read_unit(TIMER.text)
    assert service["Service"]["Type"] == "oneshot"
    assert service["Service"]["DynamicUser"] == "yes"
    assert timer["Timer"]["Persistent"] == "true"
    assert timer["Install"]["WantedBy"] == "timers.target"
    assert [SERVICE.path, TIMER.path] == [
        "/etc/systemd/system/qstash-jobs-shop.service",
        "/etc/systemd/system/qstash-jobs-shop.timer",
    ]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
def test_systemd_finds_nothing_wrong_with_the_units(machine: Machine) -> None:
    units = [machine.write(block.path or "", machine.move(block.text)) for block in (SERVICE, TIMER)]
    found = subprocess.run(
        ["systemd-analyze", "verify", *map(str, units)], capture_output=True, text=True, timeout=60
    )
    assert (found.returncode, found.stderr) == (0, "")
