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
