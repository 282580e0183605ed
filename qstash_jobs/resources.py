"""What job files declare of the account -> URL groups, queues and flow controls, rendered and checked."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from functools import partial
from typing import Any, Literal

from qstash_jobs.job import JobFile
from qstash_jobs.problem import Location, Path, Problem, Severity
from qstash_jobs.render import JOB, Allowed, Scope, compile_value
from qstash_jobs.rules import Context, check_resource
from qstash_jobs.schema import check_concrete
from qstash_jobs.value import dataclass

Kind = Literal["url_group", "queue", "flow_control"]

DECLARATION = Allowed(names=JOB.names - {"job"}, where="a declaration")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One thing of the account, as it should be."""

    kind: Kind
    key: str
    """As the file calls it."""
    name: str
    """As the account calls it."""
    fields: Mapping[str, Any]
    """Rendered."""
    location: Location
    """Its key in the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Everything that is declared; what is out of order is left out and among the problems."""

    resources: tuple[Resource, ...] = ()
    problems: tuple[Problem, ...] = ()
    group_names: Mapping[str, str] = field(default_factory=dict)
    """The account's name of each declared group: a job may name a group by its key."""

    def of(self, kind: Kind) -> Iterator[Resource]:
        return (resource for resource in self.resources if resource.kind == kind)


def read_resources(files: list[tuple[JobFile, Scope]], context: Context) -> Resources:
    """Render and check what some files declare, each with the scope of its own variables."""
    resources: list[Resource] = []
    problems: list[Problem] = []
    taken: dict[tuple[str, str], Location] = {}
    named: dict[tuple[str, str], Resource] = {}
    for file, scope in files:
        for kind, section, declared in _sections(file):
            for key, fields in declared.items():
                path: Path = (section, key)
                first = taken.setdefault((kind, key), file.document.locate(path, key=True))
                if first != file.document.locate(path, key=True):
                    problems.append(_taken(file, path, first))
                resource, found = _read(kind, key, fields or {}, file, path, scope, context)
                problems += found
                if resource is not None:
                    resources.append(resource)
                    other = named.setdefault((kind, resource.name), resource)
                    problems += [_named_alike(resource, other, path)] if other.key != key else []
    groups = {one.key: one.name for one in resources if one.kind == "url_group"}
    return Resources(resources=tuple(resources), problems=tuple(problems), group_names=groups)


def _sections(file: JobFile) -> Iterator[tuple[Kind, str, Mapping[str, Any]]]:
    yield "url_group", "url_groups", file.url_groups
    yield "queue", "queues", file.queues
    yield "flow_control", "flow_controls", file.flow_controls


def _read(
    kind: Kind, key: str, fields: Any, file: JobFile, path: Path, scope: Scope, context: Context
) -> tuple[Resource | None, list[Problem]]:
    locate = _locate_in(file, path)
    template, problems = compile_value(
        fields, place=partial(_without_key, locate), allowed=DECLARATION, url_paths=_url_paths(fields)
    )
    filled = template.fill(scope)
    problems += template.problems(filled)
    if problems:
        return None, problems
    problems += check_concrete(kind, filled.value, locate)
    if problems:
        return None, problems
    name = str(filled.value.get("name", key))
    problems += check_resource(kind, name, filled.value, context, locate)
    if any(problem.severity is Severity.ERROR for problem in problems):
        return None, problems
    location = file.document.locate(path, key=True)
    return Resource(kind=kind, key=key, name=name, fields=filled.value, location=location), problems


def _locate_in(file: JobFile, path: Path) -> Callable[[Path, bool], Location]:
    def locate(inner: Path, key: bool) -> Location:  # noqa: FBT001 - the schema's own form of the question
        return file.document.locate((*path, *inner), key=key or not inner)

    return locate


def _without_key(locate: Callable[[Path, bool], Location], path: Path) -> Location:
    return locate(path, False)  # noqa: FBT003


def _url_paths(fields: Any) -> frozenset[Path]:
    endpoints = fields.get("endpoints") if isinstance(fields, dict) else None
    return frozenset(("endpoints", name) for name in endpoints or ())


def _named_alike(resource: Resource, other: Resource, path: Path) -> Problem:
    """Refuse two that are one in the account: each apply would make it as the other is not."""
    place = f"{other.location.file}:{other.location.line}"
    return Problem(
        location=resource.location,
        rule="resource-repeated",
        message=f"{resource.key} and {other.key} in {place} are both {resource.name} in the account",
        hint="give one of them another `name`",
        path=path,
    )


def _taken(file: JobFile, path: Path, first: Location) -> Problem:
    return Problem(
        location=file.document.locate(path, key=True),
        rule="resource-repeated",
        message=f"{path[1]} is declared twice: first in {first.file}:{first.line}",
        hint="keep one of them; what an account holds has one place in a project",
        path=path,
    )
