"""What became of messages, one by one -> what a document tells of them: rows that went well only with their job."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import field

from qstash_jobs.record import State
from qstash_jobs.report.history import MESSAGE_COLUMNS, STATES, write_row
from qstash_jobs.report.junit import Case, Kind, Verdict
from qstash_jobs.report.records import ResultLine, is_told_with_its_job, write_job
from qstash_jobs.report.sheet import Row, Sheet
from qstash_jobs.report.wording import name_state, write_totals
from qstash_jobs.value import dataclass

_KINDS: dict[str, Kind] = {
    "rejected": "failure",
    "partial": "failure",
    "skipped": "skipped",
    "abandoned": "skipped",
    "planned": "error",
    "waiting": "error",
    "in_doubt": "error",
    "sending": "error",
}
"""What has not passed: refused is a failure; what is open, or was somebody else's, is an error."""


@dataclass(slots=True, kw_only=True)
class Digest:
    """Messages as they are told."""

    told: list[tuple[ResultLine, bool]] = field(default_factory=list)
    """Those with a line of their own, and whether it was somebody else's message."""
    jobs: dict[str, Counter[str]] = field(default_factory=dict)
    """Of each job with rows, all its messages by state."""

    def add(self, result: ResultLine, *, job: str, foreign: bool = False) -> None:
        """Take one message."""
        if result.row:
            self.jobs.setdefault(job, Counter())[result.state] += 1
        if not (result.row and is_told_with_its_job(result.state)):
            self.told.append((result, foreign))

    def count(self, state: str) -> int:
        """Count the messages in a state."""
        rows = sum(totals[state] for totals in self.jobs.values())
        return rows + sum(result.state == state for result, _ in self.told if not result.row)

    def cases(self) -> list[Case]:
        """Make a test case of each message, and one of all the rows of a job that went well."""
        cases = [_judge(result, foreign=foreign) for result, foreign in self.told]
        for job, totals in self.jobs.items():
            if any(is_told_with_its_job(state) for state in totals):
                cases.append(Case(group=_name_group(job), name=job, output=(write_job(job, totals),)))
        return cases

    def sheet(self, title: str, facts: Iterable[tuple[str, str]]) -> Sheet:
        """Make a table of the messages, and of the jobs with rows."""
        return Sheet(
            title=title,
            facts=tuple(facts),
            columns=MESSAGE_COLUMNS,
            rows=[*(write_row(result) for result, _ in self.told), *self._write_jobs()],
            styles=STATES,
        )

    def _write_jobs(self) -> Iterator[Row]:
        for job, totals in self.jobs.items():
            word = name_state(next(iter(totals))) if len(totals) == 1 else "done"
            yield word, job, "", write_totals(totals), ""


def leave_case(messages: int) -> Case:
    """Make a test case of the messages that a run did not come to."""
    text = f"{messages:,} not reached before the run ended"
    return _fail("not reached", State.PLANNED, text)


def break_case(reason: str) -> Case:
    """Make a test case of a run that broke off, so that what went well before does not pass for all of it."""
    return _fail("broke off", "broke off", reason)


def _fail(name: str, type_: str, message: str) -> Case:
    verdict = Verdict(kind="error", type=type_, message=message)
    return Case(group="qstash-jobs.run", name=name, verdict=verdict)


def _judge(result: ResultLine, *, foreign: bool) -> Case:
    kind = "error" if foreign else _KINDS.get(result.state)
    ids = ", ".join(result.message_ids)
    verdict = None
    if kind is not None:
        answer = f"{result.status or ''} {result.error or ''}".strip()
        lines = [f"{result.file}:{result.line}", answer if result.reason else "", ids]
        verdict = Verdict(
            kind=kind,
            type=result.state,
            message=result.reason or answer or name_state(result.state),
            lines=tuple(filter(None, lines)),
        )
    return Case(
        group=_name_group(result.name),
        name=result.name,
        verdict=verdict,
        took_s=None if result.elapsed_ms is None else result.elapsed_ms / 1000,
        output=(ids,) if verdict is None and ids else (),
    )


def _name_group(name: str) -> str:
    """Name the file that a job's name begins with."""
    return name.partition(":")[0]
