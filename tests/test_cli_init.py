"""`init` writes what works at once, and never writes over anything."""

import pytest

from qstash_jobs.cli.main import run


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_init_writes_is_in_order_and_runs(capsys):
    assert run(["init"]) == 0
    assert "qstash-jobs run --local jobs/" in capsys.readouterr().err
    assert run(["validate", "--strict"]) == 0
    assert run(["run", "--local"]) == 0
    assert "delivered jobs/hello:hello POST https://api.example.com/hello 200" in capsys.readouterr().out


def test_every_field_in_its_comments_can_be_uncommented(folder):
    run(["init"])
    job = folder / "jobs" / "hello.yaml"
    lines = job.read_text().splitlines()
    uncommented = [
        line[2:] if line.startswith(("# delay", "# retries", "# headers", "#   Auth", "# callback")) else line
        for line in lines
    ]
    job.write_text("\n".join(uncommented))
    assert "retries: 3" in [line.partition(" #")[0].strip() for line in uncommented]
    assert run(["validate"]) == 0


def test_what_is_there_is_kept(folder, capsys):
    (folder / ".gitignore").write_text("*.log\n")
    (folder / "jobs").mkdir()
    (folder / "jobs" / "hello.yaml").write_text("url: https://mine.example.com\n")
    assert run(["init"]) == 0
    assert (folder / "jobs" / "hello.yaml").read_text() == "url: https://mine.example.com\n"
    assert (folder / ".gitignore").read_text() == "*.log\n.env\n"
    assert "kept jobs/hello.yaml" in capsys.readouterr().out
    assert run(["init"]) == 0
    assert (folder / ".gitignore").read_text() == "*.log\n.env\n"


def test_a_folder_that_cannot_be_written_is_a_sentence(capsys):
    assert run(["init", "/proc/nowhere"]) == 2
    assert "cannot be written" in capsys.readouterr().err
