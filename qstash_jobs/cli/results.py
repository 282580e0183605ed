"""Settled messages -> lines on stdout and in the results file, as they come."""

import os
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from qstash_jobs.api.results import describe
from qstash_jobs.cli.terminal import OutputError, Terminal, explain_error
from qstash_jobs.errors import UsageError
from qstash_jobs.publish import Settlement
from qstash_jobs.record import State
from qstash_jobs.report.records import (
    ResultLine,
    is_told_with_its_job,
    write_job,
    write_result,
    write_result_json,
)

if TYPE_CHECKING:
    from qstash_jobs.report.conclusion import Conclusion

FINE = (State.PUBLISHED, State.DEDUPLICATED, "skipped")


class Results:
    """Prints each result once the ledger has it; a job with rows gets one line at the end."""

    def __init__(self, terminal: Terminal, format_: str, path: Path | None) -> None:
        self._terminal = terminal
        self._format = format_
        self._path = path
        self._file: TextIO | None = None
        self._rows: dict[str, Counter[str]] = {}
        self._told: list[tuple[ResultLine, bool]] = []
        """What a document tells one by one, and whether it was somebody else's message."""
        self._stack = ExitStack()
        self._has_ended = False
        self.has_failed = False
        """Some results could not be shown or kept."""

    def __enter__(self) -> Self:
        if self._path is not None:
            try:
                self._file = self._stack.enter_context(_open_to_append(self._path))
            except OSError as error:
                raise UsageError(
                    f"--results {self._path} cannot be written: {explain_error(error)}"
                ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # of a disk that is full, which is told by now
            self._stack.close()

    def tell(self, run: str, settlement: Settlement) -> None:
        """Show one message that the run is done with. Where it cannot be shown, the run goes on: the ledger has it."""
        if settlement.envelope.slot.row and self._format != "jsonl":
            job = settlement.envelope.message.job.name
            self._rows.setdefault(job, Counter())[str(settlement.state)] += 1
            if self._file is None and is_told_with_its_job(settlement.state):
                return
        result = describe(run, settlement)
        self._keep(result)
        if self._format == "jsonl":
            self._show(write_result_json(result))
            return
        if self._format != "text":
            self._gather(result, foreign=settlement.foreign)
            return
        line = write_result(result, colour=self._terminal.colour)
        is_fine = result.state in FINE and not settlement.foreign
        if line is not None and not (self._terminal.quiet and is_fine):
            self._show(line)

    def end(self, conclude: "Callable[[], Conclusion]") -> None:
        """Show the jobs with rows, or the document in which all is told at once."""
        self._has_ended = True
        if self._format in ("markdown", "junit"):
            self._show_document(conclude())
        if self._format != "text":
            return
        for job, totals in self._rows.items():
            if not (self._terminal.quiet and set(totals) <= set(FINE)):
                self._show(write_job(job, totals, colour=self._terminal.colour))

    def _gather(self, result: ResultLine, *, foreign: bool) -> None:
        """Keep what a document tells; its secrets are hidden first, as it cuts texts and takes them apart."""
        if result.row and is_told_with_its_job(result.state):
            return
        hide = self._terminal.mask.hide
        hidden = replace(
            result,
            name=hide(result.name),
            reason=None if result.reason is None else hide(result.reason),
            error=None if result.error is None else hide(result.error),
        )
        self._told.append((hidden, foreign))

    def _show_document(self, conclusion: "Conclusion") -> None:
        from qstash_jobs.report.conclusion import write_conclusion_junit, write_conclusion_markdown
        from qstash_jobs.report.digest import Digest

        if conclusion.is_empty:
            return
        digest = Digest(told=self._told, jobs=self._rows)
        if self._format == "junit":
            self._show(write_conclusion_junit(digest, conclusion))
        else:
            self._show("\n".join(write_conclusion_markdown(digest, conclusion)))

    def _show(self, line: str) -> None:
        try:
            self._terminal.result(line)
        except OutputError as error:
            self._fail(str(error))

    def _keep(self, result: ResultLine) -> None:
        if self._file is None:
            return
        try:
            self._file.write(self._terminal.mask.hide(write_result_json(result)) + "\n")
            self._file.flush()
        except OSError as error:
            self._file = None
            self._fail(f"--results {self._path} cannot be written: {explain_error(error)}")

    def _fail(self, what: str) -> None:
        self.has_failed = True
        goes_on = "" if self._has_ended else "the run goes on, and "
        self._terminal.warn(f"{what}; {goes_on}the ledger keeps its results")


def _open_to_append(path: Path) -> TextIO:
    """Open a file without ever waiting: a pipe that nobody reads would block for good."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0), 0o666)
    os.set_blocking(handle, True)
    return os.fdopen(handle, "a", encoding="utf-8")
