"""A compiled job, variables and rows -> Messages that schema and rules have found in order."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from qstash_jobs.job import Job
from qstash_jobs.message import Message, MessageReader, ReadFile, UnreadableError
from qstash_jobs.prepare.collector import Collector
from qstash_jobs.prepare.compiled import CompiledJob
from qstash_jobs.problem import Finding, Location, Path, Problem, Severity
from qstash_jobs.render import Scope, Settled
from qstash_jobs.rows import Row
from qstash_jobs.rules import Context, check_message
from qstash_jobs.schema import are_concrete, check_concrete, is_concrete

ROW_KEY_BYTES = 200

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


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
                return

    def _name(self, row: Row, settled: Settled) -> str | None:
        """Give a row its key; None where that is none."""
        filled, faults = settled.fill(row.values)
        value = filled["key"]
        key = "" if value is None else str(value)
        fault = faults[0].message if faults else _key_fault(key)
        if fault is None:
            return key
        place = self._compiled.job.place(("for_each", "key"))
        self.problems.add(
            Problem(location=place, rule="row-key", message=fault, path=("for_each", "key")), row
        )
        return None

    def _make(self, row: Row | None, key: str | None) -> Message | None:
        self.missing_secrets = self._settled.missing_secrets
        fields, faults = self._settled.fill() if row is None else self._settled.fill(row.values)
        if faults:
            self._add(self._settled.problems(faults), row)
            return None
        if not self._checked and not self._is_concrete(fields):
            job = self._compiled.job
            self._add(check_concrete(job.kind, fields, _place_of(job)), row)
            return None
        try:
            message = self._reader.read(fields, row=row, row_key=key)
        except UnreadableError as error:
            self._add([locate(error.finding, self._compiled.job)], row)
            return None
        return message if self._checked or self._is_allowed(message) else None

    def _is_concrete(self, fields: Mapping[str, Any]) -> bool:
        if self._changed is None:
            return is_concrete(self._compiled.job.kind, fields)
        return are_concrete(self._compiled.job.kind, fields, self._changed)

    def _is_allowed(self, message: Message) -> bool:
        problems = check_message(message, self._context, changed=self._changed)
        if problems:
            self._add(problems, message.row)
            if any(problem.severity is Severity.ERROR for problem in problems):
                return False
        self._changed = self._compiled.changing
        return True

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
    if key.isascii() and key.isprintable() and 0 < len(key) <= ROW_KEY_BYTES:
        return None
    if not key:
        return "this row's key is empty"
    if len(key.encode()) > ROW_KEY_BYTES:
        return f"this row's key is longer than {ROW_KEY_BYTES} bytes"
    if _CONTROL.search(key):
        return "this row's key holds a control character"
    return None
