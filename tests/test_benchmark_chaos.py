"""The comparison with the official SDK, in small: it finds what each client does, and nothing of ours."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHAOS = Path(__file__).parent.parent / "benchmarks" / "chaos.py"


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Of each client, by its name in the table."""
    kept = tmp_path_factory.mktemp("chaos") / "chaos.json"
    command = [sys.executable, str(CHAOS), "--messages", "60", "--seeds", "1", "--json", str(kept)]
    subprocess.run(command, check=True, timeout=100)
    return {one["client"]: one for one in json.loads(kept.read_text())["figures"]}


def test_ours_loses_nothing_doubles_nothing_and_tells_the_truth(figures: dict[str, dict[str, Any]]) -> None:
    for client in ("qstash-jobs run", "qstash-jobs run, then run --continue"):
        found = figures[client]
        assert found["messages"] == 60
        assert found["requests"] > 60
        wrong = ("lost", "extra", "false_errors", "false_successes")
        assert {name: found[name] for name in wrong} == dict.fromkeys(wrong, 0)


def test_ours_gets_everything_through(figures: dict[str, dict[str, Any]]) -> None:
    found = figures["qstash-jobs run, then run --continue"]
    assert found["in_doubt"] == found["failed"] == 0


def test_the_mishaps_are_such_that_the_sdk_as_it_comes_doubles_and_errs(
    figures: dict[str, dict[str, Any]],
) -> None:
    found = figures["SDK"]
    assert found["extra"] > 0
    assert found["false_errors"] > 0


def test_an_id_a_message_keeps_the_sdk_from_doubling(figures: dict[str, dict[str, Any]]) -> None:
    assert figures["SDK, an id a message"]["extra"] == 0
