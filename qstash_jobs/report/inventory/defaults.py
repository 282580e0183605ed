"""Fields of a schedule + the defaults that would be under them -> the fields that mean the same all the same."""

from collections.abc import Iterator, Mapping
from typing import Any

from qstash_jobs.job import DISPLACED, MERGED, NOT_OF_A_SCHEDULE

NO_PART_OF_IT = (*NOT_OF_A_SCHEDULE, "description", "run_labels")
"""Defaults that change nothing of what the account is given."""


def take_away(fields: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Add a `null` for each default that the fields have not got."""
    merged = {name: _merge(name, value, defaults.get(name)) for name, value in fields.items()}
    merged |= dict.fromkeys(_find_strangers(fields, defaults))
    return merged


def merge_defaults(sources: Iterator[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge the project's defaults, weakest first, as a job does."""
    merged: dict[str, Any] = {}
    for source in sources:
        for name, value in source.items():
            if name in MERGED and isinstance(value, dict):
                merged[name] = {**merged.get(name, {}), **value}
            else:
                merged[name] = value
    return merged


def _find_strangers(fields: Mapping[str, Any], defaults: Mapping[str, Any]) -> Iterator[str]:
    for name, value in defaults.items():
        # a field takes away by itself what cannot stand beside it; and a null would take the field away
        displacing = DISPLACED.get(name, (name,))
        if value is not None and name not in NO_PART_OF_IT and not any(one in fields for one in displacing):
            yield name


def _merge(name: str, value: Any, default: Any) -> Any:
    if name not in MERGED or not isinstance(value, dict) or not isinstance(default, dict):
        return value
    own = {key.lower() if name == "headers" else key for key in value}
    strangers = [key for key in default if (key.lower() if name == "headers" else key) not in own]
    return {**value, **dict.fromkeys(strangers)}
