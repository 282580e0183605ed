"""Which schedule fires next.

Schedules go by the wall clock, as deduplication windows do: a jump of virtual time to the next delivery fires none
of them. If it did, one that publishes something for later would make time run away without end.
"""

import heapq
from itertools import count

from qstash_jobs.local.world.schedule import Schedule

SWEEP_AT = 64
"""So many entries may be there before it is looked which of them still hold."""


class Calendar:
    """Schedules by the time at which they fire next; those that changed since are passed over."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Schedule]] = []
        self._order = count()
        self._sweep_at = SWEEP_AT

    def put(self, schedule: Schedule) -> None:
        """Enter a schedule's next time."""
        if schedule.next_ms is not None:
            heapq.heappush(self._heap, (schedule.next_ms, next(self._order), schedule))
            if len(self._heap) >= self._sweep_at:
                self._sweep()

    def take(self, now_ms: int) -> Schedule | None:
        """Take the next schedule that is due, or None."""
        due_ms = self.next_due_ms()
        if due_ms is None or due_ms > now_ms:
            return None
        return heapq.heappop(self._heap)[2]

    def next_due_ms(self) -> int | None:
        """Return when the next one fires."""
        while self._heap:
            due_ms, _, schedule = self._heap[0]
            if schedule.next_ms == due_ms:
                return due_ms
            heapq.heappop(self._heap)
        return None

    def _sweep(self) -> None:
        """Keep one time of each schedule, and none of those that were changed or removed since."""
        latest_first = sorted(self._heap, reverse=True)
        self._heap = list(
            {entry[2]: entry for entry in latest_first if entry[2].next_ms == entry[0]}.values()
        )
        heapq.heapify(self._heap)
        self._sweep_at = max(SWEEP_AT, 2 * len(self._heap))
