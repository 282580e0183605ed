"""A run that nobody watches tells a monitor, a metrics file and a log how it went; none of them can make it fail."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chaos_server import ChaosServer, Peer, make_certificate, serve_tls
from prometheus_client.parser import text_string_to_metric_families

from qstash_jobs.local import start_server
from qstash_jobs.local.world.quota import FREE

HELLO = "url: https://api.example.com/hello\n"
TOO_FAR = HELLO + "delay: 30d\n"
SECRET_PATH = "/ping/5f0c-secret-uuid"

Ping = tuple[str, str]


class Monitor:
    """A monitor on this machine: what it was told, as pairs of target and body."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK") -> None:
        self.pings: list[Ping] = []
        self.heads: list[str] = []
        self.answer = answer

    def __call__(self, peer: Peer) -> None:
        while raw := peer.read_request():
            head, _, body = raw.decode().partition("\r\n\r\n")
            self.heads.append(head)
            self.pings.append((head.split(" ")[1], body.strip()))
            if self.answer:
                peer.write(self.answer)


@pytest.fixture
def free(cli) -> Iterator[None]:
    """A server that refuses long delays."""
    with start_server(record_requests=True, quota=FREE) as server:
        cli.use(server)
        yield


@pytest.fixture
def watch(cli) -> Iterator[Callable[..., Monitor]]:
    """Start a monitor that every run tells."""
    started: list[ChaosServer] = []

    def start(*answer: bytes) -> Monitor:
        monitor = Monitor(*answer)
        server = ChaosServer(monitor)
        server.__enter__()
        started.append(server)
        cli.set("QSTASH_JOBS_HEARTBEAT_URL", f"{server.url}{SECRET_PATH}")
        return monitor

    yield start
    for server in started:
        server.__exit__(None, None, None)


def test_a_monitor_is_told_of_start_and_success(cli, watch) -> None:
    monitor = watch()
    cli.write("hello.yaml", HELLO)
    assert cli("run", "--quiet", "hello.yaml").err == ""
    [start, end] = monitor.pings
    assert start == (f"{SECRET_PATH}/start", "")
    assert end == (SECRET_PATH, "exit code 0: published 1")
    assert cli.server.token not in "".join(monitor.heads)


@pytest.mark.parametrize(
    ("job", "words", "said"),
    [
        (TOO_FAR, (), "exit code 1: rejected 1"),
        ("urk: x\n", (), "exit code 2: nothing was sent"),
        (HELLO, ("--max-messages", "0"), "exit code 2: nothing was sent"),
        (HELLO, ("--job", "nope"), "exit code 2: nothing was sent"),
        (HELLO, ("--ledger", "sqlite:///dev/null/ledger.db"), "exit code 6: nothing was sent"),
    ],
)
def test_a_monitor_is_told_of_every_failure(cli, free, watch, job: str, words, said: str) -> None:
    monitor = watch()
    cli.write("job.yaml", job)
    code = cli("run", "job.yaml", *words).code
    assert monitor.pings == [(f"{SECRET_PATH}/start", ""), (f"{SECRET_PATH}/fail", said)]
    assert said.startswith(f"exit code {code}:")


def test_what_stands_behind_the_question_mark_stays_there(cli, watch) -> None:
    monitor = watch()
    cli.write("hello.yaml", HELLO)
    url = os.environ["QSTASH_JOBS_HEARTBEAT_URL"]
    assert cli("run", "hello.yaml", "--heartbeat-url", f"{url}/?create=1").code == 0
    assert [target for target, _ in monitor.pings] == [
        f"{SECRET_PATH}/start?create=1",
        f"{SECRET_PATH}/?create=1",
    ]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "answered 404"),
        (b"HTTP/1.1 301 Moved\r\nLocation: https://example.com\r\nContent-Length: 0\r\n\r\n", "answered 301"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\nOK (not found)", 'answered "OK (not found)"'),
        (b"garbage\r\n\r\n", "what came is not an HTTP answer"),
    ],
)
def test_a_monitor_that_cannot_be_told_is_a_warning_and_no_failure(cli, watch, answer: bytes, reason) -> None:
    watch(answer)
    cli.write("hello.yaml", HELLO)
    answered = cli("run", "--quiet", "hello.yaml")
    assert answered.code == 0
    assert answered.err.startswith("warning: the monitor at 127.0.0.1:")
    assert reason in answered.err
    assert "secret-uuid" not in answered.err
    assert len(answered.err.splitlines()) == 1


