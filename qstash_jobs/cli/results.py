"""Settled messages -> lines on stdout and in the results file, as they come."""

from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from qstash_jobs.api.results import describe
from qstash_jobs.cli.terminal import Terminal
from qstash_jobs.errors import UsageError
from qstash_jobs.publish import Settlement
from qstash_jobs.record import State
from qstash_jobs.report.records import write_job, write_result, write_result_json

FINE = (State.PUBLISHED, State.DEDUPLICATED, "skipped")


class Results:
    """Prints each result once the ledger has it; a job with rows gets one line at the end."""

    def __init__(self, terminal: Terminal, format_: str, path: Path | None) -> None:
        self._terminal = terminal
        self._format = format_
        self._path = path
        self._file: TextIO | None = None
        self._rows: dict[str, Counter[str]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if self._path is not None:
            try:
                self._file = self._stack.enter_context(self._path.open("a", encoding="utf-8"))
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                raise UsageError(f"--results {self._path} cannot be written: {reason}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def tell(self, run: str, settlement: Settlement) -> None:
        """Show one message that the run is done with."""
        result = describe(run, settlement)
        if self._file is not None:
            self._file.write(self._terminal.mask.hide(write_result_json(result)) + "\n")
            self._file.flush()
        if self._format == "jsonl":
            self._terminal.result(write_result_json(result))
            return
        if result.row:
            self._rows.setdefault(settlement.envelope.message.job.name, Counter())[result.state] += 1
        line = write_result(result, colour=self._terminal.colour)
        if line is not None and not (self._terminal.quiet and result.state in FINE):
            self._terminal.result(line)

    def end(self) -> None:
        """Show the jobs with rows."""
        for job, totals in self._rows.items():
            if not (self._terminal.quiet and set(totals) <= set(FINE)):
                self._terminal.result(write_job(job, totals, colour=self._terminal.colour))
