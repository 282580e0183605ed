"""Pipes, full devices, closed streams, signals, bare environments: the program in a process of its own."""

import json
import os
import pty
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from chaos_server import ChaosServer, Peer
from terminal_talk import talk

from qstash_jobs.ledger.sqlite import open_sqlite
from qstash_jobs.record import State

PROGRAM = [sys.executable, "-m", "qstash_jobs"]
ROWS = "jobs:\n  mail:\n    url: https://api.example.com/${{ row.id }}\n    for_each: {file: rows.csv, key: id}\n"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="these are the streams and signals of Unix")


@pytest.fixture
def rows(cli) -> None:
    cli.write("qstash-jobs.yaml", "project: shop\n")
    cli.write("all.yaml", ROWS)
    cli.write("rows.csv", "id\n" + "".join(f"{number}\n" for number in range(300)))


def shell(cli, line: str, *, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a line of bash, in which Q stands for the program."""
    return subprocess.run(
        ["bash", "-c", line.replace("Q", " ".join(PROGRAM), 1)],
        cwd=cli.folder,
        env=dict(os.environ) if env is None else dict(env),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def history(cli) -> list[tuple[int, dict[str, int]]]:
    return [(run["exit_code"], run["totals"]) for run in cli("runs", "--format", "jsonl").lines]


def run_of(cli) -> str:
    """Name the last run by its id."""
    return str(cli("runs", "--format", "jsonl").lines[0]["id"])


def test_a_run_whose_reader_has_gone_publishes_all_the_same(cli, rows) -> None:
    done = shell(cli, "Q run all.yaml --format jsonl | head -1; exit ${PIPESTATUS[0]}")
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    assert "published 300 (run " in done.stderr
    assert history(cli) == [(0, {"published": 300})]


def test_a_plan_whose_reader_has_gone_ends_without_a_word(cli, rows) -> None:
    done = shell(cli, "Q plan all.yaml --format jsonl | head -1; exit ${PIPESTATUS[0]}")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_device_behind_stdout_costs_no_message_and_is_told(cli, rows) -> None:
    done = shell(cli, "Q run all.yaml --format jsonl > /dev/full")
    assert done.returncode == 6
    assert "stdout cannot be written: no space left on device; the run goes on" in done.stderr
    assert "published 300 (run " in done.stderr
    assert history(cli) == [(0, {"published": 300})]
    for words in (
        "plan all.yaml",
        "validate all.yaml --format json",
        "runs",
        "schema",
        "--help",
        "--version",
    ):
        done = shell(cli, f"Q {words} > /dev/full")
        assert done.returncode == 6
        assert "no space left on device" in done.stderr
        assert "fault" not in done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "2> /dev/full"])
def test_closed_streams_change_no_ending(cli, rows, closed: str) -> None:
    if "full" in closed and not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    assert shell(cli, f"Q run all.yaml {closed}").returncode == 0
    assert shell(cli, f"Q run nope.yaml {closed}").returncode == 2
    assert history(cli) == [(0, {"published": 300})]


def test_a_pipe_that_nobody_reads_is_no_place_for_results(cli, rows) -> None:
    os.mkfifo(cli.folder / "pipe")
    done = shell(cli, "Q run all.yaml --results pipe")
    assert done.returncode == 2
    assert "--results pipe cannot be written" in done.stderr
    assert cli.sent == []


def test_an_environment_with_nothing_in_it_is_enough_for_a_local_run(cli, rows) -> None:
    done = shell(cli, "Q run --local all.yaml", env={})
    assert done.returncode == 0
    assert "delivered all:mail[0] POST https://api.example.com/0 200 at once" in done.stdout
    assert "published 300 (run " in done.stderr


def test_cron_s_environment_finds_its_ledger_and_says_nothing_where_all_is_well(cli, rows) -> None:
    env = {
        "HOME": str(cli.folder.parent / "home"),
        "PATH": "/usr/bin:/bin",
        "QSTASH_URL": os.environ["QSTASH_URL"],
        "QSTASH_TOKEN": os.environ["QSTASH_TOKEN"],
    }
    line = f"cd / && Q run {cli.folder}/all.yaml --run-key today --quiet"
    for _ in range(2):
        done = shell(cli, line, env=env)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(cli.sent) == 3
    assert list((cli.folder.parent / "home").rglob("ledger.db"))


def test_a_locale_without_letters_breaks_no_output(cli) -> None:
    cli.write("größe.yaml", "url: https://api.example.com/\n")
    for env in (
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ):
        done = shell(cli, "Q validate größe.yaml --format json", env={**os.environ, **env})
        assert done.returncode == 2
        assert '"rule": "job-id"' in done.stdout


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "terminated"),
        (signal.SIGHUP, 129, "hung up"),
    ],
)
def test_a_signal_finishes_what_is_on_the_wire_and_can_be_continued(cli, rows, number, code, word) -> None:
    running = subprocess.Popen(
        [*PROGRAM, "run", "all.yaml", "--rate", "40", "--batch-size", "1"],
        cwd=cli.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while len(cli.sent) < 5:
        assert running.poll() is None
        time.sleep(0.05)
    running.send_signal(number)
    out, err = running.communicate(timeout=30)
    assert running.returncode == code
    assert f"{word}; what was on the wire was finished and is recorded" in err
    sent = len(cli.sent)
    assert out == f"published all:mail {sent} messages\n"
    assert history(cli) == [(code, {"published": sent, "planned": 300 - sent})]
    assert cli("run", "--continue").code == 0
    ids = [request for request in cli.sent if request.target.startswith("/v2/publish/")]
    assert len(ids) == sent


def start_slow(cli, *words: str) -> subprocess.Popen[str]:
    """Start a run that takes its time, and wait until it has sent something."""
    sent = len(cli.sent)
    running = subprocess.Popen(
        [*PROGRAM, "run", "all.yaml", "--rate", "40", "--batch-size", "1", *words],
        cwd=cli.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while len(cli.sent) < sent + 5:
        assert running.poll() is None
        time.sleep(0.05)
    return running


def test_a_second_signal_stops_at_once_and_the_run_is_ended_all_the_same(cli, rows) -> None:
    cli.server.stop()
    slow = Event()

    def hang(peer: Peer) -> None:
        peer.read_request()
        slow.set()
        peer.wait(30)

    with ChaosServer(hang) as server:
        cli.set("QSTASH_URL", server.url)
        running = subprocess.Popen(
            [*PROGRAM, "run", "all.yaml", "--batch-size", "100"],
            cwd=cli.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert slow.wait(20)
        running.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert running.poll() is None
        began = time.monotonic()
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=20)
    assert time.monotonic() - began < 5
    assert running.returncode == 130
    assert err.splitlines()[-1] == "qstash-jobs: interrupted"
    # what was on the wire is said, and how to settle it
    assert f"may have been accepted; to settle them: qstash-jobs run --continue {run_of(cli)[:8]}" in err
    ((exit_code, totals),) = history(cli)
    assert exit_code == 130
    assert totals["sending"] >= 100
    assert sum(totals.values()) == 300


def test_a_terminal_that_is_closed_ends_a_run_cleanly(cli, rows) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.execve(
            sys.executable,
            [*PROGRAM, "run", "all.yaml", "--yes", "--rate", "40", "--batch-size", "1"],
            dict(os.environ),
        )
    while len(cli.sent) < 5:
        time.sleep(0.05)
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 129
    ((exit_code, totals),) = history(cli)
    assert exit_code == 129
    assert totals == {"published": len(cli.sent), "planned": 300 - len(cli.sent)}


def test_a_terminal_that_was_closed_does_not_end_a_run_under_nohup(cli, rows) -> None:
    nohup = subprocess.Popen(
        ["nohup", *PROGRAM, "run", "all.yaml", "--rate", "100", "--batch-size", "1"],
        cwd=cli.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    sent = len(cli.sent)
    while len(cli.sent) < sent + 5:
        assert nohup.poll() is None
        time.sleep(0.05)
    nohup.send_signal(signal.SIGHUP)
    nohup.communicate(timeout=30)
    assert nohup.returncode == 0


def test_what_a_stopped_run_never_came_to_is_in_doubt_if_an_earlier_run_left_it_so(cli, rows) -> None:
    assert cli("run", "all.yaml", "--run-key", "k", "--job", "mail").code == 0
    with closing(open_sqlite(cli.ledger)) as ledger:
        lines = list(ledger.messages())
        ledger.write(
            intents=[replace(one, state=State.PLANNED) for one in lines[:250]]
            + [replace(one, state=State.REJECTED) for one in lines[250:290]]
            + [replace(one, state=State.SENDING) for one in lines[290:295]]
            + [replace(one, state=State.IN_DOUBT) for one in lines[295:]]
        )
    cli.server.advance(601)
    running = start_slow(cli, "--run-key", "k")
    running.send_signal(signal.SIGTERM)
    _, err = running.communicate(timeout=30)
    assert running.returncode == 143
    exit_code, totals = history(cli)[0]
    assert (exit_code, totals["in_doubt"]) == (143, 10)
    assert totals["published"] + totals["planned"] == 290
    assert "10 messages may have been accepted" in err


def test_a_signal_before_anything_was_sent_sends_nothing(cli, rows) -> None:
    cli.write("rows.csv", "id\n" + "".join(f"{number}\n" for number in range(200_000)))
    running = subprocess.Popen(
        [*PROGRAM, "run", "all.yaml"],
        cwd=cli.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not cli.ledger.exists():
        assert running.poll() is None
        time.sleep(0.02)
    running.send_signal(signal.SIGTERM)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 143
    assert (out, err.strip()) == ("", "qstash-jobs: terminated")
    assert cli.sent == []
    assert history(cli) == []


@pytest.mark.parametrize(
    ("typed", "code", "sent"),
    [(b"y\n", 0, 3), (b"\n", 0, 0), (b"n\n", 0, 0), (b"\x04", 0, 0), (None, 130, 0)],
)
def test_on_a_terminal_a_person_is_asked_and_only_a_yes_publishes(cli, rows, typed, code, sent) -> None:
    ended, seen = talk("run", "all.yaml", typed=typed)
    assert "publish 300 messages of 1 job to 127.0.0.1:" in seen
    assert ", account defaultUser? [y/N] " in seen
    assert ended == code
    assert len(cli.sent) == sent
    if typed is None:
        assert "interrupted" in seen
    elif not sent:
        assert "nothing was sent" in seen
    else:
        _, seen = talk("run", "all.yaml", typed=b"n\n")
        assert "? the last run of these jobs was " in seen


def test_a_ledger_that_stops_taking_results_stops_the_run_and_prints_what_it_lost(cli, rows) -> None:
    cli.write("rows.csv", "id\n" + "".join(f"{number}\n" for number in range(3000)))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    done = subprocess.run(
        [*PROGRAM, "run", "all.yaml"],
        cwd=cli.folder,
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 6
    assert "the ledger " in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    run = run_of(cli)
    assert f"qstash-jobs run --continue {run[:8]}" in done.stderr
    unrecorded = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert {line["run"] for line in unrecorded} <= {run}
    exit_code, totals = history(cli)[0]
    assert exit_code == 6
    assert sum(totals.values()) == 3000
    # with room again, the rest goes out; what the ledger did not take is offered with the id that QStash knows it by
    assert cli("run", "--continue").code == 0
    assert cli.server.wait_idle(30)
    assert len({delivery.url for delivery in cli.server.deliveries()}) == 3000
    assert cli.server.delivery_count == 3000
