"""Data and a schema -> Refusals: what jsonschema says, as plain values, with nothing left out or judged yet."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, TypeChecker
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from referencing import Registry

from qstash_jobs.problem import Path
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One keyword of a schema that a value does not meet."""

    path: Path
    keyword: str
    limit: Any
    """What the schema says behind the keyword."""
    schema: Mapping[str, Any]
    """The schema that the keyword stands in."""
    value: Any
    of_key: bool = False
    """The value is a key of the mapping at the path."""
    alternative: int = 0
    """Inside an `anyOf`: which of its schemas says so."""
    deeper: bool = False
    """Inside an `anyOf`: it is about something in the value, not about the value itself."""
    inner: tuple["Refusal", ...] = ()
    """Of an `anyOf`: what each of its schemas says."""


def find_refusals(schema: Mapping[str, Any], data: Any) -> Iterator[Refusal]:
    """Hold data against a schema."""
    for error in _validator_class()(schema, registry=Registry()).iter_errors(data):
        yield _read(error)


def _read(error: ValidationError) -> Refusal:
    inside = error.parent is not None
    return Refusal(
        path=tuple(error.absolute_path),
        keyword=str(error.validator),
        limit=error.validator_value,
        schema=error.schema if isinstance(error.schema, dict) else {},
        value=error.instance,
        of_key="propertyNames" in error.relative_schema_path,
        alternative=int(error.relative_schema_path[0]) if inside else 0,
        deeper=inside and bool(error.relative_path),
        inner=tuple(_read(one) for one in error.context or ()),
    )


@cache
def _validator_class() -> type[Validator]:
    checker = Draft202012Validator.TYPE_CHECKER.redefine_many({"integer": _is_integer, "number": _is_number})
    extended: type[Validator] = extend(Draft202012Validator, type_checker=checker)  # type: ignore[no-untyped-call]
    return extended


def _is_integer(_: TypeChecker, value: Any) -> bool:
    """Agree with jsonschema-rs: a decimal without a fraction is an integer."""
    if isinstance(value, Decimal):
        return value.is_finite() and value == value.to_integral_value()
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_: TypeChecker, value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)
