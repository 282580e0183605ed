"""A Job and its file's Scope -> a Task: read once to check and count every row, and again to make the messages."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from qstash_jobs.files import ChangedError, FileError, Reading, inside, read_body
from qstash_jobs.job import Job
from qstash_jobs.message import Message, UnreadableError
from qstash_jobs.prepare import KeyCheck, Preparation, compile_job
from qstash_jobs.problem import Finding, Location, Problem, Severity
from qstash_jobs.render import Scope
from qstash_jobs.rows import Format, Row, RowError, Table, read_rows, read_tables
from qstash_jobs.rules import Context
from qstash_jobs.value import dataclass

FORMATS: Mapping[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".yaml": "yaml",
    ".yml": "yaml",
}
"""What a data file's suffix says of it."""


NAMES = 1_000
"""Names of groups and of queues that are remembered, to be looked up; the rows of a file could name millions."""


@dataclass(slots=True)
class Named:
    """What messages name of the account, and where each name stands first."""

    groups: dict[str, Location] = field(default_factory=dict)
    queues: dict[str, Location] = field(default_factory=dict)

    def note(self, message: Message) -> None:
        """Note what one message names."""
        if (
            message.url_group is not None
            and len(self.groups) < NAMES
            and message.url_group not in self.groups
        ):
            self.groups[message.url_group] = message.job.place(("url_group",))
        if message.queue is not None and len(self.queues) < NAMES and message.queue not in self.queues:
            self.queues[message.queue] = message.job.place(("queue",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What the first pass over a job found."""

    messages: int = 0
    problems: tuple[Problem, ...] = ()
    missing_secrets: frozenset[str] = frozenset()
    enabled: bool = True


class Task:
    """One job of a run."""

    def __init__(
        self,
        job: Job,
        *,
        scope: Scope,
        context: Context,
        file: Path,
        root: Path,
        group_names: Mapping[str, str],
    ) -> None:
        self.job = job
        self._group_names = group_names
        self._scope = scope
        self._context = context
        self._file = file
        self._root = root
        self._compiled, self._problems = compile_job(job)
        self._about = self._fill_about() if not self._problems else {}
        self._reading: Reading | None = None
        self._is_checked = False

    @property
    def is_enabled(self) -> bool:
        return self._about.get("enabled") is not False

    @property
    def says_enabled(self) -> bool:
        """Whether the job or a default says anything of it."""
        return ("enabled",) in self.job.origins

    @property
    def _is_made(self) -> bool:
        """Whether there is a message: a disabled schedule stands in the account all the same, paused."""
        return self.is_enabled or self.job.kind == "schedule"

    @property
    def names_rows_by_number(self) -> bool:
        """Whether rows have no key of their own, so that another order of rows makes other messages."""
        return self.job.for_each is not None and self._compiled.key is None

    def check(self, note: Callable[[Message, int], None], *, each: bool = False) -> Checked:
        """Check every row: count the messages, and find what is wrong with them; none is kept.

        `note` is given messages, and how many there are of each that differ in their bodies only; with `each`, it is
        given every one.
        """
        if self._problems or not self._is_made:
            return Checked(problems=tuple(self._problems), enabled=self.is_enabled)
        preparation = self._prepare()
        keys = KeyCheck()
        count = 0
        problems: list[Problem] = []
        try:
            tables = None if each else self._tables()
            surveyed = (
                preparation.survey(self._rows()) if tables is None else preparation.survey_tables(tables)
            )
            for message, rows, row_keys in surveyed:
                count += rows
                note(message, rows)
                keys.add(row_keys)
            problems += self._repeated_keys(keys)
        except RowError as error:
            problems.append(_row_problem(error))
        except FileError as error:
            problems.append(self._file_problem(str(error)))
        # a body's file is read again for the second pass, and nobody has said yet that it is the same
        self._is_checked = not preparation.problems.has_errors and "body_file" not in self.job.fields
        return Checked(
            messages=count,
            problems=(*preparation.problems.problems(), *problems),
            missing_secrets=preparation.missing_secrets,
            enabled=self.is_enabled,
        )

    def messages(self) -> Iterator[Message]:
        """Make the messages, of the rows that the first pass saw; ChangedError where they are others by now."""
        if self.is_enabled:
            preparation = self._prepare(checked=self._is_checked)
            yield from preparation.messages(self._rows())
            for problem in preparation.problems.problems():
                if problem.severity is Severity.ERROR:
                    place = f"{problem.location.file}:{problem.location.line}"
                    raise ChangedError(
                        f"{place} was in order when it was checked, and is not now: {problem.message}"
                    )

    def _prepare(self, *, checked: bool = False) -> Preparation:
        return Preparation(
            self._compiled,
            scope=self._scope,
            context=self._context,
            read_file=self._read_body,
            group_names=self._group_names,
            checked=checked,
        )

    def _fill_about(self) -> dict[str, Any]:
        about = self._compiled.about
        if about is None:
            return {}
        filled = about.fill(self._scope)
        self._problems += about.problems(filled)
        value = filled.value or {}
        if not isinstance(value.get("enabled"), bool):
            self._problems.append(
                self._problem("enabled", "schema-type", "`enabled` has to be true or false")
            )
        return dict(value)

    # rows

    def _rows(self) -> Iterator[Row] | None:
        for_each = self._about.get("for_each")
        if for_each is None:
            return None
        if isinstance(for_each, list):
            return self._inline(for_each)
        return self._from_file(for_each)

    def _inline(self, items: list[Any]) -> Iterator[Row]:
        for number, values in enumerate(items, 1):
            line = self.job.place(("for_each", number - 1)).line
            if not isinstance(values, dict):
                raise RowError("a row has to be a mapping of names to values", file=self.job.file, line=line)
            yield Row(number=number, values=values, file=self.job.file, line=line)

    def _from_file(self, for_each: str | dict[str, Any]) -> Iterator[Row]:
        # what is wrong with the file is told where its first row is asked for
        yield from read_rows(**self._open(for_each))

    def _tables(self) -> Iterator[Table] | None:
        """Read the rows as tables; None where they are in no csv or tsv file."""
        for_each = self._about.get("for_each")
        if for_each is None or isinstance(for_each, list):
            return None
        opened = self._open(for_each)
        return read_tables(**opened) if opened["format"] in ("csv", "tsv") else None

    def _open(self, for_each: str | dict[str, Any]) -> dict[str, Any]:
        """Open a data file and gather what reading it takes."""
        told = {"file": for_each} if isinstance(for_each, str) else for_each
        file = told["file"]
        path = inside(self._file.parent / file, self._root, shown=file)
        format_ = FORMATS.get(Path(file).suffix.lower())
        if format_ is None:
            raise FileError(f"{file} has to end in one of {', '.join(FORMATS)}")
        if self._reading is None:
            self._reading = Reading(path, shown=file)
        return {
            "chunks": self._reading.blocks(),
            "format": format_,
            "file": file,
            "delimiter": told.get("delimiter"),
            "encoding": told.get("encoding", "utf-8"),
        }

    def _repeated_keys(self, keys: KeyCheck) -> list[Problem]:
        repeated = keys.repeated()
        if not repeated:
            return []
        first: dict[str, Row] = {}
        for message in self._prepare().messages(self._rows()):
            row, key = message.row, message.row_key
            if row is None or key is None or hash(key) not in repeated:
                continue
            if key in first:
                return [self._repeated_key(key, first[key], row)]
            first[key] = row
        return []

    def _repeated_key(self, key: str, first: Row, second: Row) -> Problem:
        where = (
            f"row {first.number:,}, {first.file}:{first.line}, and row {second.number:,}, line {second.line}"
        )
        return self._problem(
            "for_each",
            "row-key",
            f"two rows have the key {key}: {where}",
            hint="name a column, or an expression of several, that no two rows share",
        )

    # what goes wrong

    def _read_body(self, name: str) -> bytes:
        try:
            return read_body(self._file.parent / name, root=self._root, shown=name)
        except FileError as error:
            raise UnreadableError(
                Finding(path=("body_file",), rule="job-body-file", message=str(error))
            ) from error

    def _file_problem(self, message: str) -> Problem:
        return self._problem("for_each", "row-missing", message)

    def _problem(self, field: str, rule: str, message: str, hint: str | None = None) -> Problem:
        return Problem(
            location=self.job.place((field,)), rule=rule, message=message, hint=hint, path=(field,)
        )


def _row_problem(error: RowError) -> Problem:
    return Problem(
        location=Location(file=error.file, line=error.line, column=1),
        rule="row-syntax",
        message=str(error),
        hint=error.hint,
    )
