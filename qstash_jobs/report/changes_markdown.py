"""Changes to an account -> Markdown for a pull request: what goes, changes and comes, with the lines that cause it.

Deletions stand first, because nobody gets back what is deleted. A comment of GitHub's holds 65,536 characters, so the
changes past a limit are only counted. Secrets have to be masked already.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain

from qstash_jobs.plan.account import is_others
from qstash_jobs.plan.changes import Action, Change, FieldChange, Kind
from qstash_jobs.plan.schedule_fields import UNSEEN
from qstash_jobs.report.changes import KINDS, count_kinds
from qstash_jobs.report.difference import NOT_SHOWN, OTHER_VALUE, is_hidden, name_field, show_sides
from qstash_jobs.report.markdown import write_code, write_prose, write_table
from qstash_jobs.report.wording import count

MOST_CHARACTERS = 30_000
MOST_FIELDS = 30
"""Of one change."""
MOST_OF_VALUE = 100
"""What GitHub does not break into lines makes the table as wide."""
MOST_OTHERS = 50
"""Things that are left alone, by name."""

ORDER: tuple[Action, ...] = ("delete", "update", "create")


def write_changes_markdown(changes: Sequence[Change]) -> Iterator[str]:
    """Write the section on the account; nothing where nothing is to be said of it."""
    lines = [
        *chain.from_iterable(_write_groups(changes)),
        *_write_notes(changes),
        *_write_unknown(changes),
        *_write_others(changes),
    ]
    if lines:
        yield "### The account"
        yield ""
        yield from lines


def _write_groups(changes: Sequence[Change]) -> Iterator[Iterator[str]]:
    kinds, used, left_out = _count(changes), 0, 0
    for action in ORDER:
        rows: list[tuple[str, ...]] = []
        for change in changes:
            if change.action != action:
                continue
            row = _write_row(change)
            used += sum(len(cell) + len(" | ") for cell in row)
            if used > MOST_CHARACTERS:
                left_out += 1
            else:
                rows.append(row)
        if rows:
            yield _write_group(action, rows, count_kinds(kinds, action))
    if left_out:
        more = f"and {count(left_out, 'change')} more that would be too long for this place"
        yield iter((f"{more}; `qstash-jobs plan` shows all", ""))


def _count(changes: Sequence[Change]) -> Counter[tuple[Action, Kind]]:
    return Counter((change.action, change.kind) for change in changes)


def _write_group(action: Action, rows: Sequence[tuple[str, ...]], counts: str) -> Iterator[str]:
    yield f"#### {action} {counts}"
    yield ""
    header = ("kind", "key", "settings", "declared in")
    if action == "delete":
        yield from write_table((*header[:2], "what it is now"), (row[:-1] for row in rows))
    else:
        yield from write_table(header, rows)


def _write_row(change: Change) -> tuple[str, ...]:
    place = "" if change.location is None else write_code(f"{change.location.file}:{change.location.line}")
    lines = [_write_field(field, change.action) for field in change.fields[:MOST_FIELDS]]
    if len(change.fields) > MOST_FIELDS:
        lines.append(f"and {len(change.fields) - MOST_FIELDS:,} more")
    lines += [f"note: {write_prose(note)}" for note in change.notes]
    if change.needs_force is not None:
        lines.append(f"needs `--force`: {write_prose(change.needs_force)}")
    return KINDS[change.kind], _write_name(change), "<br>".join(lines), place


def _write_name(change: Change) -> str:
    other = f"<br>in the account {write_code(change.name)}" if change.name != change.key else ""
    return write_code(change.key) + other


def _write_field(field: FieldChange, action: Action) -> str:
    label = write_prose(name_field(field))
    old, new = map(write_code, show_sides(field, most=MOST_OF_VALUE))
    if field.field == UNSEEN:
        return f"{label} {NOT_SHOWN}"
    if action != "update":
        return f"{label} {old if action == 'delete' else new}"
    return f"{label} {old} → {new}{f', {OTHER_VALUE}' if is_hidden(field) else ''}"


def _write_notes(changes: Sequence[Change]) -> Iterator[str]:
    """Write what is to be known of things that stay as they are."""
    for change in changes:
        if not change.is_waiting and change.action != "unmanaged":
            for note in change.notes:
                yield f"Note on {KINDS[change.kind]} {write_code(change.key)}: {write_prose(note)}"
                yield ""


def _write_unknown(changes: Sequence[Change]) -> Iterator[str]:
    if unknown := count_kinds(_count(changes), "unknown"):
        yield f"Declared, and not compared with the account: {unknown}"
        yield ""


def _write_others(changes: Sequence[Change]) -> Iterator[str]:
    """Write what is left alone, by the reason; the project's own first, as somebody may have forgotten it."""
    others = sorted((change for change in changes if change.action == "unmanaged"), key=is_others)
    groups: dict[str, list[str]] = {}
    for other in others:
        name = f"{KINDS[other.kind]} {write_code(other.name)}"
        groups.setdefault("; ".join(other.notes), []).append(name)
    for reason, names in groups.items():
        more = f" and {len(names) - MOST_OTHERS:,} more" if len(names) > MOST_OTHERS else ""
        yield f"Left alone, {write_prose(reason)}: {', '.join(names[:MOST_OTHERS])}{more}"
        yield ""
