"""Nobody sits in front of it: silent while all is well, and never silent when something was left undone."""

import os
import subprocess
import sys

import pytest

from qstash_jobs.cli.main import run
from qstash_jobs.local import start_server
from qstash_jobs.local.world.quota import FREE


@pytest.fixture
def server(monkeypatch, tmp_path):
    with start_server(quota=FREE) as server:
        monkeypatch.setenv("QSTASH_URL", server.url)
        monkeypatch.setenv("QSTASH_TOKEN", server.token)
        monkeypatch.setenv("QSTASH_JOBS_LEDGER", f"sqlite://{tmp_path / 'ledger.db'}")
        monkeypatch.chdir(tmp_path)
        yield server


def test_a_quiet_run_that_goes_well_says_nothing(server, tmp_path, capsys):
    (tmp_path / "job.yaml").write_text("url: https://example.com/hook\n")
    assert run(["run", "--quiet", "job.yaml"]) == 0
    assert run(["run", "--quiet", "job.yaml"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")


def test_a_quiet_run_tells_of_an_earlier_one_that_was_not_finished(server, tmp_path, capsys):
    job = tmp_path / "job.yaml"
    job.write_text("url: https://example.com/hook\ndelay: 8d\n")
    assert run(["run", "--quiet", "job.yaml"]) == 1
    assert "rejected job:job 400 quota maxDelay exceeded" in capsys.readouterr().out
    job.write_text("url: https://example.com/hook\ndelay: 1d\n")
    assert run(["run", "--quiet", "job.yaml"]) == 0
    assert "of these jobs left 1 message unfinished; see qstash-jobs show" in capsys.readouterr().err
    assert run(["run", "--quiet", "job.yaml"]) == 0
    assert capsys.readouterr().err == ""


def test_the_shell_can_complete_commands_and_options():
    answer = subprocess.run(
        [sys.executable, "-m", "qstash_jobs"],
        env={
            **os.environ,
            "_QSTASH_JOBS_COMPLETE": "bash_complete",
            "COMP_WORDS": "qstash-jobs run --conti",
            "COMP_CWORD": "2",
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert answer.stdout == "plain,--continue\n"


@pytest.fixture
def pipeline(cli):
    """A machine that goes with its run: CI is set, and no ledger is named."""
    cli.set("CI", "true")
    cli.set("QSTASH_JOBS_LEDGER", None)
    cli.set("XDG_STATE_HOME", str(cli.folder.parent / "state-home"))
    cli.write("hello.yaml", "url: https://example.com/hook\n")
    cli.write("once.yaml", "url: https://example.com/hook\ndedup: {key: once, window: 11m}\n")
    return cli


def test_in_a_pipeline_a_line_says_that_the_ledger_goes_with_the_machine(pipeline):
    answer = pipeline("run", "hello.yaml")
    assert answer.code == 0
    assert answer.err.startswith("CI is set and no ledger is named: ")
    assert "--ephemeral" in answer.err.splitlines()[0]
    for words in (("--ephemeral",), ("--quiet",), ("--ledger", f"sqlite://{pipeline.ledger}")):
        assert "no ledger is named" not in pipeline("run", "hello.yaml", *words).err
    for ci in ("", "false", None):
        pipeline.set("CI", ci)
        assert "no ledger is named" not in pipeline("run", "hello.yaml").err


def test_in_a_pipeline_a_window_that_only_a_ledger_can_hold_sends_nothing(pipeline):
    answer = pipeline("run", "once.yaml", "--quiet")
    assert answer.code == 6
    assert "the window of once:once outlasts the ledger, which goes with this machine" in answer.err
    assert pipeline.sent == []
    assert pipeline("run", "--local", "once.yaml").code == 0
    assert pipeline("run", "once.yaml", "--ephemeral").code == 0
    assert len(pipeline.sent) == 1
    assert pipeline("run", "once.yaml", "--ledger", f"sqlite://{pipeline.ledger}").code == 0
    pipeline.set("STATE_DIRECTORY", str(pipeline.folder.parent / "service"))
    assert "no ledger is named" not in pipeline("run", "once.yaml").err
