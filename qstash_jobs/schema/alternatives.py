"""A refused `anyOf` -> what the alternative says that the value was meant for.

What the other alternatives say is noise to a person. The expression is an alternative everywhere and never what is
told: it is known by being there.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from qstash_jobs.schema.published import EXPRESSION, NULL
from qstash_jobs.schema.refusal import Refusal
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    title: str
    refusals: tuple[Refusal, ...]


def is_choice_of_fields(refusal: Refusal) -> bool:
    """Tell "one of these fields has to be there" from "the value is one of these"."""
    return refusal.keyword == "anyOf" and all("required" in schema for schema in refusal.limit)


def list_alternatives(refusal: Refusal) -> tuple[Alternative, ...]:
    """List the alternatives of a value; alternatives of alternatives stand in line with them."""
    return tuple(_list(refusal))


def find_meant(alternatives: tuple[Alternative, ...]) -> Alternative | None:
    """Return the first alternative whose type the value has."""
    return next((one for one in alternatives if all(map(_has_the_type, one.refusals))), None)


def _list(refusal: Refusal) -> Iterator[Alternative]:
    for index, schema in enumerate(refusal.limit):
        if schema in (EXPRESSION, NULL):
            continue
        said = tuple(one for one in refusal.inner if one.alternative == index)
        if (
            [one.keyword for one in said] == ["anyOf"]
            and not said[0].deeper
            and not is_choice_of_fields(said[0])
        ):
            yield from _list(said[0])
        else:
            yield Alternative(title=_title(schema, said), refusals=said)


def _title(schema: Mapping[str, Any], said: tuple[Refusal, ...]) -> str:
    # behind a reference, the title is the definition's, which each refusal of the value itself carries
    titles = (one.schema.get("title") for one in said if not one.deeper)
    return str(schema.get("title") or next(titles, None) or "something else")


def _has_the_type(refusal: Refusal) -> bool:
    if refusal.deeper:
        return True
    if refusal.keyword in ("enum", "const"):
        return isinstance(refusal.value, str)
    return refusal.keyword != "type" and not (refusal.keyword == "not" and refusal.limit == NULL)
