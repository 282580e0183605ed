"""A command loads the packages that it needs and no others: one that is loaded by the way delays every start."""

import json
import subprocess
import sys

import pytest

HELLO = "url: https://api.example.com/hello\nbody: {hello: world}\n"

SCRIPT = """\
import json, sys
from qstash_jobs.cli.main import run
code = run(sys.argv[1:])
print()
print(json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules})]))
"""

HEAVY = {
    "aiohttp",
    "cronsim",
    "jsonschema",
    "jsonschema_rs",
    "orjson",
    "platformdirs",
    "rich",
    "sqlite3",
    "ssl",
    "urllib3",
    "yaml",
    "zoneinfo",
}


def loaded_by(cli, *words: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words], cwd=cli.folder, capture_output=True, text=True, check=True
    )
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stderr
    return HEAVY & set(modules)


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["run", "--help"], ["validate", "--help"]])
def test_help_loads_no_package_but_click(cli, words: list[str]) -> None:
    assert loaded_by(cli, *words) == set()


def test_validating_files_in_order_loads_what_reads_and_decides_and_nothing_that_explains_or_sends(
    cli,
) -> None:
    cli.write("jobs/hello.yaml", HELLO)
    assert loaded_by(cli, "validate", "jobs") == {"jsonschema_rs", "orjson", "yaml"}


def test_a_run_of_one_job_loads_what_it_sends_and_remembers_with(cli) -> None:
    cli.write("hello.yaml", HELLO)
    ledger = f"sqlite://{cli.ledger}"
    loaded = loaded_by(cli, "run", "hello.yaml", "--yes", "--ledger", ledger)
    assert loaded == {"jsonschema_rs", "orjson", "sqlite3", "ssl", "urllib3", "yaml"}
    assert len(cli.sent) == 1
