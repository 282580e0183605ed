"""A look-up's names -> the function that finds their value in a Scope; LookupError where there is none."""

from collections.abc import Callable, Mapping
from typing import Any

from qstash_jobs.render.fault import FaultError
from qstash_jobs.render.names import FIXED, Names, is_refused, no_row, suggest, write_names
from qstash_jobs.render.scope import Scope
from qstash_jobs.render.text import name_kind

Look = Callable[[Scope], Any]


def make_look(names: Names) -> Look:
    """Compile a look-up that `check_names` has found in order."""
    look = _make_pair(names) if len(names) == 2 else _make_walk(names)
    if names[0] == "secrets" or names[0] in FIXED:
        look = _make_known(look)
    return _make_guarded(names, look) if is_refused(names) else look


def _make_pair(names: Names) -> Look:
    root, name = str(names[0]), str(names[1])
    return lambda scope: scope.roots[root][name]


def _make_known(look: Look) -> Look:
    """Take null and empty text for missing: CI leaves a secret that is not set empty."""

    def look_known(scope: Scope) -> Any:
        value = look(scope)
        if value is None or value == "":
            raise LookupError
        return value

    return look_known


def _make_guarded(names: Names, look: Look) -> Look:
    def look_guarded(scope: Scope) -> Any:
        if names[1] not in scope.permitted:
            raise FaultError(
                "render-refused-name",
                f"`{write_names(names)}` is a credential that no message may carry",
                "where one has to, name it in the project file under `policy.secrets`",
            )
        return look(scope)

    return look_guarded


def _make_walk(names: Names) -> Look:
    root, *rest = names

    def walk(scope: Scope) -> Any:
        value: Any = scope.roots[str(root)]
        for depth, name in enumerate(rest, start=1):
            if not isinstance(value, dict if isinstance(name, str) else list) and depth > 1:
                raise LookupError if value is None else _wrong_kind(names, depth, value)
            value = value[name]
        return value

    return walk


def _wrong_kind(names: Names, depth: int, value: Any) -> FaultError:
    whole, name = write_names(names[:depth]), names[depth]
    hint = f'write `{whole}["{name}"]`' if isinstance(value, dict) else None
    if isinstance(value, list):
        hint = f"write `{whole}[0]` for the first of its items"
    return FaultError(
        "render-unknown-name",
        f"`{whole}` is {name_kind(value)} and has no `{write_names(names)[len(whole) :]}`",
        hint,
    )


def explain_missing(names: Names, scope: Scope) -> FaultError:
    """Say which part of a look-up is missing, with the name that was probably meant."""
    root = str(names[0])
    if root not in scope.roots and root == "row":
        return no_row(names)
    value: Any = scope.roots.get(root, {})
    for depth, name in enumerate(names[1:], start=1):
        if value is None:
            return _null_inside(names, depth)
        if not (name in value if isinstance(value, Mapping) else len(value) > int(name)):
            return _no_name(names[: depth + 1], value)
        value = value[name]
    return FaultError(
        "render-unknown-name",
        f"`{write_names(names)}` is not known here",
        "give it another value: `| default(…)`",
    )


def _null_inside(names: Names, depth: int) -> FaultError:
    whole = write_names(names[:depth])
    return FaultError(
        "render-null",
        f"`{whole}` is null and has no `{write_names(names)[len(whole) :]}`",
        f"give it another value: `{write_names(names)} | default(…)`",
    )


def _no_name(names: Names, parent: Any) -> FaultError:
    name, above = names[-1], names[:-1]
    if isinstance(name, int):
        return FaultError(
            "render-unknown-name",
            f"there is no `{write_names(names)}`: the list has {len(parent)} items, from 0",
        )
    message = f"there is no `{write_names(names)}`"
    if names[0] in FIXED:
        message = f"`{write_names(names)}` is not known here"
        return FaultError("render-unknown-name", message, "give it another value: `| default(…)`")
    if names[0] == "env":
        message = f"the environment has no `{name}`"
    return FaultError("render-unknown-name", message, _suggest_inside(name, above, parent))


def _suggest_inside(name: str, above: Names, parent: Mapping[str, Any]) -> str | None:
    """Suggest among a mapping's names; those of the environment are never listed, only the near one is named."""
    known = [word for word in parent if isinstance(word, str) and not is_refused((*above, word))]
    hint = suggest(name, known, above=above)
    return hint if above != ("env",) or (hint or "").startswith("did you mean") else None