def test_a_monitor_that_says_nothing_costs_a_bounded_time(cli, watch, monkeypatch) -> None:
    from qstash_jobs.api import heartbeat

    monkeypatch.setattr(heartbeat, "PATIENCE_S", 1.0)
    watch(b"")
    cli.write("hello.yaml", HELLO)
    began = time.monotonic()
    answered = cli("run", "hello.yaml")
    assert time.monotonic() - began < 6
    assert answered.code == 0
    assert "could not be told" in answered.err


def test_a_monitor_is_told_over_tls_as_far_as_it_can_be_trusted(cli, tmp_path: Path) -> None:
    both = make_certificate(tmp_path)
    monitor = Monitor()
    cli.write("hello.yaml", HELLO)
    with ChaosServer(monitor, tls=serve_tls(both)) as server:
        cli.set("QSTASH_JOBS_HEARTBEAT_URL", f"{server.url}{SECRET_PATH}")
        answer = cli("run", "hello.yaml", "--quiet")
        assert (answer.code, monitor.pings) == (0, [])
        assert "could not be told: certificate of 127.0.0.1:" in answer.err
        cli.set("SSL_CERT_FILE", str(both.with_name("certificate.pem")))
        assert cli("run", "hello.yaml", "--quiet").err == ""
        assert len(monitor.pings) == 2
        cli.set("QSTASH_JOBS_HEARTBEAT_URL", f"https://localhost:{server.port}{SECRET_PATH}")
        answer = cli("run", "hello.yaml", "--quiet")
    assert answer.code == 0
    assert "QSTASH_URL" not in answer.err


@pytest.mark.parametrize(
    "url",
    [
        "http://monitor.example.com/secret-uuid",
        "https://user:secret-uuid@monitor.example.com/x",
        "ftp://monitor.example.com/secret-uuid",
        "secret-uuid",
        "",
        "https:///secret-uuid",
        "https://monitor.example.com/secret uuid",
        "https://monitor.example.com/secret-uuid\r\nX: 1",
        "https://mönitor.example.com/secret-uuid",
        "https://[::1/secret-uuid",
    ],
)
def test_an_address_of_a_monitor_that_cannot_be_used_sends_nothing_and_is_not_shown(cli, url: str) -> None:
    cli.write("hello.yaml", HELLO)
    answer = cli("run", "hello.yaml", "--heartbeat-url", url)
    assert answer.code == 2
    assert answer.err.startswith("qstash-jobs: --heartbeat-url cannot be used: write https://HOST/PATH")
    assert "secret-uuid" not in answer.err
    assert cli.sent == []


def test_a_rehearsal_is_told_to_nobody(cli, watch) -> None:
    monitor = watch()
    cli.write("hello.yaml", HELLO)
    assert cli("run", "--local", "hello.yaml").code == 0
    assert monitor.pings == []
    for words in (("--heartbeat-url", "https://example.com/x"), ("--metrics-file", "m.prom")):
        answer = cli("run", "--local", "hello.yaml", *words)
        assert (answer.code, f"qstash-jobs: {words[0]} tells of what reaches QStash" in answer.err) == (
            2,
            True,
        )
    assert not (cli.folder / "m.prom").exists()


def read(path: Path) -> dict[str, float]:
    """Read metrics as Prometheus does: by name, and by the label that isn't the file's own."""
    samples = {}
    for family in text_string_to_metric_families(path.read_text()):
        assert family.type in ("counter", "gauge")
        assert family.documentation
        for sample in family.samples:
            assert sample.labels.pop("name") == path.name.partition(".")[0]
            samples[" ".join((sample.name.removeprefix("qstash_jobs_"), *sample.labels.values()))] = (
                sample.value
            )
    return samples


