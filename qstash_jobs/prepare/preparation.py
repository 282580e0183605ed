"""A compiled job, variables and rows -> Messages that schema and rules have found in order."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from qstash_jobs.job import Job
from qstash_jobs.message import Message, MessageReader, ReadFile, UnreadableError
from qstash_jobs.prepare.collector import Collector
from qstash_jobs.prepare.compiled import CompiledJob
from qstash_jobs.prepare.composite import Composite, find_composite
from qstash_jobs.prepare.keys import find_key_fault
from qstash_jobs.problem import Finding, Location, Path, Problem, Severity
from qstash_jobs.render import Scope, Settled
from qstash_jobs.rows import Row, Table
from qstash_jobs.rules import Context, check_message
from qstash_jobs.schema import are_concrete, check_concrete, is_concrete


class Surveyed(NamedTuple):
    """Rows that are in order."""

    message: Message
    """The one row's, or one like those of all."""
    rows: int
    keys: Sequence[str]
    """Of the rows, where the job names them."""


class Preparation:
    """Makes a job's messages in one scope; what no row changes is filled, checked and read once.

    `checked` says that every message of these rows was made before and found in order: schema and rules would say
    the same again.
    """

    def __init__(
        self,
        compiled: CompiledJob,
        *,
        scope: Scope,
        context: Context,
        read_file: ReadFile,
        group_names: Mapping[str, str],
        checked: bool = False,
    ) -> None:
        self._compiled = compiled
        self._settled = Settled(compiled.template, scope)
        self._key = None if compiled.key is None else Settled(compiled.key, scope)
        self._context = context
        self._checked = checked
        self._changed: frozenset[str] | None = None
        """The fields that may differ from those of a message that was found in order; None before there is one."""
        self._reader = MessageReader(
            compiled.job,
            read_file=read_file,
            changing=compiled.changing,
            secret_headers=compiled.secret_headers,
            secrets=self._settled.secrets,
            outside=self._settled.outside,
            group_names=group_names,
        )
        self.problems = Collector()
        self._has_given_up = False
        """So much is wrong that the rest of the rows is not read."""
        self.missing_secrets: frozenset[str] = frozenset()

    def messages(self, rows: Iterable[Row] | None) -> Iterator[Message]:
        """Yield the messages that are in order; what is wrong with the others is collected."""
        if rows is None:
            message = self._make(None, None)
            if message is not None:
                yield message
            return
        for row in rows:
            key = None if self._key is None else self._name(row, self._key)
            message = None if key is None and self._key is not None else self._make(row, key)
            if message is not None:
                yield message
            elif self.problems.is_full:
                self._has_given_up = True
                return

    def survey(self, rows: Iterable[Row] | None) -> Iterator[Surveyed]:
        """Check rows one by one."""
        for message in self.messages(rows):
            yield Surveyed(message, 1, () if message.row_key is None else (message.row_key,))

    def survey_tables(self, tables: Iterable[Table]) -> Iterator[Surveyed]:
        """Check the rows of tables: those of a table as one, behind a first row that was in order by itself.

        Where that one is not, each is checked by itself; so what is told of them is what `survey` tells.
        """
        composite = find_composite(self._compiled)
        for table in tables:
            if composite is None:
                yield from self.survey(table.rows())
            else:
                yield from self._survey_together(table, composite)
            if self._has_given_up:
                return

    def _survey_together(self, table: Table, composite: Composite) -> Iterator[Surveyed]:
        if self._changed is None:
            first, table = table.split()
            yield from self.survey(first.rows())
        joined = None if self._changed is None else composite.join(table)
        if joined is not None:
            row, keys = joined
            message, problems = self._attempt(row, None)
            if message is not None and not problems:
                yield Surveyed(message, len(table.records), keys)
                return
        if not self._has_given_up:
            yield from self.survey(table.rows())

    def _name(self, row: Row, settled: Settled) -> str | None:
        """Give a row its key; None where that is none."""
        filled, faults = settled.fill(row.values)
        value = filled["key"]
        key = "" if value is None else str(value)
        fault = faults[0].message if faults else find_key_fault(key)
        if fault is None:
            return key
        place = self._compiled.job.place(("for_each", "key"))
        self.problems.add(
            Problem(location=place, rule="row-key", message=fault, path=("for_each", "key")), row
        )
        return None

    def _make(self, row: Row | None, key: str | None) -> Message | None:
        self.missing_secrets = self._settled.missing_secrets
        message, problems = self._attempt(row, key)
        if problems:
            for problem in problems:
                self.problems.add(problem, row)
            if any(problem.severity is Severity.ERROR for problem in problems):
                return None
        self._changed = self._compiled.changing
        return message

    def _attempt(self, row: Row | None, key: str | None) -> tuple[Message | None, list[Problem]]:
        """Make a message and say what is wrong with it; None where it cannot be made."""
        job = self._compiled.job
        fields, faults = self._settled.fill() if row is None else self._settled.fill(row.values)
        if faults:
            return None, self._settled.problems(faults)
        if not self._checked and not self._is_concrete(fields):
            return None, check_concrete(job.kind, fields, _place_of(job))
        try:
            message = self._reader.read(fields, row=row, row_key=key)
        except UnreadableError as error:
            return None, [locate(error.finding, job)]
        if self._checked:
            return message, []
        return message, check_message(message, self._context, changed=self._changed)

    def _is_concrete(self, fields: Mapping[str, Any]) -> bool:
        if self._changed is None:
            return is_concrete(self._compiled.job.kind, fields)
        return are_concrete(self._compiled.job.kind, fields, self._changed)


def _place_of(job: Job) -> Callable[[Path, bool], Location]:
    return lambda path, key: job.place(path, key=key)


def locate(finding: Finding, job: Job) -> Problem:
    """Turn a finding into a problem at its place in the job's file."""
    return Problem(
        location=job.place(finding.path),
        rule=finding.rule,
        message=finding.message,
        hint=finding.hint,
        path=finding.path,
        severity=finding.severity,
    )
