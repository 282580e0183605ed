"""Several runs at once on one ledger, each a process of its own: the same jobs wait or are refused, others go on."""

import subprocess
import sys
import time
from collections import Counter
from typing import Any

import pytest

PROGRAM = [sys.executable, "-m", "qstash_jobs"]
ROWS = "jobs:\n  mail:\n    url: https://api.example.com/${{{{ row.id }}}}\n    for_each: {{file: {0}.csv, key: id}}\n"


@pytest.fixture
def shop(cli) -> Any:
    cli.write("qstash-jobs.yaml", "project: shop\n")
    for name in ("a", "b"):
        cli.write(f"{name}.yaml", ROWS.format(name))
        cli.write(f"{name}.csv", "id\n" + "".join(f"{name}{row}\n" for row in range(60)))
    return cli


def start(cli: Any, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, "run", *words, "--batch-size", "1"],
        cwd=cli.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_slow(cli: Any, *words: str) -> subprocess.Popen[str]:
    """Start a run that takes its time, and wait until it publishes."""
    sent = len(cli.sent)
    running = start(cli, *words, "--rate", "20")
    while len(cli.sent) < sent + 3:
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    return running


def end(running: subprocess.Popen[str], *, code: int = 0) -> str:
    _, err = running.communicate(timeout=60)
    assert running.returncode == code, err
    return err


def delivered(cli: Any) -> Counter[str]:
    assert cli.server.wait_idle(20)
    return Counter(one.url.rpartition("/")[2] for one in cli.server.deliveries())


def test_the_same_jobs_started_twice_are_refused_at_once_and_told_who_is_at_work(shop) -> None:
    first = start_slow(shop, "a.yaml")
    began = time.monotonic()
    err = end(start(shop, "a.yaml"), code=7)
    assert time.monotonic() - began < 5
    assert f"another run of these jobs is under way (pid {first.pid} since " in err
    err = end(start(shop, "b.yaml", "a.yaml", "--run-key", "other", "--job", "mail"), code=7)
    assert "another run of these jobs is under way" in err
    end(first)
    assert delivered(shop) == {f"a{row}": 1 for row in range(60)}


def test_a_run_that_waits_begins_when_the_other_one_has_ended_and_finds_what_it_did(shop) -> None:
    first = start_slow(shop, "a.yaml", "--run-key", "k")
    second = start(shop, "a.yaml", "--run-key", "k", "--lock-wait", "30s")
    end(first)
    end(second)
    assert delivered(shop) == {f"a{row}": 1 for row in range(60)}
    newest, oldest = shop("runs", "--format", "jsonl").lines
    assert newest["totals"] == {"skipped": 60}
    assert newest["started_at"] >= oldest["ended_at"]


def test_a_run_that_waits_too_short_is_refused_in_the_end(shop) -> None:
    first = start_slow(shop, "a.yaml")
    began = time.monotonic()
    end(start(shop, "a.yaml", "--lock-wait", "1s"), code=7)
    assert time.monotonic() - began >= 1
    end(first)


def test_a_run_that_waits_can_be_interrupted(shop) -> None:
    first = start_slow(shop, "a.yaml")
    second = start(shop, "a.yaml", "--lock-wait", "60s")
    time.sleep(1)
    second.terminate()
    assert "terminated" in end(second, code=143)
    end(first)
    assert len(shop("runs", "--format", "jsonl").lines) == 1


@pytest.mark.parametrize("key", [(), ("--run-key", "k")], ids=["without a key", "under one key"])
def test_unrelated_jobs_go_side_by_side_on_one_ledger(shop, key) -> None:
    running = [start_slow(shop, f"{name}.yaml", *key) for name in ("a", "b")]
    assert running[0].poll() is None
    for one in running:
        end(one)
    assert delivered(shop) == {f"{name}{row}": 1 for name in ("a", "b") for row in range(60)}
    assert shop("ledger", "check").out == "in order: 2 runs, 120 messages\n"
    assert {run["exit_code"] for run in shop("runs", "--format", "jsonl").lines} == {0}


def test_a_run_that_is_killed_holds_nothing(shop) -> None:
    first = start_slow(shop, "a.yaml", "--run-key", "k")
    first.kill()
    first.communicate()
    end(start(shop, "a.yaml", "--run-key", "k"))
    assert delivered(shop) == {f"a{row}": 1 for row in range(60)}


def test_six_runs_of_one_key_started_at_once_publish_everything_once(shop) -> None:
    running = [start(shop, "a.yaml", "--run-key", "k", "--lock-wait", "60s") for _ in range(6)]
    for one in running:
        end(one)
    assert delivered(shop) == {f"a{row}": 1 for row in range(60)}
    totals = [run["totals"] for run in shop("runs", "--format", "jsonl").lines]
    assert totals == [{"skipped": 60}] * 5 + [{"published": 60}]


def test_the_same_jobs_in_two_environments_do_not_wait_for_each_other(shop) -> None:
    shop.write("qstash-jobs.yaml", "project: shop\nenvironments: {dev: {}, live: {}}\n")
    first = start_slow(shop, "a.yaml", "--environment", "dev")
    end(start(shop, "a.yaml", "--environment", "live"))
    assert first.poll() is None
    end(first)
