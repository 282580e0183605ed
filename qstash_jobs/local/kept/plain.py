"""Frozen values of the world (settings, endpoints, answers …) <-> what JSON can hold.

A field that has its default is not written, so that a field that is new reads back from an older file.
"""

import base64
import json
import types
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from qstash_jobs.grammar import RetryDelay, read_retry_delay

T = TypeVar("T")

_encode = json.JSONEncoder(separators=(",", ":")).encode


def write_plain(value: Any) -> str:
    """Write a value as JSON, in ASCII: text with half a surrogate pair can be kept as well."""
    return _encode(_to_plain(value))


def read_plain(kind: type[T], text: str) -> T:
    """Read a value of a kind back. Raises ValueError, TypeError or KeyError for what was not written here."""
    value: T = _from_plain(kind, json.loads(text))
    return value


def _to_plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, RetryDelay):
        return value.text
    if is_dataclass(value):
        return {
            name: _to_plain(field)
            for name, default in _defaults(value.__class__)
            if (field := getattr(value, name)) != default
        }
    if isinstance(value, frozenset):
        return sorted(value)
    return [_to_plain(one) for one in value]


def _from_plain(kind: Any, value: Any) -> Any:
    origin, choices = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return None if value is None else _from_plain(choices[0], value)
    if kind is bytes:
        return base64.b64decode(value)
    if kind is RetryDelay:
        return read_retry_delay(value)
    if hasattr(kind, "__dataclass_fields__"):
        hints = _hints(kind)
        return kind(**{name: _from_plain(hints[name], field) for name, field in value.items()})
    if origin is frozenset:
        return frozenset(value)
    if origin is tuple:
        kinds = choices[:1] * len(value) if choices[-1] is ... else choices
        return tuple(_from_plain(each, one) for each, one in zip(kinds, value, strict=True))
    if origin is Literal:
        return choices[choices.index(value)]
    return kind(value)


@cache
def _defaults(kind: Any) -> tuple[tuple[str, Any], ...]:
    return tuple((one.name, one.default) for one in fields(kind))


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)
