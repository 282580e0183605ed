"""How a run went, in one document: Markdown for the summary of a pipeline's step, JUnit for what reads test results."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

from qstash_jobs.problem import Problem, Severity
from qstash_jobs.record import State
from qstash_jobs.report.cases import write_problems_junit
from qstash_jobs.report.digest import Digest, break_case, leave_case
from qstash_jobs.report.junit import write_junit
from qstash_jobs.report.problems import summarise_problems, write_problems_markdown
from qstash_jobs.report.sheet import MARKDOWN_ROWS, write_markdown
from qstash_jobs.report.wording import write_totals
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What is said of a run beside its messages."""

    run: str | None = None
    """None where it did not begin."""
    facts: tuple[tuple[str, str], ...] = ()
    totals: Mapping[str, int] | None = None
    """None where it broke off."""
    broke_off: str | None = None
    """What broke it off, if something did."""
    problems: Sequence[Problem] = ()
    files: Sequence[str] = field(default_factory=tuple)
    """The job files that were read."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell: nobody wanted it to begin, or something kept it from that."""
        return self.run is None and not self.has_errors

    @property
    def has_errors(self) -> bool:
        return any(problem.severity is Severity.ERROR for problem in self.problems)


def write_conclusion_markdown(digest: Digest, conclusion: Conclusion) -> Iterator[str]:
    """Write what a run came to, what is wrong with its files, and a row for each job and each message to know of."""
    if conclusion.run is None:
        yield "## qstash-jobs run"
        yield ""
        yield f"nothing was sent: {summarise_problems(conclusion.problems, files=len(conclusion.files))}"
        yield ""
        yield from write_problems_markdown(conclusion.problems)
        return
    facts = conclusion.facts
    if conclusion.totals is not None:
        facts = (("messages", write_totals(conclusion.totals)), *facts)
    if conclusion.broke_off is not None:
        facts = (("broke off", conclusion.broke_off), *facts)
    yield from write_markdown([digest.sheet(f"qstash-jobs run {conclusion.run}", facts)], most=MARKDOWN_ROWS)
    yield from write_problems_markdown(conclusion.problems)


def write_conclusion_junit(digest: Digest, conclusion: Conclusion) -> str:
    """Write a test case for each message; for each file where its faults kept the run from beginning."""
    if conclusion.run is None:
        return write_problems_junit(conclusion.problems, files=conclusion.files)
    cases = digest.cases()
    unreached = (conclusion.totals or {}).get(State.PLANNED, 0) - digest.count(State.PLANNED)
    if unreached > 0:
        cases.append(leave_case(unreached))
    if conclusion.broke_off is not None:
        cases.append(break_case(conclusion.broke_off))
    return write_junit(cases, name=f"qstash-jobs run {conclusion.run}", facts=conclusion.facts)
