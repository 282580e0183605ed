"""One fault of plain data: what is wrong and at which path, before anybody has looked up where that stands."""

from dataclasses import replace

from qstash_jobs.problem import Path
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    path: Path
    rule: str
    message: str
    hint: str | None = None
    at_key: bool = False
    """It is the key that is at fault, not its value."""
    about: tuple[str, ...] = ()
    """The fields that are missing; or the one that an unknown field was meant to be."""

    def under(self, path: Path) -> "Fault":
        """Return the same fault of data that stands deeper in its file."""
        return replace(self, path=(*path, *self.path))
