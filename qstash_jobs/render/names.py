"""What may be looked up, and where: a look-up's names -> the fault in them, before any value is known."""

import re
from collections.abc import Iterable

from qstash_jobs.grammar import nearest
from qstash_jobs.render.fault import FaultError
from qstash_jobs.value import dataclass

Names = tuple[str | int, ...]
"""A look-up, from its root: ("row", "email"), ("vars", "hosts", 0)."""

FIXED: dict[str, tuple[str, ...]] = {
    "run": ("id", "key", "started", "date", "hour"),
    "job": ("id", "name", "file"),
    "project": ("name",),
    "environment": ("name",),
    "git": ("sha", "short_sha", "branch", "dirty"),
    "ci": ("run_url",),
}
"""Roots whose names are known here."""

OPEN = ("vars", "env", "secrets", "row")
"""Roots whose names the user gives."""

ROOTS = (*OPEN, *FIXED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What may be looked up in one place of a file."""

    names: frozenset[str]
    """Roots, or single names of a root such as `run.date`."""
    where: str
    """The place, as in "… cannot be used in …"."""


JOB = Allowed(names=frozenset(ROOTS) - {"row"}, where="a job without `for_each`")
JOB_OF_ROWS = Allowed(names=frozenset(ROOTS), where="a job")
RUN_KEY = Allowed(
    names=frozenset({"vars", "env", "git", "ci", "environment", "run.date", "run.hour"}), where="`run_key`"
)
VARS = Allowed(names=frozenset({"env", "git", "ci", "environment"}), where="`vars`")

# wire contract 1: the token and the signing keys, also with a region in front; and what GitHub gives a workflow
_REFUSED = re.compile(r"(?:.*_)?QSTASH_(?:.*_)?(?:TOKEN|SIGNING_KEY)|GITHUB_TOKEN|ACTIONS_.*", re.IGNORECASE)


def is_refused(names: Names) -> bool:
    """Tell whether a look-up would hand out a credential that no message has any use for."""
    return len(names) > 1 and names[0] in ("env", "secrets") and bool(_REFUSED.fullmatch(str(names[1])))


def check_names(names: Names, allowed: Allowed) -> FaultError | None:
    """Hold a look-up against what can be said without its value."""
    root = names[0]
    if root not in ROOTS:
        return FaultError("render-unknown-name", f"there is no `{root}`", suggest(str(root), ROOTS))
    return _check_place(names, allowed) or _check_depth(names)


def _check_place(names: Names, allowed: Allowed) -> FaultError | None:
    if names[0] in allowed.names or write_names(names[:2]) in allowed.names:
        return None
    if names[0] == "row" and allowed == JOB:
        return no_row(names)
    return FaultError(
        "render-unknown-name",
        f"`{write_names(names[:2])}` cannot be used in {allowed.where}",
        f"{_list(sorted(allowed.names))} can",
    )


def no_row(names: Names) -> FaultError:
    """Say that a row is looked up where there is none."""
    return FaultError(
        "render-unknown-name",
        f"there is no row for `{write_names(names)}`: the job has no `for_each`",
        "add `for_each:` with the file that the rows come from",
    )


def _check_depth(names: Names) -> FaultError | None:
    root = str(names[0])
    known = FIXED.get(root)
    if len(names) == 1:
        if root in ("row", "vars"):
            return None
        example = f"{root}.{known[0]}" if known else f"{root}.NAME"
        return FaultError("render-unknown-name", f"`{root}` needs a name behind it", f"such as `{example}`")
    if isinstance(names[1], int):
        return FaultError("render-unknown-name", f"`{root}` is a mapping and has no `[{names[1]}]`")
    if known and names[1] not in known:
        fault = f"there is no `{write_names(names[:2])}`"
        return FaultError("render-unknown-name", fault, suggest(names[1], known, above=(root,)))
    if len(names) > 2 and root not in ("row", "vars"):
        return FaultError("render-unknown-name", f"`{write_names(names[:2])}` is text and has nothing inside")
    return None


def suggest(word: str, words: Iterable[str], *, above: Names = ()) -> str | None:
    """Name the word that was probably meant, else those that there are if they are few."""
    words = tuple(words)
    near = nearest(word, words)
    if near is not None:
        return f"did you mean `{write_names((*above, near))}`?"
    if not words or len(words) > _LISTED:
        return None
    known = _list([write_names((*above, word)) for word in words])
    return f"there is {known} only" if len(words) == 1 else f"there are {known}"


_LISTED = 12


def _list(words: list[str]) -> str:
    quoted = [f"`{word}`" for word in words]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def write_names(names: Names) -> str:
    """Write a look-up as it stands in an expression."""
    text = ""
    for name in names:
        if not text:
            text = str(name)
        elif isinstance(name, int):
            text += f"[{name}]"
        elif KEY.fullmatch(name):
            text += f".{name}"
        else:
            text += '["' + name.replace("\\", "\\\\").replace('"', '\\"') + '"]'
    return text


KEY = re.compile(r"[\w-]+")
"""What may stand behind a dot."""
