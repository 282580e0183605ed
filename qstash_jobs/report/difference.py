"""A field that changes -> both of its values as people read them, cut so that what differs is in sight.

Secrets have to be masked already (`plan.changes.hide_change`), because values are cut here.
"""

from qstash_jobs.plan.changes import Fact, FieldChange
from qstash_jobs.plan.schedule_fields import UNSEEN
from qstash_jobs.report.escape import escape
from qstash_jobs.report.layout import CUT, cut

MOST = 200
"""Of one value, in columns; machines get it whole."""
CONTEXT = 20
"""Characters that stand before the first that differs, where the beginning is cut off."""

NOT_SHOWN = "something that QStash does not show changed"
OTHER_VALUE = "another value"


def name_field(field: FieldChange) -> str:
    """Name a field for people."""
    return "settings" if field.field == UNSEEN else escape(field.field)


def is_hidden(field: FieldChange) -> bool:
    """Say whether both values look the same, because they differ in a secret."""
    return field.old == field.new


def show_sides(field: FieldChange, *, most: int = MOST) -> tuple[str, str]:
    """Write the old and the new value; of long ones the part that differs."""
    old, new = _write(field.old), _write(field.new)
    if max(len(old), len(new)) > most:
        begin = _count_alike(old, new) - CONTEXT
        old, new = (f"{CUT}{side[begin:]}" if begin > 0 else side for side in (old, new))
    return cut(old, most), cut(new, most)


def _count_alike(old: str, new: str) -> int:
    """Count the characters that both begin with."""
    pairs = enumerate(zip(old, new, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(old), len(new)))


def _write(fact: Fact) -> str:
    if fact is None:
        return "none"
    if isinstance(fact, bool):
        return "true" if fact else "false"
    return f"{fact:,}" if isinstance(fact, int) else escape(fact)
