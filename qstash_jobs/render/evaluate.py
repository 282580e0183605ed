"""An Expression -> the function that gives its value in a Scope, or raises a FaultError that says why it has none."""

import re
from collections.abc import Callable
from typing import Any

from qstash_jobs.render.expression import Call, Expression
from qstash_jobs.render.fault import FaultError
from qstash_jobs.render.filters import Filter, UnreadableError, make_filter
from qstash_jobs.render.look import Look, explain_missing, make_look
from qstash_jobs.render.names import Names, is_refused, suggest, write_names
from qstash_jobs.render.scope import Scope
from qstash_jobs.render.text import name_kind, show, write_text
from qstash_jobs.value import dataclass

Evaluate = Callable[[Scope], Any]

MASKED = "***"
"""What stands for a missing secret where nothing is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A filter in its chain."""

    source: str
    """What is written to its left."""
    name: str
    filter: Filter


def make_evaluate(expression: Expression) -> Evaluate:
    """Compile an expression whose names and filters are known to be in order."""
    names, steps = expression.names, _make_steps(expression)
    look = make_look(names)
    for index, call in enumerate(expression.calls):
        if call.name == "default" and call.argument is not None:
            return _make_default(names, look, steps, call.argument.value, steps[index + 1 :])
    if names[0] == "secrets":
        return _make_secret(names, look, steps)
    return _make_filtered(names, look, steps) if steps else _make_plain(names, look)


def _make_steps(expression: Expression) -> tuple[Step, ...]:
    return tuple(
        Step(
            source=_write_chain(expression.names, expression.calls[:index]),
            name=call.name,
            filter=make_filter(call.name, call.argument),
        )
        for index, call in enumerate(expression.calls)
    )


def _write_chain(names: Names, calls: tuple[Call, ...]) -> str:
    return " | ".join([write_names(names), *(call.name + ("(…)" if call.argument else "") for call in calls)])


def write_expression(expression: Expression) -> str:
    """Write an expression for a message, without what is between the parentheses."""
    return _write_chain(expression.names, expression.calls)


def _make_plain(names: Names, look: Look) -> Evaluate:
    def evaluate(scope: Scope) -> Any:
        try:
            return look(scope)
        except LookupError:
            raise explain_missing(names, scope) from None

    return evaluate


def _make_filtered(names: Names, look: Look, steps: tuple[Step, ...]) -> Evaluate:
    def evaluate(scope: Scope) -> Any:
        try:
            value = look(scope)
        except LookupError:
            raise explain_missing(names, scope) from None
        return _run(value, steps, names, scope)

    return evaluate


def _make_default(
    names: Names, look: Look, steps: tuple[Step, ...], literal: Any, rest: tuple[Step, ...]
) -> Evaluate:
    """Let what is missing or null pass by every filter before the `default`."""

    def evaluate(scope: Scope) -> Any:
        try:
            value = look(scope)
        except LookupError:
            value = None
        if value is None:
            return _run(literal, rest, names, scope)
        return _run(value, steps, names, scope)

    return evaluate


def _make_secret(names: Names, look: Look, steps: tuple[Step, ...]) -> Evaluate:
    def evaluate(scope: Scope) -> Any:
        try:
            value = look(scope)
        except LookupError:
            return _stand_in(names, steps, scope)
        return _run(value, steps, names, scope)

    return evaluate


def _stand_in(names: Names, steps: tuple[Step, ...], scope: Scope) -> Any:
    """Fill a missing secret's place; a filter that cannot read what stands there leaves it as it is."""
    name = str(names[1])
    match scope.missing_secret:
        case "mask":
            return MASKED
        case "local":
            return _run_if_possible(f"local-{name}", steps, names, scope)
        case "error":
            raise _explain_secret(name, scope)


def _explain_secret(name: str, scope: Scope) -> FaultError:
    known = [word for word in scope.roots.get("secrets", {}) if not is_refused(("secrets", word))]
    near = suggest(name, known, above=("secrets",)) or ""
    return FaultError(
        "render-missing-secret",
        f"the secret `{name}` is not set",
        near
        if near.startswith("did you mean")
        else f"set {name} in the environment, or give a file of that name",
    )


def _run_if_possible(value: str, steps: tuple[Step, ...], names: Names, scope: Scope) -> Any:
    try:
        return _run(value, steps, names, scope)
    except FaultError:
        return value


def _run(value: Any, steps: tuple[Step, ...], names: Names, scope: Scope) -> Any:
    try:
        for step in steps:
            value = step.filter(value)
    except UnreadableError as error:
        raise _explain_unreadable(step, value, error, shown=_is_public(names, scope)) from None
    return value


def _is_public(names: Names, scope: Scope) -> bool:
    """Tell whether a value may stand in a message: none that is a secret, or comes from the environment."""
    if names[0] == "vars":
        return not scope.vars_outside if len(names) == 1 else names[1] not in scope.vars_outside
    return names[0] not in ("secrets", "env")


def _explain_unreadable(step: Step, value: Any, error: UnreadableError, *, shown: bool) -> FaultError:
    if value is None:
        return FaultError(
            "render-null",
            f"`{step.source}` is null, and `| {step.name}` needs {error.needs}",
            f"give it another value: `{step.source} | default(…)`",
        )
    found = show(value) if shown else name_kind(value)
    return FaultError(
        "render-filter", f"`{step.source}` is {found}, and `| {step.name}` needs {error.needs}", error.hint
    )


# RFC 3986, 2.3: unreserved characters
_PART = re.compile(r"[A-Za-z0-9._~-]+")
_ENCODED = re.compile(r"[A-Za-z0-9._~%-]*")


def make_url_part(expression: Expression, evaluate: Evaluate) -> Evaluate:
    """Hold what a row or the environment adds to a url to what cannot change where the url leads."""
    names = expression.names
    encoded = any(call.name == "urlencode" for call in expression.calls)
    pattern = _ENCODED if encoded else _PART

    def evaluate_part(scope: Scope) -> Any:
        value = evaluate(scope)
        text = write_text(value)
        if text is None or pattern.fullmatch(text) or not _is_outside(names, scope):
            return value
        raise _explain_part(names, text, encoded=encoded, shown=_is_public(names, scope))

    return evaluate_part


def _is_outside(names: Names, scope: Scope) -> bool:
    return names[0] != "vars" or not _is_public(names, scope)


def _explain_part(names: Names, text: str, *, encoded: bool, shown: bool) -> FaultError:
    source = write_names(names)
    if not text:
        return FaultError(
            "render-url-value", f"`{source}` is empty, and the url needs something there", f"fill `{source}`"
        )
    found = show(text) if shown else "not made of them"
    return FaultError(
        "render-url-value",
        f"only letters, digits and . _ ~ - may continue a url, and `{source}` is {found}",
        "put `| urlencode` last" if encoded else f"write `${{{{ {source} | urlencode }}}}`",
    )
