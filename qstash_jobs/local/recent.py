"""The last things of a kind that happened: kept up to a number and a size."""

from collections import deque
from typing import Generic, Protocol, TypeVar

from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
    """A request as it came."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class HasBody(Protocol):
    """What can be kept."""

    @property
    def body(self) -> bytes:
        """Its bytes, which count."""


Kept = TypeVar("Kept", bound=HasBody)


class Recent(Generic[Kept]):
    """Keeps the last things that it was given, so many and so many bytes at most, and counts all of them."""

    def __init__(self, *, most: int = 10_000, most_bytes: int = 64 * 1024 * 1024) -> None:
        self.count = 0
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: deque[Kept] = deque()

    def add(self, thing: Kept) -> None:
        """Keep one more."""
        self.count += 1
        self._kept.append(thing)
        self._bytes += len(thing.body)
        while len(self._kept) > self._most or (self._bytes > self._most_bytes and len(self._kept) > 1):
            self._bytes -= len(self._kept.popleft().body)

    def list(self) -> list[Kept]:
        """List what is kept, oldest first."""
        return list(self._kept)
