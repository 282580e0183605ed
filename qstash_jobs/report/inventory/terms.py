"""What the draft of an account is made for, and what it has to work around."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from qstash_jobs.plan.ownership import Owner
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to say what QStash shows in the same manner for more than one reason."""

    says_retries: bool = True
    """The number of retries is the schedule's own, and not the account's."""
    hides_all: bool = False
    """All headers are hidden because all are meant, and not each by its name."""


VARIANTS = tuple(
    Variant(says_retries=says, hides_all=hides) for says in (True, False) for hides in (False, True)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """For whom a draft is, and where it is to stand."""

    owner: Owner
    """Its schedules get their keys back; those of other projects keep their ids."""
    takes_over: bool = False
    """Also schedules that carry another project's mark."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """The project's own, which would be under every schedule: what a schedule has not is taken away again."""
    folder: str | None = None
    """Beside the job file, for bodies that nobody wants to read there; None keeps all in the one file."""
    group_keys: Mapping[str, str] = field(default_factory=dict)
    """URL groups that other files of the project declare: the account's name, and their key."""
    taken_keys: frozenset[str] = frozenset()
    """Keys of resources in other files."""
    variants: Mapping[str, int] = field(default_factory=dict)
    """By a schedule's id: which of VARIANTS says it as it was made."""
