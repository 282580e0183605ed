"""Values: equal where their fields are, and shown with all that is meant to be seen."""

from dataclasses import asdict, field, replace

import pytest

from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something stands."""

    file: str
    line: int = 1
    text: str = field(default="", repr=False)
    seen: list[str] = field(default_factory=list, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """A value without fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Void:
    """Another one."""


@dataclass(slots=True)
class Tally:
    """Something that changes."""

    count: int = 0


def test_values_are_equal_where_all_compared_fields_are() -> None:
    one = Place(file="a.yaml", line=2, seen=["x"])
    assert one == Place(file="a.yaml", line=2)
    assert hash(one) == hash(Place(file="a.yaml", line=2))
    assert one != replace(one, line=3)
    assert len({one, Place(file="a.yaml", line=2), Place(file="b.yaml")}) == 2


def test_values_of_different_classes_are_different() -> None:
    assert Nothing() == Nothing()
    assert Nothing() != Void()
    assert Place(file="a") != "a"
    assert len({Nothing(), Nothing(), Void()}) == 2


def test_a_value_shows_its_fields_less_those_that_are_hidden() -> None:
    assert repr(Place(file="a.yaml", text="secret")) == "Place(file='a.yaml', line=1, seen=[])"
    assert repr(Nothing()) == "Nothing()"


def test_each_value_has_its_own_of_what_a_factory_makes() -> None:
    one, other = Place(file="a"), Place(file="b")
    one.seen.append("x")
    assert other.seen == []
    assert asdict(one) == {"file": "a", "line": 1, "text": "", "seen": ["x"]}


def test_what_changes_is_no_key() -> None:
    tally = Tally()
    tally.count += 1
    assert tally == Tally(1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(tally)
