"""A URL group: the endpoints that a message to it is delivered to."""

from collections.abc import Iterable
from dataclasses import field

from qstash_jobs.local.world.settings import Pairs
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    url: str
    name: str | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Group:
    """The state of one URL group."""

    name: str
    created_ms: int
    updated_ms: int
    endpoints: list[Endpoint] = field(default_factory=list)
    headers: Pairs = ()
    """Defaults for every message to it (wire contract, section 9)."""

    def put(self, endpoints: Iterable[Endpoint], *, by_url: bool) -> None:
        """Add endpoints, or update those of the same name or, where one has no name or URLs decide, the same URL."""
        for new in endpoints:
            place = self._find(new, by_url=by_url)
            if place is None:
                self.endpoints.append(new)
            else:
                self.endpoints[place] = new

    def _find(self, new: Endpoint, *, by_url: bool) -> int | None:
        """Find what a new endpoint takes the place of: by its name, else by its URL where one of them has no name."""
        places = range(len(self.endpoints))
        if by_url:
            return next((i for i in places if self.endpoints[i].url == new.url), None)
        named = [i for i in places if new.name and self.endpoints[i].name == new.name]
        alike = [
            i
            for i in places
            if self.endpoints[i].url == new.url and not (new.name and self.endpoints[i].name)
        ]
        return next(iter([*named, *alike]), None)

    def remove(self, endpoints: Iterable[Endpoint]) -> None:
        """Remove the endpoints that have one of these names or URLs."""
        for gone in endpoints:
            self.endpoints = [
                e
                for e in self.endpoints
                if not ((gone.name and e.name == gone.name) or (gone.url and e.url == gone.url))
            ]
