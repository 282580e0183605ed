"""What became of changes to an account -> a line of text or JSON each, a Markdown document, and what sums them up.

Secrets have to be masked already (`plan.changes.hide_change`).
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from qstash_jobs.plan.changes import Action, Change
from qstash_jobs.plan.verdict import State, Verdict
from qstash_jobs.problem import Problem
from qstash_jobs.report.changes import KINDS, name_thing
from qstash_jobs.report.escape import escape, write_json
from qstash_jobs.report.layout import Style, paint
from qstash_jobs.report.markdown import write_code, write_prose, write_table
from qstash_jobs.report.problems import write_problems_markdown
from qstash_jobs.report.wording import count

MOST_ROWS = 200
"""Of the Markdown; what was not applied comes first."""

STATES: dict[State, Style] = {
    "applied": "good",
    "partial": "bad",
    "failed": "bad",
    "uncertain": "bad",
    "pending": "dim",
    "unstuck": "warn",
}
WORDS: dict[State, str] = {
    "applied": "applied",
    "partial": "in part",
    "failed": "failed",
    "uncertain": "uncertain",
    "pending": "not done",
    "unstuck": "not shown",
}
DONE: dict[Action, str] = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    # the account does not show it
    "unchanged": "set again",
}

_ATTEMPTS: dict[Action, str] = {"unchanged": "set again"}


def write_verdict(verdict: Verdict, *, colour: bool = False) -> str:
    """Write what became of one change, in a line."""
    word, attempt = _name_ending(verdict)
    reason = "" if verdict.reason is None else f": {escape(verdict.reason)}"
    name, place = escape(name_thing(verdict.change)), escape(_write_place(verdict.change))
    ending = paint(word, STATES[verdict.state], colour=colour)
    return f"{ending} {attempt}{name}{reason}{f'  {place}' if place else ''}"


def write_verdict_json(verdict: Verdict, *, environment: str = "") -> str:
    """Write what became of one change as a JSON line."""
    change = verdict.change
    return write_json(
        {
            "kind": change.kind,
            "key": change.key,
            "name": change.name,
            "action": change.action,
            "state": verdict.state,
            "reason": verdict.reason,
            "changes": [{"field": one.field, "old": one.old, "new": one.new} for one in change.fields],
            "file": change.location.file if change.location else None,
            "line": change.location.line if change.location else None,
            "environment": environment or None,
        }
    )


def summarise_verdicts(verdicts: Sequence[Verdict]) -> str:
    """Say what was done: `created 1, updated 2, failed 1, not done 3`."""
    done = Counter(DONE[one.change.action] for one in verdicts if one.state == "applied")
    left = Counter(WORDS[one.state] for one in verdicts if one.state != "applied")
    parts = [f"{word} {done[word]:,}" for word in DONE.values() if done[word]]
    return ", ".join([*parts, *(f"{word} {left[word]:,}" for word in WORDS.values() if left[word])])


def write_applied_markdown(
    verdicts: Sequence[Verdict],
    *,
    verb: str = "apply",
    environment: str = "",
    said: str | None = None,
    problems: Sequence[Problem] = (),
    advice: str | None = None,
) -> Iterator[str]:
    """Write the document: what all of it came to, what is wrong, and a row for each change, the failed ones first.

    `said` is why nothing was done, or what broke it off.
    """
    yield f"## qstash-jobs {verb}{f', {write_code(environment)}' if environment else ''}"
    yield ""
    for sentence in (said, summarise_verdicts(verdicts) if verdicts else None, advice):
        if sentence:
            yield write_prose(sentence)
            yield ""
    yield from write_problems_markdown(problems)
    ordered = sorted(
        verdicts, key=lambda verdict: (verdict.state == "applied", verdict.change.action != "delete")
    )
    if ordered:
        yield from write_table(
            ("", "kind", "key", "why", "declared in"), map(_write_row, ordered[:MOST_ROWS])
        )
    if len(ordered) > MOST_ROWS:
        yield f"and {count(len(ordered) - MOST_ROWS, 'more change')}"
        yield ""


def _write_row(verdict: Verdict) -> tuple[str, ...]:
    change = verdict.change
    name = f"<br>in the account {write_code(change.name)}" if change.name != change.key else ""
    return (
        " ".join(_name_ending(verdict)).rstrip(),
        KINDS[change.kind],
        write_code(change.key) + name,
        write_prose(verdict.reason or ""),
        write_code(_write_place(change)),
    )


def _name_ending(verdict: Verdict) -> tuple[str, str]:
    """Name how it ended, and what had been tried where that is not the same."""
    action = verdict.change.action
    if verdict.state == "applied":
        return DONE[action], ""
    return WORDS[verdict.state], f"{_ATTEMPTS.get(action, action)} "


def _write_place(change: Change) -> str:
    return "" if change.location is None else f"{change.location.file}:{change.location.line}"
