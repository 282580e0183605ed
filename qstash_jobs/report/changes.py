"""Changes to an account, planned and made -> text for people, a JSON line each, and the sentences that sum them up.

Secrets have to be masked already (`plan.changes.hide_change`), because values are cut here.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from qstash_jobs.mask import MASKED
from qstash_jobs.plan.changes import Action, Change, Fact, FieldChange, Kind
from qstash_jobs.plan.schedules import UNSEEN
from qstash_jobs.plan.verdict import State, Verdict
from qstash_jobs.report.escape import escape, write_json
from qstash_jobs.report.layout import Style, cut, pad, paint
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
LABEL_WIDTH = 14
MOST_OTHERS = 20
"""Things of others that are named to people; machines get all of them."""
VALUE_WIDTH = 60
"""Of a value, where both stand on one line; machines get it whole."""


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
        found = [count(number, KINDS[kind]) for (which, kind), number in rest.items() if which == action]
        if found:
            yield paint(f"{action}: {', '.join(found)}", "dim", colour=colour)
    for other in others:
        yield paint(
            f"left alone: {escape(name_thing(other))}: {'; '.join(other.notes)}", "dim", colour=colour
        )


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
    """Say what would change: `would create 1, update 2; 4 unchanged`; `missing` says why nothing is known."""
    actions = Counter(change.action for change in changes)
    if missing is not None:
        return f"the account was not asked, so what would change there is not known: {missing}"
    parts = [f"{action} {actions[action]:,}" for action in ("create", "update", "delete") if actions[action]]
    what = f"would {', '.join(parts)} in the account" if parts else "nothing would change in the account"
    return f"{what}; {actions['unchanged']:,} unchanged" if actions["unchanged"] else what


def name_thing(change: Change) -> str:
    """Name a thing of the account: its kind, its key, and its name there where that is another."""
    other = f" ({change.name})" if change.name != change.key else ""
    return f"{KINDS[change.kind]} {change.key}{other}"


def show_change(field: FieldChange) -> str:
    """Write how a field changes: `old -> new`; of a secret, that it does."""
    if field.field == UNSEEN:
        return "what QStash does not give back is another"
    if MASKED in (field.old, field.new) and field.old is not None and field.new is not None:
        return f"{MASKED} -> {MASKED}, another value"
    if field.old is None:
        return show_fact(field.new)
    return f"{show_fact(field.old)} -> {show_fact(field.new)}"


def show_fact(fact: Fact) -> str:
    """Write a setting for people."""
    if fact is None:
        return "none"
    if isinstance(fact, bool):
        return "true" if fact else "false"
    return f"{fact:,}" if isinstance(fact, int) else cut(escape(fact), VALUE_WIDTH)


def _write_change(change: Change, *, colour: bool, width: int | None) -> Iterator[str]:
    place = "" if change.location is None else f"{escape(change.location.file)}:{change.location.line}"
    title = f"{paint(change.action, ACTIONS[change.action], colour=colour)} {escape(name_thing(change))}"
    yield f"{title}  {paint(place, 'bold', colour=colour)}".rstrip()
    for field in change.fields:
        label = "settings" if field.field == UNSEEN else escape(field.field)
        yield cut(f"  {pad(label, LABEL_WIDTH)} {show_change(field)}", width)
    for note in change.notes:
        yield f"  {pad('note', LABEL_WIDTH)} {escape(note)}"
    if change.needs_force is not None:
        yield f"  {pad('note', LABEL_WIDTH)} needs --force: {escape(change.needs_force)}"


# what was done

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
DONE: dict[Action, str] = {"create": "created", "update": "updated", "delete": "deleted"}


def write_verdict(verdict: Verdict, *, colour: bool = False) -> str:
    """Write what became of one change, in a line."""
    change = verdict.change
    word = DONE[change.action] if verdict.state == "applied" else WORDS[verdict.state]
    reason = "" if verdict.reason is None else f": {escape(verdict.reason)}"
    what = "" if verdict.state == "applied" else f"{change.action} "
    place = "" if change.location is None else f"  {escape(change.location.file)}:{change.location.line}"
    return f"{paint(word, STATES[verdict.state], colour=colour)} {what}{escape(name_thing(change))}{reason}{place}"


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
