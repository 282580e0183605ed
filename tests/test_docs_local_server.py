"""The page about the local server: its commands run, its example prints what it shows, its tables name all there is."""

import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import get_args, get_type_hints
from urllib.request import Request, urlopen

import pytest
from doc_blocks import DOCS, read_blocks

from qstash_jobs.local import Switches, start_server
from qstash_jobs.local.routes import ROUTES
from qstash_jobs.local.world.faults import COMMON, FAMILIES, KINDS

WAIT_S = 60
"""A start costs half a second of a processor, a first one some more, and of a machine on which others work it may get
a tenth."""

PAGE = "local-server.md"
TEXT = (DOCS / PAGE).read_text(encoding="utf-8")
COMMANDS = [line for block in read_blocks(PAGE, "sh") for line in block.text.splitlines()]
SERVERS = [line for line in COMMANDS if line.startswith("qstash-jobs dev")]
CALLS = [line for line in COMMANDS if line.startswith("curl ")]


def read_table(heading: str) -> dict[str, str]:
    """Read the tables below a heading: the word in the first column, and the row."""
    part = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `([\w-]+)` \|(.*)$", part, re.MULTILINE))


def test_every_command_is_run_here() -> None:
    assert sorted([*SERVERS, *CALLS]) == sorted(COMMANDS)
    assert (len(SERVERS), len(CALLS)) == (7, 5)


@pytest.mark.parametrize("command", SERVERS)
def test_a_server_is_started_as_the_page_says(tmp_path: Path, command: str) -> None:
    [users] = read_blocks(PAGE, "json")
    (tmp_path / "users.json").write_text(users.text, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "qstash_jobs", *shlex.split(command)[1:], "--port", "0"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    shown = read_blocks(PAGE, "text")[0].text.splitlines()
    try:
        printed = [process.stdout.readline().rstrip("\n") for _ in shown]
        assert re.sub(r":\d+$", ":8080", printed[0]) == shown[0]
        if "--users" in command:
            assert printed[1] == "export QSTASH_TOKEN=alice"
            assert [re.sub(r"sig_\w{28}$", "", row) for row in printed] != printed
        else:
            assert printed[1:] == shown[1:]
        # It listens for signals once it says so.
        assert process.stderr.readline().startswith("listening")
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT_S) == 0
    finally:
        process.kill()
        process.communicate()


def test_the_calls_do_what_the_page_says() -> None:
    with start_server() as server:
        names = {"QSTASH_URL": server.url, "QSTASH_TOKEN": server.token}
        answers = [call(line, names) for line in CALLS]
        advanced, made, listed, cleared, turned = answers
        assert (advanced, cleared) == (None, None)
        assert made["kind"] == "cut"
        assert listed == [made]
        assert turned["duplicate"] == "flag"


def call(line: str, names: dict[str, str]) -> object:
    """Do what a call of curl does."""
    words = [re.sub(r"\$(\w+)", lambda found: names[found[1]], word) for word in shlex.split(line)[1:]]
    url = next(word for word in words if word.startswith("http"))
    options = dict(pairwise(words))
    name, _, value = options["-H"].partition(": ")
    request = Request(
        url,
        data=options["-d"].encode() if "-d" in options else None,
        method=options.get("-X"),
        headers={name: value},
    )
    with urlopen(request, timeout=10) as reply:
        content = reply.read()
    return json.loads(content) if content else None


def test_the_example_prints_what_the_page_shows() -> None:
    code, _of_the_fixture = read_blocks(PAGE, "python")
    printed = io.StringIO()
    with redirect_stdout(printed):
        names: dict[str, object] = {}
        exec(compile(code.text, f"docs/{PAGE}", "exec"), names)
        names["client"].http._client.close()  # type: ignore[attr-defined]
    assert printed.getvalue() == read_blocks(PAGE, "text")[1].text


def test_the_tables_name_every_fault_with_its_fields_and_every_switch_with_its_values() -> None:
    faults = read_table("Faults")
    assert faults.keys() == KINDS.keys() | COMMON
    for kind, own in KINDS.items():
        assert set(re.findall(r"`(\w+)`", faults[kind].rpartition(" | ")[2])) - FAMILIES == own
    switches = read_table("Switches")
    assert list(switches) == [one.name for one in fields(Switches)]
    for name, kind in get_type_hints(Switches).items():
        first = switches[name].split("|")[0]
        values = [str(value) for value in get_args(kind)] or [str(getattr(Switches(), name))]
        assert [first.find(value) for value in values] == sorted(first.find(value) for value in values)
        assert all(value in first for value in values)
        assert str(getattr(Switches(), name)) == values[0]


def test_every_endpoint_has_a_line() -> None:
    part = TEXT.partition("\n## What there is\n")[2].partition("\n## ")[0]
    assert [name for name in ROUTES if not re.search(rf"[` ]{name}\b", part)] == []
