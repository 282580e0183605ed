"""A long run, or apply, shows a person on a terminal how far it is, and shows nothing of it anywhere else."""

import re
import subprocess
import sys

import pytest
from terminal_talk import talk

PROGRAM = [sys.executable, "-m", "qstash_jobs"]
BAR = re.compile(r"\r\x1b\[2K\[(#*)(\.*)\] ([\d,]+) of ([\d,]+)")


@pytest.fixture
def slow(cli) -> tuple[str, ...]:
    """A command that publishes 12 messages in about two seconds."""
    cli.write("a.yaml", "for_each: [" + "{n: 1}, " * 12 + "]\nurl: https://example.com/\n")
    return ("run", "a.yaml", "--rate", "5", "--batch-size", "1")


def test_a_terminal_shows_how_far_a_run_is_and_keeps_nothing_of_it(cli, slow) -> None:
    code, seen = talk(*slow, "--yes")
    assert code == 0
    bars = BAR.findall(seen)
    assert bars
    done = [int(number) for _, _, number, _ in bars]
    assert done == sorted(done)
    assert {(len(full) + len(empty), total) for full, empty, _, total in bars} == {(30, "12")}
    # whatever is written next takes the bar's place
    assert re.search(r"\] \d+ of 12\r\x1b\[2K(?:\x1b\[\d+m)?published", seen)
    assert not BAR.search(seen[seen.rindex("published 12") :])


@pytest.mark.parametrize("words", [("--quiet",), ("--log-format", "json")])
def test_nobody_who_wants_no_bar_is_shown_one(cli, slow, words) -> None:
    code, seen = talk(*slow, "--yes", *words)
    assert code == 0
    assert "\x1b[2K" not in seen


def test_a_pipe_gets_no_bar(cli, slow) -> None:
    answer = subprocess.run(
        [*PROGRAM, *slow], cwd=cli.folder, capture_output=True, text=True, timeout=60, check=True
    )
    assert "\x1b" not in answer.stdout + answer.stderr


def test_a_short_run_shows_none(cli) -> None:
    cli.write("a.yaml", "url: https://example.com/\n")
    code, seen = talk("run", "a.yaml", "--yes")
    assert (code, "\x1b[2K" in seen) == (0, False)


def test_a_terminal_shows_how_far_an_apply_is(cli) -> None:
    cli.write("qstash-jobs.yaml", "project: billing\n")
    cli.write("jobs/a.yaml", "queues: {" + ", ".join(f"q{number}: {{}}" for number in range(12)) + "}\n")
    cli.server.add_fault("delay", seconds=0.2, on=["queues"], times=15)
    code, seen = talk("apply", "jobs", "--yes")
    assert code == 0
    bars = BAR.findall(seen)
    assert bars
    assert {total for _, _, _, total in bars} == {"12"}
    assert not BAR.search(seen[seen.rindex("created 12") :])
