"""The page about Python: its examples run in their order, and print what it shows."""

import io
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from doc_blocks import DOCS, read_blocks

from qstash_jobs import errors
from qstash_jobs.api import ProblemsError
from qstash_jobs.local import LocalServer, start_server

PAGE = "python.md"
BLOCKS = read_blocks(PAGE, "python", "text")
EXAMPLES = [
    (block.text, after.text if after is not None and after.language == "text" else "")
    for block, after in zip(BLOCKS, [*BLOCKS[1:], None], strict=True)
    if block.language == "python"
]
CLASSES = re.findall(r"^\| `(\w+Error)` \| (\d) \|", (DOCS / PAGE).read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServer]:
    [job] = read_blocks(PAGE, "yaml")
    assert job.path == "jobs/shop.yaml"
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "shop.yaml").write_text(job.text, encoding="utf-8")
    (tmp_path / "qstash-jobs.yaml").write_text("project: shop\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name in ("CREDENTIALS_DIRECTORY", "QSTASH_JOBS_LEDGER"):
        monkeypatch.delenv(name, raising=False)
    with start_server() as server:
        monkeypatch.setenv("QSTASH_URL", server.url)
        monkeypatch.setenv("QSTASH_TOKEN", server.token)
        monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
        yield server


def blur(text: str) -> list[str]:
    """Sort: messages travel on several connections. An id is another one each time."""
    return sorted(re.sub(r"msg_\w+", "msg_", line) for line in text.splitlines())


@pytest.mark.usefixtures("server")
def test_the_examples_print_what_the_page_shows() -> None:
    names: dict[str, Any] = {}
    for code, shown in EXAMPLES:
        printed, end = io.StringIO(), None
        with redirect_stdout(printed):
            try:
                exec(compile(code, f"docs/{PAGE}", "exec"), names)
            except SystemExit as error:
                end = error.code
        assert end in (None, 0)
        assert blur(printed.getvalue()) == blur(shown), code


@pytest.mark.parametrize(("name", "exit_code"), CLASSES)
def test_an_error_has_the_exit_code_that_the_page_gives(name: str, exit_code: str) -> None:
    kind = ProblemsError if name == "ProblemsError" else getattr(errors, name)
    assert kind.exit_code == int(exit_code)


def test_every_error_is_on_the_page() -> None:
    kinds = {
        kind.__name__ for kind in errors.StopError.__subclasses__() if kind.__module__ == errors.__name__
    }
    assert {name for name, _ in CLASSES} == kinds | {"ProblemsError"}
