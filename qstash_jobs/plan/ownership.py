"""What of an account is whose: the mark that a project's schedules carry, and the names that it gives them.

A schedule is this project's where its id begins with the project's prefix and a label carries the project's mark.
URL groups, queues and flow-control keys can hold no label: of them only the name can tell.
"""

import re
from collections.abc import Iterable

from qstash_jobs.identity import owner_mark
from qstash_jobs.value import dataclass

_LABEL = re.compile(r"qj-s-([0-9a-f]{12})-([0-9a-f]{12})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A project in one of its environments; either may have no name."""

    project: str
    environment: str
    names_things: bool = True
    """Whether its things are told by their names too; a copy has the names of what it is a copy of."""

    @property
    def prefix(self) -> str:
        """What the ids of its schedules begin with."""
        if not self.names_things:
            return ""
        # a project that is named by its git remote has slashes, which no schedule id may have (openapi.yaml)
        parts = (self.project.replace("/", "-"), self.environment)
        return "".join(f"{part}-" for part in parts if part)

    def schedule_id(self, key: str) -> str:
        """Give the id in the account of a schedule that stands under a key."""
        return self.prefix + key

    def write_label(self, digest: str) -> str:
        """Write the label of a schedule: whose it is, and the digest of what QStash does not give back of it."""
        return f"qj-s-{owner_mark(self.project, self.environment)}-{digest}"

    def read_digest(self, labels: Iterable[str]) -> str | None:
        """Read the digest of this project's label; None where there is no such label."""
        mark = owner_mark(self.project, self.environment)
        found = (match[2] for label in labels if (match := _LABEL.fullmatch(label)) and match[1] == mark)
        return next(found, None)

    def owns_schedule(self, id_: str, labels: Iterable[str]) -> bool:
        """Say whether a schedule is this project's, by its id and its label; nobody owns without a name."""
        return bool(self.project) and id_.startswith(self.prefix) and self.read_digest(labels) is not None

    def has_named(self, name: str) -> bool:
        """Say whether a name begins as this project's do: it may still be another's."""
        return bool(self.project) and self.names_things and name.startswith(self.prefix)


def read_mark(label: str) -> tuple[str, str] | None:
    """Read some project's label: whose it is, and the digest; None where it is none."""
    match = _LABEL.fullmatch(label)
    return None if match is None else (match[1], match[2])


def is_mark(label: str) -> bool:
    """Say whether a label is some project's mark, and nothing that a user wrote."""
    return _LABEL.fullmatch(label) is not None
