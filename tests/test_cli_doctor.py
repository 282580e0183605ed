"""`doctor` finds what would keep a run from going well, says what to do, and ends as the run would."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from chaos_server import ChaosServer, Peer
from requirement import MEMORY_DISK, do_without

from qstash_jobs.ledger.disk import look_at_disk

HELLO = "url: https://api.example.com/hello\n"


def look(cli, *words: object) -> tuple[int, dict[str, dict]]:
    """Ask the doctor; give the checks by name."""
    answer = cli("doctor", "--format", "json", *words)
    assert answer.err == ""
    document = json.loads(answer.out)
    assert document["exit_code"] == answer.code
    return answer.code, {check["name"]: check for check in document["checks"]}


def answer_with(head: str, body: str = "[]") -> ChaosServer:
    def script(peer: Peer) -> None:
        while peer.read_request():
            peer.write(f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())

    return ChaosServer(script)


def test_where_all_is_well_a_run_can_begin_and_nothing_was_changed(cli) -> None:
    code, checks = look(cli)
    assert code == 0
    wrong = {name for name, check in checks.items() if check["verdict"] != "good"}
    assert wrong == {"address"}
    assert "is on this machine: nothing reaches QStash" in checks["address"]["found"]
    assert checks["token"]["found"] == "QSTASH_TOKEN from the environment, of the account defaultUser"
    assert "QStash answers, and takes the token" in checks["connection"]["found"]
    assert checks["clock"]["verdict"] == "good"
    assert not cli.ledger.parent.exists()
    assert cli.sent == []


def test_people_read_a_line_for_each_check_and_what_to_do_below_it(cli) -> None:
    cli.set("QSTASH_TOKEN", None)
    answer = cli("doctor")
    assert answer.code == 4
    lines = answer.out.splitlines()
    assert (
        "wrong token: no token: set QSTASH_TOKEN (the QStash page of the Upstash console shows it)" in lines
    )
    at = next(index for index, line in enumerate(lines) if line.startswith("warning address: "))
    assert lines[at + 1] == "  hint: unset QSTASH_URL to publish to QStash"
    assert answer.err.startswith("looked at ")
    assert answer.err.endswith(" things: 1 thing wrong and 1 warning\n")


def test_without_a_network_the_rest_is_looked_at(cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    cli.set("QSTASH_URL", f"http://127.0.0.1:{port}")
    code, checks = look(cli)
    assert code == 5
    assert checks["connection"]["verdict"] == "unknown"
    assert checks["connection"]["found"].startswith("QStash could not be reached: cannot reach 127.0.0.1:")
    assert checks["clock"]["verdict"] == "unknown"
    assert checks["ledger"]["verdict"] == "good"


@pytest.mark.parametrize(
    ("token", "code", "found"),
    [
        ("sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r", 4, "QSTASH_TOKEN from the environment is a signing key"),
        ("Bearer s3cr3t-t0ken", 4, "QSTASH_TOKEN holds blanks, quotes"),
        ("s3cr3t\n-t0ken", 4, "QSTASH_TOKEN holds blanks, quotes"),
    ],
)
def test_a_token_that_can_be_none_is_told_and_never_shown(cli, token: str, code: int, found: str) -> None:
    cli.set("QSTASH_TOKEN", token)
    ended, checks = look(cli)
    assert ended == code
    assert found in checks["token"]["found"]
    assert "s3cr3t" not in json.dumps(checks)
    assert "7kYjw48mhY" not in json.dumps(checks)


def test_a_token_that_the_service_does_not_take_ends_as_a_run_would(cli) -> None:
    with answer_with("401 Unauthorized", '{"error": "invalid token"}') as server:
        cli.set("QSTASH_URL", server.url)
        code, checks = look(cli)
        assert (code, checks["connection"]["verdict"]) == (4, "wrong")
        assert checks["connection"]["found"] == "the token is not accepted (401): invalid token"
        cli.set("QSTASH_TOKEN", None)
        code, checks = look(cli)
        # without a token a refusal is what was expected, and shows that the way is open
        assert (code, checks["connection"]["verdict"]) == (4, "good")


def test_a_token_of_another_region_is_told_with_the_address_to_set(cli) -> None:
    error = '{"error": "user (a1b2) not found in this region (eu-central-1)"}'
    with answer_with("404 Not Found", error) as server:
        cli.set("QSTASH_URL", server.url)
        code, checks = look(cli)
    assert code == 4
    assert checks["connection"]["advice"] == "set QSTASH_URL to https://qstash-us-east-1.upstash.io"


def test_a_server_that_is_not_qstash_is_told(cli) -> None:
    for head, code, found in (
        ("404 Not Found", 2, "what answers is not QStash: 404"),
        ("302 Found\r\nLocation: https://login.example.com/", 2, "redirect (302) to login.example.com"),
        ("500 Oops", 5, "QStash could not be reached: answered 500"),
    ):
        with answer_with(head, "") as server:
            cli.set("QSTASH_URL", server.url)
            ended, checks = look(cli)
        assert ended == code
        assert found in checks["connection"]["found"]


def test_a_clock_that_goes_wrong_is_told(cli) -> None:
    for date, found in (
        ("Wed, 21 Oct 2015 07:28:00 GMT", " ahead of QStash's"),
        ("Wed, 21 Oct 2115 07:28:00 GMT", " behind QStash's"),
    ):
        with answer_with(f"200 OK\r\nDate: {date}") as server:
            cli.set("QSTASH_URL", server.url)
            code, checks = look(cli)
        assert (code, checks["clock"]["verdict"]) == (0, "warning")
        assert checks["clock"]["found"].endswith(found)
    for head in ("200 OK", "200 OK\r\nDate: yesterday"):
        with answer_with(head) as server:
            cli.set("QSTASH_URL", server.url)
            assert look(cli)[1]["clock"]["verdict"] == "unknown"


def test_settings_that_cannot_be_used_or_are_not_read_are_told(cli) -> None:
    for name, value, check, verdict, code, found in (
        ("QSTASH_URL", "http://example.com", "address", "wrong", 2, "http:// would show the token"),
        ("QSTASH_URL", f"{cli.server.url}/v2/publish", "address", "warning", 0, "ends in /v2/publish"),
        ("QSTASH_DEV", "true", "development mode", "warning", 0, "it is not read here"),
        ("QSTASH_REGION", "eu-central-1", "region", "warning", 0, "it is not read here"),
        ("QSTASH_JOBS_LEDGR", "x", "variable", "warning", 0, "QSTASH_JOBS_LEDGR is not read"),
        ("QSTASH_JOBS_LEDGER", "postgresql://u:pw12@h/d", "ledger", "wrong", 2, "may hold no password"),
        ("QSTASH_JOBS_LEDGER", "sqlite:///dev/null/x", "disk", "wrong", 6, "is not to be written"),
    ):
        with cli.monkeypatch.context() as changed:
            changed.setenv(name, value)
            ended, checks = look(cli)
        assert (name, ended, checks[check]["verdict"]) == (name, code, verdict)
        assert found in checks[check]["found"]
        assert "pw12" not in json.dumps(checks)
    assert look(cli)[0] == 0


def test_a_misspelt_variable_is_told_with_the_likely_one(cli) -> None:
    cli.set("QSTASH_JOBS_LEDGR", "x")
    assert look(cli)[1]["variable"]["advice"] == "did you mean QSTASH_JOBS_LEDGER?"


def test_proxies_and_certificates_are_those_of_the_way_to_the_server(cli, tmp_path: Path) -> None:
    cli.set("QSTASH_URL", "https://localhost.invalid")
    cli.set("HTTPS_PROXY", "socks5://proxy.example.com")
    code, checks = look(cli)
    assert (code, checks["proxy"]["verdict"]) == (2, "wrong")
    assert "connection" not in checks
    cli.set("HTTPS_PROXY", "http://ada:s3cr3t@127.0.0.1:9")
    code, checks = look(cli)
    assert (code, checks["proxy"]["found"]) == (5, "through 127.0.0.1:9, with a user and a password")
    assert "s3cr3t" not in json.dumps(checks)
    cli.set("NO_PROXY", "invalid")
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    cli.set("SSL_CERT_FILE", str(empty))
    cli.set("SSL_CERT_DIR", None)
    code, checks = look(cli)
    assert (code, checks["proxy"]["found"]) == (2, "none for localhost.invalid")
    assert checks["certificates"]["verdict"] == "wrong"
    cli.set("SSL_CERT_FILE", None)
    folder = tmp_path / "certificates"
    folder.mkdir()
    cli.set("SSL_CERT_DIR", f"/nonexistent{os.pathsep}{folder}")
    assert look(cli)[1]["certificates"]["verdict"] == "wrong"
    (folder / "5ad8a5d6.0").write_text("")
    assert look(cli)[1]["certificates"]["verdict"] == "good"


def test_a_project_file_is_looked_at_and_its_account_held(cli) -> None:
    cli.write("qstash-jobs.yaml", "project: shop\naccount: somebody\n")
    code, checks = look(cli)
    assert (code, checks["project"]["found"]) == (4, "shop")
    assert "is of the account defaultUser, and the project file says somebody" in checks["token"]["found"]
    cli.write("qstash-jobs.yaml", "environments: {staging: {token_from: STAGING_TOKEN}}\n")
    assert look(cli)[1]["project"]["verdict"] == "warning"
    code, checks = look(cli, "--environment", "staging")
    assert (code, "set STAGING_TOKEN" in checks["token"]["found"]) == (4, True)
    cli.write("qstash-jobs.yaml", "projekt: x\n")
    code, checks = look(cli)
    assert (code, checks["project"]["verdict"]) == (2, "wrong")


def test_a_ledger_is_read_whole_and_a_broken_one_is_told(cli) -> None:
    cli.write("hello.yaml", HELLO)
    cli("run", "hello.yaml")
    code, checks = look(cli)
    assert (code, checks["ledger"]["verdict"]) == (0, "good")
    assert f"{cli.ledger} is whole; the last run is " in checks["ledger"]["found"]
    for state in ("published", "nonsense"):
        with sqlite3.connect(cli.ledger) as database:
            database.execute("UPDATE messages SET state = ?", (state,))
        database.close()
    code, checks = look(cli)
    assert (code, checks["ledger"]["verdict"]) == (6, "wrong")
    assert "1 message is there in a state that this version does not know" in checks["ledger"]["found"]
    cli.ledger.write_bytes(b"not a ledger at all" * 1000)
    assert look(cli)[0] == 6


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux tells")
def test_a_run_under_way_is_named_and_not_disturbed(cli) -> None:
    for name in "abc":
        cli.write(f"jobs/{name}.yaml", HELLO)
    process = subprocess.Popen(
        [sys.executable, "-m", "qstash_jobs", "run", "jobs", "--rate", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    code, checks = look(cli)
    assert code == 0
    assert f"under way: pid {process.pid} since " in checks["locks"]["found"]
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert look(cli)[1]["locks"]["found"] == "no run is seen under way"


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="only Linux tells")
def test_a_file_system_in_memory_is_known_as_one(cli) -> None:
    disk = look_at_disk(Path("/proc/self/ledger.db"))
    assert disk.kind == "proc"
    memory = Path("/dev/shm")
    if look_at_disk(memory / "ledger.db").kind != "tmpfs":
        do_without(MEMORY_DISK, "no file system in memory here")
    cli.set("QSTASH_JOBS_LEDGER", f"sqlite://{memory}/qstash-jobs-test/ledger.db")
    code, checks = look(cli)
    assert (code, checks["disk"]["verdict"]) == (0, "warning")
    assert "it is in memory" in checks["disk"]["found"]


def test_a_pipeline_s_passing_ledger_is_told(cli) -> None:
    cli.set("CI", "1")
    cli.set("QSTASH_JOBS_LEDGER", None)
    cli.set("XDG_STATE_HOME", str(cli.folder))
    code, checks = look(cli)
    assert (code, checks["ledger's place"]["verdict"]) == (0, "warning")


def test_a_service_that_says_nothing_costs_a_bounded_time(cli, monkeypatch) -> None:
    from qstash_jobs.api.checkup import service

    monkeypatch.setattr(service, "PATIENCE_S", 1.0)
    with ChaosServer(lambda peer: peer.wait(30)) as server:
        cli.set("QSTASH_URL", server.url)
        began = time.monotonic()
        assert look(cli)[0] == 5
        assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("version", "verdict", "code"),
    [("2.8.0", "good", 0), ("2.13.906", "warning", 0), ("1.26.20", "wrong", 2), ("3.0.0", "wrong", 2)],
)
def test_the_urllib3_that_is_there_is_told(cli, version: str, verdict: str, code: int) -> None:
    """As niquests and old environments leave it: another package under urllib3's name."""
    import urllib3._version

    cli.monkeypatch.setattr(urllib3._version, "__version__", version)
    ended, checks = look(cli)
    assert (ended, checks["urllib3"]["verdict"]) == (code, verdict)
    assert version in checks["urllib3"]["found"]


def test_an_empty_environment_can_be_looked_at(cli) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "qstash_jobs", "doctor"],
        env={name: value for name, value in os.environ.items() if name.startswith("COVERAGE")},
        cwd=cli.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 4
    assert "no token" in answer.stdout
