"""A queue: its messages take turns, in the order they came, so many at a time."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qstash_jobs.local.world.line import Line

if TYPE_CHECKING:
    from qstash_jobs.local.world.message import Message


@dataclass(slots=True, kw_only=True, eq=False)
class Queue:
    """The state of one queue."""

    name: str
    created_ms: int
    updated_ms: int
    parallelism: int = 1
    paused: bool = False
    active: int = 0
    waiting: Line = field(default_factory=Line)

    def next_up(self) -> "Message | None":
        """Give the next message its turn, if there is a free one."""
        while self.waiting and not self.paused and self.active < self.parallelism:
            message = self.waiting.popleft()
            if message.stage == "waiting":
                self.active += 1
                message.in_queue = True
                return message
        return None

    def leave(self, message: "Message") -> None:
        """Take a message's turn back."""
        if message.in_queue:
            message.in_queue = False
            self.active -= 1

    @property
    def lag(self) -> int:
        """How many messages are not done."""
        return self.active + sum(1 for message in self.waiting if message.stage == "waiting")
