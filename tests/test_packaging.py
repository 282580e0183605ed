"""What is built holds all that is needed, and works without the checkout around it."""

import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(folder)],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
        timeout=60,
    )
    return folder


@pytest.fixture(scope="module")
def wheel(built) -> zipfile.ZipFile:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        yield wheel


def test_the_wheel_holds_the_schemas_the_migrations_the_page_and_the_types(wheel):
    names = set(wheel.namelist())
    assert {
        "qstash_jobs/schemas/job-file.schema.json",
        "qstash_jobs/schemas/project.schema.json",
        "qstash_jobs/ledger/sql/sqlite/0001_first.sql",
        "qstash_jobs/py.typed",
    } <= names
    page = CHECKOUT / "qstash_jobs" / "local" / "page"
    files = {path.name for path in page.iterdir() if path.is_file()}
    assert {"index.html", "main.js", "page.css"} < files
    assert {f"qstash_jobs/local/page/{name}" for name in files} <= names
    assert not [name for name in names if name.startswith(("tests", "schemas", "jobs", "benchmarks"))]


def test_the_wheel_works_without_the_checkout(wheel, tmp_path):
    wheel.extractall(tmp_path / "site")
    (tmp_path / "hello.yaml").write_text("url: https://example.com/hook\n")
    answer = run_from(tmp_path / "site", ["validate", "--format", "json", "hello.yaml"], tmp_path)
    assert json.loads(answer) == {
        "files": 1,
        "jobs": 1,
        "messages": 1,
        "declared": {},
        "missing_secrets": [],
        "problems": [],
    }


def test_a_checkout_works_without_being_built(tmp_path):
    (tmp_path / "hello.yaml").write_text("url: https://example.com/hook\n")
    answer = run_from(CHECKOUT, ["validate", "--format", "json", "hello.yaml"], tmp_path)
    assert json.loads(answer)["problems"] == []


def test_the_sdist_builds_what_the_checkout_builds(built, tmp_path, wheel):
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        sdist.extractall(tmp_path, filter="data")
    [folder] = tmp_path.iterdir()
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=60,
    )
    with zipfile.ZipFile(next((tmp_path / "dist").glob("*.whl"))) as again:
        assert set(again.namelist()) == set(wheel.namelist())


def test_it_runs_as_a_module_and_says_its_version(tmp_path):
    answer = run_from(CHECKOUT, ["--version"], tmp_path)
    assert answer.startswith("qstash-jobs 0.")


def run_from(site: Path, arguments: list[str], folder: Path) -> str:
    """Run the program with its package from a folder, whatever is installed."""
    done = subprocess.run(
        [sys.executable, "-m", "qstash_jobs", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(site), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout
