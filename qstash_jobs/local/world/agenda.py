"""What is to happen at which virtual time: first by time, then in the order it was put there."""

import heapq
from itertools import count

from qstash_jobs.local.world.flow import FlowKey
from qstash_jobs.local.world.message import Landing, Message, Stage

Item = Message | FlowKey | Landing

SWEEP_AT = 64
"""So many entries may be there before it is looked which of them are over."""


class Agenda:
    """A message is to be delivered, a flow-control period ends, an answer arrives."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Item]] = []
        self._order = count()
        self._sweep_at = SWEEP_AT

    def put(self, due_ms: int, item: Item) -> None:
        """Put something on the agenda."""
        heapq.heappush(self._heap, (due_ms, next(self._order), item))
        if len(self._heap) >= self._sweep_at:
            self._sweep()

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
            if not _is_over(item):
                return due_ms
            heapq.heappop(self._heap)
        return None

    def _sweep(self) -> None:
        """Take out what was cancelled long before its time: it comes to nothing, but it takes memory."""
        self._heap = [entry for entry in self._heap if not _is_over(entry[2])]
        heapq.heapify(self._heap)
        self._sweep_at = max(SWEEP_AT, 2 * len(self._heap))


def _is_over(item: Item) -> bool:
    return isinstance(item, Message) and item.stage is Stage.SETTLED
