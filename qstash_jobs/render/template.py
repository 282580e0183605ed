"""Plain data with expressions in it -> a Template, compiled once -> the data it stands for, once for each Scope."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from qstash_jobs.problem import Path, Problem
from qstash_jobs.render.expression import Expression
from qstash_jobs.render.fault import Fault, Place, place_fault
from qstash_jobs.render.fill import make_fill
from qstash_jobs.render.names import JOB_OF_ROWS, Allowed, Names, write_names
from qstash_jobs.render.scope import Scope
from qstash_jobs.render.tree import Node, Reading, read_tree
from qstash_jobs.value import dataclass

URL_PATHS: frozenset[Path] = frozenset(
    {
        ("url",),
        ("callback",),
        ("callback", "url"),
        ("failure_callback",),
        ("failure_callback", "url"),
    }
)
"""Where a job's urls stand."""

_NONE: Mapping[str, frozenset[str]] = {}


class Filled(NamedTuple):
    """What a template stands for in one scope. (A frozen dataclass would cost a row a fifth more.)"""

    value: Any
    """Plain data; None in place of a scalar that has a fault. Parts without expressions are shared: never change it."""
    findings: tuple[Fault, ...] = ()
    secrets: Mapping[str, frozenset[str]] = _NONE
    """The names of the secrets that each top-level field uses."""
    outside: Mapping[str, frozenset[str]] = _NONE
    """The look-ups in `env.` and `row.` that each top-level field uses, also through a variable."""
    missing_secrets: frozenset[str] = frozenset()
    """Those whose place `***` or `local-NAME` took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """Which look-ups went where."""

    lookups: tuple[tuple[Path, Expression], ...]
    secrets: Mapping[str, frozenset[str]]
    outside: Mapping[str, frozenset[str]]
    variables: Mapping[str, frozenset[str]]
    """The variables that each field uses; empty where no field uses any."""
    required_secrets: frozenset[str]
    """Those without a `default`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A compiled value. It is immutable and may be filled from several threads."""

    node: Node
    place: Place
    uses: Uses

    @property
    def is_constant(self) -> bool:
        """Tell whether filling gives the same whatever the scope."""
        return not self.uses.lookups

    def names(self) -> frozenset[Names]:
        """Return every look-up, as ("row", "email")."""
        return frozenset(expression.names for _, expression in self.uses.lookups)

    def depends_on(self, root: str) -> bool:
        """Tell whether any look-up begins with the root."""
        return any(expression.names[0] == root for _, expression in self.uses.lookups)

    def paths_depending_on(self, root: str) -> frozenset[Path]:
        """Return the paths of the scalars with a look-up that begins with the root."""
        return frozenset(path for path, expression in self.uses.lookups if expression.names[0] == root)

    def fields_depending_on(self, root: str) -> frozenset[str]:
        """Return the top-level fields with a look-up that begins with the root."""
        return frozenset(_name_field(path) for path in self.paths_depending_on(root))

    def fill(self, scope: Scope) -> Filled:
        """Look everything up. What is wrong is in the result's findings, never raised."""
        faults: list[Fault] = []
        value = make_fill(self.node)(scope, faults)
        uses = self.uses
        return Filled(
            value,
            tuple(faults),
            uses.secrets,
            find_outside(uses, scope),
            find_missing(uses, scope),
        )

    def problems(self, filled: Filled) -> list[Problem]:
        """Place the findings at their expressions."""
        return [place_fault(fault, self.place) for fault in filled.findings]


def compile_value(
    value: Any,
    *,
    place: Place,
    path: Path = (),
    allowed: Allowed = JOB_OF_ROWS,
    url_paths: frozenset[Path] = URL_PATHS,
) -> tuple[Template, list[Problem]]:
    """Compile every expression in the scalars of plain data, and name those that cannot be.

    `path` is where the value stands; it is in front of every path that is spoken of, `url_paths` included, and its
    first name is the top-level field of everything inside. A scalar with a problem stays as it is written.
    """
    reading = Reading(allowed=allowed, url_paths=url_paths)
    node = read_tree(value, path, reading)
    uses = _sum_up(reading.lookups) if reading.lookups else _NO_USES
    template = Template(node=node, place=place, uses=uses)
    return template, [place_fault(fault, place) for fault in reading.faults]


def _name_field(path: Path) -> str:
    return str(path[0]) if path else ""


def _sum_up(lookups: Iterable[tuple[Path, Expression]]) -> Uses:
    found: dict[str, dict[str, set[str]]] = {"secrets": {}, "outside": {}, "vars": {}}
    required = set()
    for path, expression in lookups:
        names, field = expression.names, _name_field(path)
        if names[0] == "secrets":
            found["secrets"].setdefault(field, set()).add(str(names[1]))
            if not any(call.name == "default" for call in expression.calls):
                required.add(str(names[1]))
        elif names[0] == "vars":
            found["vars"].setdefault(field, set()).add(str(names[1]) if len(names) > 1 else "")
        elif names[0] in ("env", "row"):
            found["outside"].setdefault(field, set()).add(write_names(names[:2]))
    return Uses(
        lookups=tuple(lookups),
        secrets=_freeze(found["secrets"]),
        outside=_freeze(found["outside"]),
        variables=_freeze(found["vars"]),
        required_secrets=frozenset(required),
    )


def _freeze(found: Mapping[str, set[str]]) -> Mapping[str, frozenset[str]]:
    return {field: frozenset(words) for field, words in found.items()}


_NO_USES = _sum_up(())


def find_outside(uses: Uses, scope: Scope) -> Mapping[str, frozenset[str]]:
    """Add what came in through variables; `vars` as a whole brings all of them."""
    if not scope.vars_outside or not uses.variables:
        return uses.outside
    outside = dict(uses.outside)
    for name, variables in uses.variables.items():
        known = scope.vars_outside if "" in variables else variables
        through = frozenset[str]().union(*(scope.vars_outside.get(variable, ()) for variable in known))
        if through:
            outside[name] = outside.get(name, frozenset()) | through
    return outside


def find_missing(uses: Uses, scope: Scope) -> frozenset[str]:
    """Name the secrets whose place something else took."""
    if not uses.required_secrets or scope.missing_secret not in ("mask", "local"):
        return frozenset()
    secrets = scope.roots.get("secrets", {})
    return frozenset(name for name in uses.required_secrets if not secrets.get(name))