def test_metrics_say_how_the_last_run_went_and_count_all_of_them(cli, free) -> None:
    path = cli.folder / "shop.prom"
    began = time.time()
    cli.write("jobs/hello.yaml", HELLO)
    assert cli("run", "jobs", "--metrics-file", path).code == 0
    good = read(path)
    assert good["last_run_exit_code"] == 0
    assert good["last_run_messages published"] == 1
    assert good["last_run_messages rejected"] == 0
    assert 0 < good["last_run_duration_seconds"] < 60
    assert began - 1 < good["last_run_timestamp_seconds"] < time.time() + 1
    assert good["last_success_timestamp_seconds"] == good["last_run_timestamp_seconds"]
    cli.write("jobs/far.yaml", TOO_FAR)
    assert cli("run", "jobs", "--metrics-file", path).code == 1
    assert cli("run", "jobs", "--metrics-file", path, "--max-messages", "1").code == 2
    bad = read(path)
    assert bad["last_success_timestamp_seconds"] == good["last_success_timestamp_seconds"]
    assert bad["last_run_timestamp_seconds"] > good["last_run_timestamp_seconds"]
    assert (bad["last_run_exit_code"], bad["last_run_messages published"]) == (2, 0)
    assert (bad["messages_total published"], bad["messages_total rejected"]) == (2, 1)
    assert [bad[f"runs_total {code}"] for code in (0, 1, 2)] == [1, 1, 1]


def test_a_metrics_file_is_for_other_users_whole_and_alone_in_its_folder(cli) -> None:
    cli.write("hello.yaml", HELLO)
    folder = cli.folder / 'text "file" \\ünder'
    folder.mkdir()
    path = folder / 'sh"op\\.prom'
    before = os.umask(0o077)
    try:
        assert cli("run", "hello.yaml", "--metrics-file", path).code == 0
        assert cli("run", "hello.yaml", "--metrics-file", path).code == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [one.name for one in folder.iterdir()] == [path.name]
    assert read(path)["runs_total 0"] == 2


def test_a_link_to_a_metrics_file_stays_a_link(cli) -> None:
    cli.write("hello.yaml", HELLO)
    (cli.folder / "link.prom").symlink_to("real.prom")
    assert cli("run", "hello.yaml", "--metrics-file", "link.prom").code == 0
    assert (cli.folder / "link.prom").is_symlink()
    assert read(cli.folder / "real.prom")["runs_total 0"] == 1


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("hello.yaml", "--metrics-file hello.yaml is something else, which would be lost; name another file"),
        ("1e9.prom", "--metrics-file 1e9.prom is something else"),
        ("-", "--metrics-file is a file that lasts from run to run, not standard output"),
        ("binary", "--metrics-file binary is something else, which would be lost"),
        (".", "--metrics-file . is something else"),
        ("/dev/null", "--metrics-file /dev/null is something else"),
        ("gone/m.prom", "--metrics-file gone/m.prom cannot be used: no such file or directory"),
        ("hello.yaml/m.prom", "--metrics-file hello.yaml/m.prom cannot be used: not a directory"),
    ],
)
def test_a_metrics_file_that_cannot_be_one_sends_nothing_and_is_left_alone(cli, name: str, sentence) -> None:
    cli.write("hello.yaml", HELLO)
    cli.write("binary", b"\xff\xfe\x00")
    cli.write("1e9.prom", 'qstash_jobs_runs_total{name="x",exit_code="0"} 1e9\n')
    answer = cli("run", "hello.yaml", "--metrics-file", name)
    assert (answer.code, sentence in answer.err) == (2, True), answer.err
    assert cli.sent == []
    assert (cli.folder / "hello.yaml").read_text() == HELLO


def test_an_empty_metrics_file_is_begun(cli) -> None:
    cli.write("hello.yaml", HELLO)
    cli.write("m.prom", "")
    assert cli("run", "hello.yaml", "--metrics-file", "m.prom").code == 0
    assert read(cli.folder / "m.prom")["runs_total 0"] == 1


