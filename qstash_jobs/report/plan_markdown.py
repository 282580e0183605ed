"""Planned messages -> Markdown for a pull request: a table for each job of what would be sent where.

A comment of GitHub's holds 65,536 characters, so the jobs past a limit are only counted. Secrets have to be masked
already.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, islice

from qstash_jobs.plan.messages import PlannedMessage
from qstash_jobs.problem import Problem
from qstash_jobs.report.bodies import preview_body
from qstash_jobs.report.markdown import write_code, write_fold, write_prose, write_table
from qstash_jobs.report.plans import ROWS_SHOWN, count_rows, describe_body
from qstash_jobs.report.problems import write_problems_markdown
from qstash_jobs.report.wording import count

MOST_CHARACTERS = 50_000
"""Of the jobs' sections; what stands around them needs room too."""

HEADER = ("", "message", "to", "with", "body", "id")


def write_plan_markdown(
    sections: Iterable[str],
    *,
    summary: Sequence[str],
    problems: Sequence[Problem] = (),
    environment: str = "",
) -> Iterator[str]:
    """Write the document: what all of it comes to, what is wrong, and the jobs' sections.

    `environment` names the one that it is for, where it is one of several.
    """
    yield f"## qstash-jobs plan{f', {write_code(environment)}' if environment else ''}"
    yield ""
    for sentence in summary:
        yield write_prose(sentence)
        yield ""
    yield from write_problems_markdown(problems)
    yield from sections


def write_plan_sections(
    messages: Iterable[PlannedMessage], *, bodies: bool = False, used: int = 0
) -> Iterator[str]:
    """Write a section for each job; every message is taken, also of the jobs that are only counted.

    `used` characters stand before them.
    """
    left_out = 0
    for _, group in groupby(messages, key=lambda planned: planned.job):
        section = list(_write_section(group, bodies=bodies))
        used += sum(map(len, section))
        if used > MOST_CHARACTERS:
            left_out += 1
            continue
        yield from section
    if left_out:
        yield f"and {count(left_out, 'job')} more that would be too long for this place; `qstash-jobs plan` shows all"


def _write_section(group: Iterator[PlannedMessage], *, bodies: bool) -> Iterator[str]:
    first = next(group)
    shown = [first, *islice(group, ROWS_SHOWN - 1 if first.row else None)]
    actions: Counter[str] = Counter(planned.action for planned in chain(shown, group))
    place = write_code(f"{first.file}:{first.line}")
    yield f"### {'each row of ' if first.row else ''}{write_code(first.job)}"
    yield ""
    yield f"{place}: {count_rows(actions)}" if first.row else place
    yield ""
    yield from write_table(HEADER, map(_write_row, shown))
    for planned in shown:
        if (bodies or not planned.row) and planned.action != "skip" and planned.request.body:
            yield from _write_body(planned)


def _write_row(planned: PlannedMessage) -> tuple[str, ...]:
    name = write_code(planned.name)
    if planned.action == "skip":
        return (planned.action, name, "", write_prose(planned.reason or ""), "", write_code(planned.id))
    where = [write_code(value) for label, value in planned.facts if label == "to"]
    how = [f"{label} {write_code(value)}" for label, value in planned.facts if label != "to"]
    if planned.reason is not None:
        how.insert(0, write_prose(planned.reason))
    if planned.dedup_id not in (None, planned.id):
        how.append(f"dedup id {write_code(planned.dedup_id or '')}")
    how += [f"note: {write_prose(note)}" for note in planned.notes]
    body = write_prose(describe_body(planned.request))
    return planned.action, name, "<br>".join(where), "<br>".join(how), body, write_code(planned.id)


def _write_body(planned: PlannedMessage) -> Iterator[str]:
    lines = list(preview_body(planned.request.body, width=None))
    if lines:
        yield from write_fold("body of", planned.name, lines)
