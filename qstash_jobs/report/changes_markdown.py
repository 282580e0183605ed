"""Changes to an account -> Markdown for a pull request: a table of what changes, each with the line that causes it."""

from collections.abc import Iterator, Sequence

from qstash_jobs.plan.changes import Change
from qstash_jobs.plan.schedules import UNSEEN
from qstash_jobs.report.changes import KINDS, show_change
from qstash_jobs.report.markdown import write_code, write_prose, write_table

HEADER = ("", "kind", "key", "change", "declared in")
MOST_ROWS = 200
"""A comment of GitHub's holds 65,536 characters."""


def write_changes_markdown(changes: Sequence[Change]) -> Iterator[str]:
    """Write the section on the account; nothing where it is of no concern."""
    if not changes:
        return
    waiting = [change for change in changes if change.is_waiting]
    yield "### The account"
    yield ""
    if waiting:
        yield from write_table(HEADER, map(_write_row, waiting[:MOST_ROWS]))
    if len(waiting) > MOST_ROWS:
        yield f"and {len(waiting) - MOST_ROWS:,} more; `qstash-jobs plan` shows all"
        yield ""
    others = [change for change in changes if change.action == "unmanaged"]
    if others:
        names = ", ".join(write_code(change.name) for change in others[:MOST_ROWS])
        yield f"Left alone, since no file declares it: {names}"
        yield ""


def _write_row(change: Change) -> tuple[str, ...]:
    place = "" if change.location is None else write_code(f"{change.location.file}:{change.location.line}")
    rows = [
        write_prose(show_change(field))
        if field.field == UNSEEN
        else f"{write_code(field.field)} {write_code(show_change(field))}"
        for field in change.fields
    ]
    rows += [f"note: {write_prose(note)}" for note in change.notes]
    if change.needs_force is not None:
        rows.append(f"needs `--force`: {write_prose(change.needs_force)}")
    return change.action, KINDS[change.kind], write_code(change.key), "<br>".join(rows), place