def test_metrics_that_cannot_be_written_any_more_are_a_warning(cli, watch) -> None:
    cli.write("jobs/one.yaml", HELLO)
    cli.write("jobs/two.yaml", HELLO)
    folder = cli.folder / "metrics"
    folder.mkdir()
    monitor = watch()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "qstash_jobs",
            "run",
            "jobs",
            "--metrics-file",
            "metrics/m.prom",
            "--rate",
            "1",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    # the folder goes while the run is under way: between its messages there is a second
    while not monitor.pings:
        time.sleep(0.01)
    folder.rmdir()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "warning: --metrics-file could not be written: no such file or directory" in err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_is_told_of_with_what_it_had_published(cli, watch, number, code: int) -> None:
    for name in "abc":
        cli.write(f"jobs/{name}.yaml", HELLO)
    monitor = watch()
    process = subprocess.Popen(
        [sys.executable, "-m", "qstash_jobs", "run", "jobs", "--metrics-file", "m.prom", "--rate", "0.5"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == code
    assert monitor.pings[1] == (f"{SECRET_PATH}/fail", f"exit code {code}: published 1, planned 2")
    metrics = read(cli.folder / "m.prom")
    assert (metrics["last_run_exit_code"], metrics["last_run_messages published"]) == (code, 1)
    assert metrics["last_run_messages planned"] == 2


def logged(err: str) -> list[dict]:
    lines = [json.loads(line) for line in err.splitlines()]
    for line in lines:
        assert list(line)[:3] == ["time", "level", "message"]
        assert line["time"].endswith("Z")
        assert line["level"] in ("info", "warning", "error")
    return lines


def test_a_log_in_json_says_what_the_text_says_with_its_facts(cli, free) -> None:
    cli.write("hello.yaml", HELLO)
    answer = cli("run", "hello.yaml", "--log-format", "json")
    begin, end, suggestion = logged(answer.err)
    assert begin["message"].startswith("publish 1 message of 1 job to 127.0.0.1:")
    assert (begin["messages"], begin["jobs"], begin["account"]) == (1, 1, "defaultUser")
    assert (end["totals"], end["exit_code"], end["level"]) == ({"published": 1}, 0, "info")
    assert end["run"] == begin["run"]
    assert suggestion["message"] == "has it arrived? qstash-jobs status --wait 2m"
    assert answer.out.startswith("published hello:hello msg_")
    cli.write("far.yaml", TOO_FAR)
    [end, hint] = logged(cli("run", "far.yaml", "--log-format", "json", "--quiet").err)
    assert (end["level"], end["exit_code"], end["totals"]) == ("error", 1, {"rejected": 1})
    assert "qstash-jobs run --continue" in hint["message"]


@pytest.mark.parametrize(
    ("words", "level", "facts"),
    [
        (("bad.yaml",), "error", {"file": "bad.yaml", "line": 2}),
        (("gone.yaml",), "error", {"exit_code": 2}),
        (("--nope",), "error", {"exit_code": 2}),
        (("hello.yaml", "--max-messages", "0"), "error", {"exit_code": 2}),
        (("hello.yaml", "--ledger", "sqlite:///dev/null/x"), "error", {"exit_code": 6}),
        (("hello.yaml", "--job", 'a\n"b'), "error", {"exit_code": 2}),
    ],
)
@pytest.mark.parametrize("how", ["option", "variable"])
def test_every_line_of_a_log_in_json_is_an_object(cli, words, level: str, facts, how: str) -> None:
    cli.write("hello.yaml", HELLO)
    cli.write("bad.yaml", "url: https://example.com\nretrys: 3\n")
    if how == "variable":
        cli.set("QSTASH_JOBS_LOG_FORMAT", "json")
        answer = cli("run", *words)
    else:
        answer = cli("run", "--log-format=json", *words)
    first, *_ = logged(answer.err)
    assert first["level"] == level
    assert {name: first[name] for name in facts} == facts
    assert cli.sent == []


def test_a_log_in_json_holds_no_secret(cli) -> None:
    cli.set("API_KEY", 'k3y"w\\th é')
    cli.write("a.yaml", "url: https://example.com/${{ secrets.API_KEY | urlencode }}\n")
    answer = cli("run", "a.yaml", "--log-format", "json")
    assert logged(answer.err)[0]["level"] == "warning"
    assert "k3y" not in answer.err
