"""The tutorial, typed command by command into a terminal: what the page shows is what its reader sees.

The one difference: `dev` takes any free port, because 8080 may be somebody else's on this machine.
"""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from doc_blocks import DOCS, Block, read_blocks

PAGE = "tutorial.md"
SHOWN_FOLDER = "/home/you"
SHOWN_PLACE = "127.0.0.1:8080"
QUESTION = "[y/N] "
LINES, COLUMNS = 50, 130

RUN = re.compile(r"\b[0-9a-f]{8}(?:[0-9a-f]{4})?\b")
ANYTHING = (
    (RUN, "RUN"),
    (re.compile(r"\bmsg_\w+"), "MSG"),
    (re.compile(r"\bqj-[0-9a-f]{40}\b"), "ID"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d UTC"), "TIME"),
    (re.compile(r"\b(?:just )?now\b|\b\d+ (?:s|min) ago"), "AGO"),
    (re.compile(r"\bdue in \d+"), "due in N"),
    (re.compile(r"\bafter \d+ (?:ms|s)\b"), "after N"),
    (re.compile(r" +"), " "),
)
"""What is another one each time, and how many blanks make it a column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What the reader types, and what the page shows for it."""

    command: str
    shown: tuple[str, ...]
    answer: str | None = None
    """What the reader types at a question."""


def read_exchanges(block: Block) -> list[Exchange]:
    exchanges = []
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, *shown = part.splitlines()
        answers = [line.partition(QUESTION)[2] for line in shown if QUESTION in line]
        exchanges.append(
            Exchange(command=command, shown=tuple(shown), answer=answers[0] if answers else None)
        )
    return exchanges


STEPS = [
    step
    for block in read_blocks(PAGE, "console", "yaml", "csv")
    for step in (read_exchanges(block) if block.language == "console" else [block])
]


@dataclass(slots=True, kw_only=True)
class Reader:
    """Somebody who follows the page: a folder, a shell that keeps its settings, and the ids that they see."""

    home: Path
    env: dict[str, str]
    place: str = SHOWN_PLACE
    runs: dict[str, str] = field(default_factory=dict)
    """The page's run ids -> those of this reader."""
    servers: list[subprocess.Popen[str]] = field(default_factory=list)

    def write(self, block: Block) -> None:
        """Write a file that the page says to write."""
        assert block.path is not None, f"the page does not say where this goes: {block.text}"
        path = self.home / "shop" / block.path
        path.parent.mkdir(exist_ok=True)
        path.write_text(block.text, encoding="utf-8")

    def type(self, exchange: Exchange) -> list[str]:
        """Type a command of the page; return what it printed, in the page's words where those are the reader's own."""
        command = RUN.sub(lambda found: self.runs.get(found[0], found[0]), exchange.command)
        command = command.replace(SHOWN_PLACE, self.place)
        text = self._start_server() if command == "qstash-jobs dev" else self._run(command, exchange.answer)
        text = text.replace(str(self.home), SHOWN_FOLDER).replace(self.place, SHOWN_PLACE)
        return [line.rstrip() for line in text.splitlines()]

    def learn(self, shown: list[str], seen: list[str]) -> None:
        """Note which run ids stand for which."""
        for page, here in zip(shown, seen, strict=True):
            self.runs.update(zip(RUN.findall(page), RUN.findall(here), strict=True))

    def _run(self, command: str, answer: str | None) -> str:
        """Run a command in a shell on a terminal that takes up where the last one ended."""
        state = self.home / "state"
        keep = f"""{{ export -p; echo "cd '$PWD'"; echo "(exit $code)"; }} > "{state}\""""
        script = f'. "{state}"\n{command}\ncode=$?\n{keep}'
        state.touch()
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        with subprocess.Popen(
            ["bash", "-c", script], cwd=self.home, env=self.env, stdin=slave, stdout=slave, stderr=slave
        ) as process:
            os.close(slave)
            text = _talk(master, answer)
            assert process.wait(30) == 0
        os.close(master)
        return text

    def _start_server(self) -> str:
        server = subprocess.Popen(
            ["qstash-jobs", "dev", "--port", "0"],
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.servers.append(server)
        assert server.stdout is not None
        lines = [server.stdout.readline() for _ in range(5)]
        self.place = lines[0].strip().rpartition("/")[2]
        return "".join(lines)


def _talk(master: int, answer: str | None) -> str:
    """Read a terminal to its end, and answer its question."""
    seen = b""
    while True:
        try:
            block = os.read(master, 65_536)
        except OSError:  # Linux: EIO, once nobody holds the other end
            return seen.decode()
        seen += block
        if answer is not None and seen.endswith(QUESTION.encode()):
            os.write(master, f"{answer}\n".encode())
            answer = None


def blur(line: str) -> str:
    for pattern, word in ANYTHING:
        line = pattern.sub(word, line)
    return line.strip()


def comparable(lines: list[str]) -> list[str]:
    """Sort: messages travel on several connections, and their results come as they come."""
    return sorted(lines, key=blur)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    env = {
        "HOME": str(tmp_path),
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
    }
    reader = Reader(home=tmp_path, env=env | _coverage(os.environ))
    yield reader
    for server in reader.servers:
        server.send_signal(signal.SIGINT)
        assert server.wait(10) == 0
        assert server.stdout is not None
        server.stdout.close()


def _coverage(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(("COVERAGE", "PYTHONPATH"))}


def test_the_tutorial_shows_what_its_reader_sees(reader: Reader) -> None:
    for step in STEPS:
        if isinstance(step, Block):
            reader.write(step)
            continue
        seen, shown = comparable(reader.type(step)), comparable(list(step.shown))
        assert [blur(line) for line in seen] == [blur(line) for line in shown], step.command
        reader.learn(shown, seen)


def test_the_tutorial_installs_as_the_readme_does() -> None:
    install = read_blocks(PAGE, "sh")[0].text.splitlines()[0]
    assert f"\n{install}" in (DOCS.parent / "README.md").read_text(encoding="utf-8")


def test_the_tutorial_meets_every_command_that_it_promises() -> None:
    typed = {
        step.command.split()[1]
        for step in STEPS
        if isinstance(step, Exchange) and "qstash-jobs" in step.command
    }
    assert typed >= {"init", "validate", "plan", "run", "dev", "status", "runs", "show", "explain"}
