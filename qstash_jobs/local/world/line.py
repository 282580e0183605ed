"""Messages that wait for something, in their order."""

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qstash_jobs.local.world.message import Message

SWEEP_AT = 64
"""So many may wait before it is looked who has left."""


class Line:
    """Who is cancelled stays in it until its turn comes, or until it has grown to twice those who waited."""

    def __init__(self) -> None:
        self._waiting: deque[Message] = deque()
        self._sweep_at = SWEEP_AT

    def __iter__(self) -> "Iterator[Message]":
        return iter(self._waiting)

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def first(self) -> "Message":
        """The one whose turn is next."""
        return self._waiting[0]

    def append(self, message: "Message") -> None:
        """Let a message wait behind all others."""
        self._waiting.append(message)
        if len(self._waiting) >= self._sweep_at:
            self._waiting = deque(one for one in self._waiting if one.stage != "settled")
            self._sweep_at = max(SWEEP_AT, 2 * len(self._waiting))

    def popleft(self) -> "Message":
        """Take the first one out."""
        return self._waiting.popleft()
