"""A compiled job, variables and rows -> Messages that schema and rules have found in order."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from qstash_jobs.identity import message_name
from qstash_jobs.job import Job
from qstash_jobs.message import Message, MessageReader, ReadFile, UnreadableError
from qstash_jobs.prepare.collector import Collector
from qstash_jobs.prepare.compiled import CompiledJob
from qstash_jobs.problem import Finding, Location, Path, Problem, Severity
from qstash_jobs.render import Filled, Scope
from qstash_jobs.rows import Row
from qstash_jobs.rules import Context, check_message
from qstash_jobs.schema import check_concrete, is_concrete

ROW_KEY_BYTES = 200

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Preparation:
    """Makes a job's messages in one scope.

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
        self._template = compiled.template.settle(scope) if compiled.changing else compiled.template
        self._scope = scope
        self._context = context
        self._checked = checked
        self._reader = MessageReader(
            compiled.job,
            read_file=read_file,
            secret_body=compiled.secret_body,
            secret_headers=compiled.secret_headers,
            group_names=group_names,
        )
        self.problems = Collector()
        self.missing_secrets: set[str] = set()

    def messages(self, rows: Iterable[Row] | None) -> Iterator[Message]:
        """Yield the messages that are in order; what is wrong with the others is collected."""
        if rows is None:
            message = self._make(None, self._scope, changed=None)
            if message is not None:
                yield message
            return
        changed: frozenset[str] | None = None
        for row in rows:
            scope = self._scope.with_row(row.values)
            named = self._name(row, scope)
            message = None if named is None else self._make(named, scope, changed=changed)
            if message is not None:
                yield message
                changed = self._compiled.changing
            elif self.problems.is_full:
                return

    def _name(self, row: Row, scope: Scope) -> Row | None:
        if self._compiled.key is None:
            return row
        filled = self._compiled.key.fill(scope)
        key = "" if filled.findings or filled.value is None else str(filled.value)
        fault = filled.findings[0].message if filled.findings else _key_fault(key)
        if fault is None:
            return Row(number=row.number, values=row.values, file=row.file, line=row.line, key=key)
        place = self._compiled.job.place(("for_each", "key"))
        self.problems.add(
            Problem(location=place, rule="row-key", message=fault, path=("for_each", "key")), row
        )
        return None

    def _make(self, row: Row | None, scope: Scope, *, changed: frozenset[str] | None) -> Message | None:
        filled = self._template.fill(scope)
        self.missing_secrets |= filled.missing_secrets
        if filled.findings:
            self._add(self._template.problems(filled), row)
            return None
        if self._checked:
            return self._read(filled, row)
        job = self._compiled.job
        if not is_concrete(job.kind, filled.value):
            self._add(check_concrete(job.kind, filled.value, _place_of(job)), row)
            return None
        return self._check(self._read(filled, row), changed, row)

    def _read(self, filled: Filled, row: Row | None) -> Message | None:
        job = self._compiled.job
        try:
            return self._reader.read(
                filled.value,
                name=job.name if row is None else message_name(job.name, row.key or str(row.number)),
                row=row,
                secrets=filled.secrets,
                outside=filled.outside,
            )
        except UnreadableError as error:
            self._add([locate(error.finding, job)], row)
            return None

    def _check(
        self, message: Message | None, changed: frozenset[str] | None, row: Row | None
    ) -> Message | None:
        if message is None:
            return None
        problems = check_message(message, self._context, changed=changed)
        self._add(problems, row)
        return None if any(problem.severity is Severity.ERROR for problem in problems) else message

    def _add(self, problems: Iterable[Problem], row: Row | None) -> None:
        for problem in problems:
            self.problems.add(problem, row)


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


def _key_fault(key: str) -> str | None:
    if not key:
        return "this row's key is empty"
    if len(key.encode()) > ROW_KEY_BYTES:
        return f"this row's key is longer than {ROW_KEY_BYTES} bytes"
    if _CONTROL.search(key):
        return "this row's key holds a control character"
    return None
