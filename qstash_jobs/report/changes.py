"""Planned changes to an account -> text for people, a JSON line each, and the sentence that sums them up.

Secrets have to be masked already (`plan.changes.hide_change`), because values are cut here.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from qstash_jobs.plan.account import is_others
from qstash_jobs.plan.changes import Action, Change, FieldChange, Kind
from qstash_jobs.plan.schedule_fields import UNSEEN
from qstash_jobs.report.difference import NOT_SHOWN, OTHER_VALUE, is_hidden, name_field, show_sides
from qstash_jobs.report.escape import escape, write_json
from qstash_jobs.report.layout import Style, cell_width, cut, pad, paint
from qstash_jobs.report.wording import count

KINDS: dict[Kind, str] = {
    "schedule": "schedule",
    "url_group": "URL group",
    "queue": "queue",
    "flow_control": "flow control",
}
ACTIONS: dict[Action, Style] = {
    "create": "good",
    "update": "warn",
    "delete": "bad",
    "unchanged": "dim",
    "unknown": "dim",
    "unmanaged": "dim",
}
ARROW = "->"
LABEL_WIDTH, WIDEST_LABEL = 14, 30
MOST_OTHERS = 20
"""Things of others that are named to people; machines get all of them."""


def write_changes(
    changes: Iterable[Change], *, colour: bool = False, width: int | None = None
) -> Iterator[str]:
    """Write a block for each change, and a line for what stays as it is."""
    rest: Counter[tuple[Action, Kind]] = Counter()
    others: list[Change] = []
    for change in changes:
        if change.is_waiting:
            yield from _write_change(change, colour=colour, width=width)
        elif change.action == "unmanaged":
            others.append(change)
        else:
            rest[change.action, change.kind] += 1
            yield from (f"note: {escape(name_thing(change))}: {escape(note)}" for note in change.notes)
    for action in ("unchanged", "unknown"):
        if found := count_kinds(rest, action):
            yield paint(f"{action}: {found}", "dim", colour=colour)
    yield from (paint(line, "dim", colour=colour) for line in _write_others(others))


def count_kinds(found: Mapping[tuple[Action, Kind], int], action: Action) -> str:
    """Count the things of an action by their kind: `1 queue, 2 schedules`."""
    return ", ".join(count(number, KINDS[kind]) for (which, kind), number in found.items() if which == action)


def _write_others(others: Sequence[Change]) -> Iterator[str]:
    """Write a line for each thing that is left alone; the project's own first, as somebody may have forgotten it."""
    ordered = sorted(others, key=is_others)
    for other in ordered[:MOST_OTHERS]:
        yield f"left alone: {escape(name_thing(other))}: {escape('; '.join(other.notes))}"
    if len(ordered) > MOST_OTHERS:
        yield f"left alone: {len(ordered) - MOST_OTHERS:,} more; --format jsonl lists all"


def write_changes_jsonl(changes: Iterable[Change], *, environment: str = "") -> Iterator[str]:
    """Write one JSON line for each thing that is declared or found, also where nothing changes."""
    for change in changes:
        yield write_json(
            {
                "kind": change.kind,
                "key": change.key,
                "name": change.name,
                "action": change.action,
                "changes": [{"field": one.field, "old": one.old, "new": one.new} for one in change.fields],
                "file": change.location.file if change.location else None,
                "line": change.location.line if change.location else None,
                "notes": list(change.notes),
                "needs_force": change.needs_force,
                "environment": environment or None,
            }
        )


def summarise_changes(changes: Sequence[Change], *, missing: str | None = None) -> str:
    """Say what would change: `would delete 1, update 2; 4 unchanged`; `missing` says why nothing is known."""
    actions = Counter(change.action for change in changes)
    if missing is not None:
        return f"what would change in the account is not known: {missing}"
    # what nobody gets back is said first
    parts = [f"{action} {actions[action]:,}" for action in ("delete", "update", "create") if actions[action]]
    what = f"would {', '.join(parts)} in the account" if parts else "nothing would change in the account"
    return f"{what}; {actions['unchanged']:,} unchanged" if actions["unchanged"] else what


def name_thing(change: Change) -> str:
    """Name a thing of the account: its kind, its key, and its name there where that is another."""
    other = f" ({change.name})" if change.name != change.key else ""
    return f"{KINDS[change.kind]} {change.key}{other}"


def _write_change(change: Change, *, colour: bool, width: int | None) -> Iterator[str]:
    place = "" if change.location is None else f"{escape(change.location.file)}:{change.location.line}"
    title = f"{paint(change.action, ACTIONS[change.action], colour=colour)} {escape(name_thing(change))}"
    yield f"{title}  {paint(place, 'bold', colour=colour)}".rstrip()
    labels = [cell_width(name_field(field)) for field in change.fields]
    label_width = min(max([LABEL_WIDTH, *labels]), WIDEST_LABEL)
    for field in change.fields:
        yield from _write_field(field, change.action, label_width=label_width, width=width)
    for note in change.notes:
        yield f"  {pad('note', label_width)} {escape(note)}"
    if change.needs_force is not None:
        yield f"  {pad('note', label_width)} needs --force: {escape(change.needs_force)}"


def _write_field(field: FieldChange, action: Action, *, label_width: int, width: int | None) -> Iterator[str]:
    """Write a field's change on one line, or its two values under each other where they have no room beside."""
    label = f"  {pad(name_field(field), label_width)} "
    old, new = show_sides(field)
    remark = f", {OTHER_VALUE}" if is_hidden(field) else ""
    line = f"{label}{old} {ARROW} {new}{remark}"
    if field.field == UNSEEN:
        yield cut(label + NOT_SHOWN, width)
    elif action != "update":
        yield cut(label + (new if action == "create" else old), width)
    elif width is None or cell_width(line) <= width:
        yield line
    else:
        yield cut(label + old, width)
        yield cut(f"  {pad('', label_width - len(ARROW))}{ARROW} {new}{remark}", width)
