"""What is to happen at which virtual time: first by time, then in the order it was put there."""

import heapq
from itertools import count

from qstash_jobs.local.world.flow import FlowKey
from qstash_jobs.local.world.message import Landing, Message, Stage

Item = Message | FlowKey | Landing


class Agenda:
    """A message is to be delivered, a flow-control period ends, an answer arrives."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Item]] = []
        self._order = count()

    def put(self, due_ms: int, item: Item) -> None:
        """Put something on the agenda."""
        heapq.heappush(self._heap, (due_ms, next(self._order), item))

    def take(self, now_ms: int) -> Item | None:
        """Take the next item that is due, or None."""
        due_ms = self.next_due_ms()
        if due_ms is None or due_ms > now_ms:
            return None
        return heapq.heappop(self._heap)[2]

    def next_due_ms(self) -> int | None:
        """Return when the next item is due; messages that were cancelled meanwhile do not count."""
        while self._heap:
            due_ms, _, item = self._heap[0]
            if not (isinstance(item, Message) and item.stage is Stage.SETTLED):
                return due_ms
            heapq.heappop(self._heap)
        return None
