"""Documents as written, and fields as rendered -> Problems.

jsonschema-rs decides what is valid, because it does so in microseconds; jsonschema explains what is not, because
it says why. Both are imported where they are first needed, so that a start stays quick.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from qstash_jobs.document import Document
from qstash_jobs.problem import Location, Path, Problem, sort_problems
from qstash_jobs.schema.fault import Fault
from qstash_jobs.schema.published import concrete_fields, concrete_part, part, project_schema
from qstash_jobs.schema.shape import shape

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator

Kind = Literal["job", "schedule", "url_group", "queue", "flow_control"]

Locate = Callable[[Path, bool], Location]
"""Finds the value at a path, or its key."""

WHOLE: Mapping[Kind, str] = {
    "job": "whole_job",
    "schedule": "whole_schedule",
    "url_group": "url_group_resource",
    "queue": "queue_resource",
    "flow_control": "flow_control_resource",
}

SECTIONS = {
    "jobs": "job",
    "schedules": "schedule",
    "url_groups": "url_group_resource",
    "queues": "queue_resource",
    "flow_controls": "flow_control_resource",
}
"""The maps of a job set that may be long, and what stands in them."""

ANYTHING = frozenset({"body"})
"""Fields that take any value but null."""


def check_job_file(document: Document) -> list[Problem]:
    """Check a job file as written: expressions may stand wherever a scalar may, and nothing is required that
    defaults could say. An unreadable document has its own problems already and yields none here.
    """
    if document.data is None:
        return [] if document.problems else [_empty(document)]
    whole = "job_set" if shape(document.data) == "set" else "single_job"
    if _decide(whole).is_valid(document.data):
        return []
    faulty = _only_faulty(document.data) if whole == "job_set" else document.data
    return _place(_explain(part(whole), faulty), _locate_in(document))


def check_project_file(document: Document) -> list[Problem]:
    """Check the project file, and the defaults in it and in its environments as fields of a job."""
    if document.data is None:
        return []
    faults: list[Fault] = []
    if not _decide_project().is_valid(document.data):
        faults += _explain(project_schema(), document.data)
    for path, defaults in _project_defaults(document.data):
        if not _decide("job").is_valid(defaults):
            faults += (fault.under(path) for fault in _explain(part("job"), defaults))
    return _place(faults, _locate_in(document))


def is_concrete(kind: Kind, fields: Mapping[str, Any]) -> bool:
    """Say whether merged and rendered fields are whole: types, ranges, patterns, and nothing missing."""
    return _decide_concrete(WHOLE[kind]).is_valid(fields)


def are_concrete(kind: Kind, fields: Mapping[str, Any], names: Iterable[str]) -> bool:
    """Say of some of the fields what `is_concrete` says where all others are known to be in order."""
    # to hand a large body over takes longer than to hear that anything will do
    bound = {name: value for name in names if (value := fields[name]) is None or name not in ANYTHING}
    return not bound or _decide_fields(WHOLE[kind]).is_valid(bound)


def check_concrete(kind: Kind, fields: Mapping[str, Any], locate: Locate) -> list[Problem]:
    """Check merged and rendered fields; `locate` finds where a field was written."""
    if is_concrete(kind, fields):
        return []
    return _place(_explain(concrete_part(WHOLE[kind]), fields), locate)


def _empty(document: Document) -> Problem:
    return Problem(
        location=document.locate(()),
        rule="schema-missing",
        message="the file is empty",
        hint="begin with `url: https://…` for one job, or with `jobs:` for several",
    )


def _only_faulty(data: Mapping[str, Any]) -> dict[str, Any]:
    """Leave the valid jobs out: explaining takes a hundred times as long as deciding."""
    return {
        key: {name: item for name, item in value.items() if not _is_valid_entry(SECTIONS[key], name, item)}
        if key in SECTIONS and isinstance(value, dict)
        else value
        for key, value in data.items()
    }


def _is_valid_entry(definition: str, name: str, item: Any) -> bool:
    return _decide("id").is_valid(name) and _decide(definition).is_valid(item)


def _project_defaults(data: Any) -> Iterator[tuple[Path, Any]]:
    """Find every mapping of defaults in a project file; what is no mapping is the schema's to refuse."""
    places: list[tuple[Path, Any]] = [((), data)]
    if isinstance(data, dict) and isinstance(data.get("environments"), dict):
        places += ((("environments", name), item) for name, item in data["environments"].items())
    for path, item in places:
        if isinstance(item, dict) and isinstance(item.get("defaults"), dict):
            yield (*path, "defaults"), item["defaults"]


def _explain(schema: Mapping[str, Any], data: Any) -> list[Fault]:
    from qstash_jobs.schema.explain import find_faults

    return find_faults(schema, data)


def _place(faults: Iterable[Fault], locate: Locate) -> list[Problem]:
    return sort_problems(
        [
            Problem(
                location=locate(fault.path, fault.at_key),
                rule=fault.rule,
                message=fault.message,
                hint=fault.hint,
                path=fault.path,
            )
            for fault in faults
        ]
    )


def _locate_in(document: Document) -> Locate:
    # Where the fault is of the whole file, there is no key; its beginning is the place.
    return lambda path, at_key: document.locate(path, key=at_key and bool(path))


@cache
def _decide(definition: str) -> "Draft202012Validator":
    return _compile(part(definition))


@cache
def _decide_concrete(definition: str) -> "Draft202012Validator":
    return _compile(concrete_part(definition))


@cache
def _decide_fields(definition: str) -> "Draft202012Validator":
    return _compile(concrete_fields(definition))


@cache
def _decide_project() -> "Draft202012Validator":
    return _compile(project_schema())


def _compile(schema: dict[str, Any]) -> "Draft202012Validator":
    from jsonschema_rs import Draft202012Validator

    return Draft202012Validator(schema, offline=True)
