"""The output boundary: every text of the program leaves through here, with the known secrets masked."""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from itertools import islice
from typing import TYPE_CHECKING, Literal, TextIO

from qstash_jobs.errors import StopError
from qstash_jobs.mask import Mask
from qstash_jobs.problem import Problem
from qstash_jobs.report.escape import escape
from qstash_jobs.report.layout import cut
from qstash_jobs.value import dataclass

if TYPE_CHECKING:
    from qstash_jobs.report.log import Level

_ERASE = "\r\x1b[2K"
"""ECMA-48: back to the line's start, and the line erased."""

LINES_AT_ONCE = 100

LogFormat = Literal["text", "json"]


class OutputError(StopError):
    """results cannot be written"""

    exit_code = 6


@dataclass(slots=True)
class Terminal:
    """Results go to stdout, everything else to stderr: as text, or as a JSON object on each line."""

    quiet: bool = False
    log_format: LogFormat = "text"
    """How stderr is written; results are what they are."""
    mask: Mask = field(default_factory=lambda: Mask({}))
    is_deserted: bool = False
    """Whoever read stdout has gone, as `head` does; what is still written goes nowhere."""
    has_status: bool = False
    """A line stands on the terminal that the next one takes the place of."""

    def result(self, text: str) -> None:
        """Print a result: one line, or one document. OutputError, once, where stdout does not take it."""
        try:
            self._write(sys.stdout, text)
        except BrokenPipeError:
            self.is_deserted = True
            silence(sys.stdout)
        except (OSError, ValueError) as error:
            silence(sys.stdout)
            raise OutputError(f"stdout cannot be written: {explain_error(error)}") from error

    def results(self, lines: Iterable[str]) -> None:
        """Print results as they come, a line each; no more than somebody reads."""
        for line in lines:
            self.result(line)
            if self.is_deserted:
                return

    def note(self, text: str, **facts: object) -> None:
        """Print progress or totals; nothing with --quiet. `facts` are for a log that machines read."""
        if not self.quiet:
            self._say("info", text, facts)

    def notes(self, lines: Iterable[str]) -> None:
        """Print lines of progress that are there at once, some with each write: there may be thousands."""
        waiting = iter(lines)
        at_once = 1 if self.log_format == "json" else LINES_AT_ONCE
        while part := list(islice(waiting, at_once)):
            self.note("\n".join(part))

    def warn(self, text: str, **facts: object) -> None:
        """Print what has to be seen even with --quiet. Where nobody can be told, the exit code still tells."""
        self._say("warning", text, facts)

    def fail(self, text: str, **facts: object) -> None:
        """Print what went wrong."""
        self._say("error", text, facts)

    def status(self, text: str) -> None:
        """Show a line that is written over by whatever comes next; an empty one only takes the last one away."""
        if not text and not self.has_status:
            return
        try:
            sys.stderr.write(f"{_ERASE}{cut(text, self.error_width)}")
            sys.stderr.flush()
        except (OSError, ValueError):
            silence(sys.stderr)
        self.has_status = bool(text)

    @property
    def takes_status(self) -> bool:
        """Whether a line that is written over makes sense: a person looks at a terminal that can do it."""
        dumb = os.environ.get("TERM") == "dumb"  # noqa: TID251 - the terminal's own
        return sys.stderr.isatty() and not self.quiet and self.log_format == "text" and not dumb

    def ask(self, question: str) -> bool:
        """Ask a person on stderr; yes only for a clear yes."""
        sys.stderr.write(self.mask.hide(escape(question)))
        sys.stderr.flush()
        answer = sys.stdin.readline()
        if not answer.endswith("\n"):
            sys.stderr.write("\n")
        return answer.strip().lower() in ("y", "yes")

    def problems(self, found: Sequence[Problem], *, files: int) -> bool:
        """Show what is wrong with job files on stderr; say whether it keeps a command from going on."""
        if not found:
            return False
        from qstash_jobs.problem import Severity
        from qstash_jobs.report.problems import summarise_problems, write_problems

        errors = any(problem.severity is Severity.ERROR for problem in found)
        say = self.fail if errors else self.note
        if self.log_format == "json":
            self._log_problems(found, are_errors=errors)
        else:
            for line in write_problems(found, width=self.error_width, colour=self.error_colour):
                say(line)
        say(summarise_problems(found, files=files))
        return errors

    def _log_problems(self, found: Sequence[Problem], *, are_errors: bool) -> None:
        from qstash_jobs.report.log import collect_problem

        for problem in found:
            if are_errors or not self.quiet:
                self._say(problem.severity.value, problem.message, collect_problem(problem))

    @property
    def is_interactive(self) -> bool:
        """Whether a person can be asked."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    @property
    def width(self) -> int | None:
        """Columns of the terminal; None in a pipe, where nothing is cut."""
        return _columns(sys.stdout)

    @property
    def error_width(self) -> int | None:
        return _columns(sys.stderr)

    @property
    def colour(self) -> bool:
        """Whether colour may be added to stdout: no-color.org, and a terminal that has any."""
        return _colour(sys.stdout)

    @property
    def error_colour(self) -> bool:
        return _colour(sys.stderr)

    def _say(self, level: "Level", text: str, facts: Mapping[str, object]) -> None:
        line = text
        if self.log_format == "json":
            from qstash_jobs.api.world import system_clock
            from qstash_jobs.report.log import write_log_line

            line = write_log_line(system_clock().now(), level, text, facts)
        try:
            self._write(sys.stderr, line)
        except (OSError, ValueError):
            silence(sys.stderr)

    def _write(self, stream: TextIO, text: str) -> None:
        self.status("")
        stream.write(self.mask.hide(text) + "\n")
        stream.flush()


def _columns(stream: TextIO) -> int | None:
    if not stream.isatty():
        return None
    from shutil import get_terminal_size

    return get_terminal_size().columns


def _colour(stream: TextIO) -> bool:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"  # noqa: TID251 - the terminal's own
    return stream.isatty() and not plain


def silence(stream: TextIO) -> None:
    """Point a stream at nothing: what is left in it would fail again when the interpreter ends."""
    with suppress(OSError, ValueError):
        handle = os.open(os.devnull, os.O_WRONLY)
        os.dup2(handle, stream.fileno())
        os.close(handle)


def explain_error(error: OSError | ValueError) -> str:
    """Say in the system's words why something cannot be written or read."""
    return (getattr(error, "strerror", None) or str(error)).lower()
