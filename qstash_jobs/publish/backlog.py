"""Batches that came to nothing -> the same batches, when it is time to send them again."""

from collections.abc import Iterator

from qstash_jobs.publish.work import Batch
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A batch that may go again, not before a moment on the monotonic clock."""

    at_s: float
    batch: Batch


class Backlog:
    """Holds the batches of a run that go again, those of one queue in their order."""

    def __init__(self) -> None:
        self._waiting: list[Due] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def __iter__(self) -> Iterator[Batch]:
        return (due.batch for due in self._waiting)

    @property
    def queues(self) -> frozenset[str]:
        return frozenset().union(*(due.batch.queues for due in self._waiting))

    def put_back(self, *batches: Batch, at_s: float) -> None:
        """Put batches that were under way before everything of their queues that still waits here."""
        self._waiting[:0] = [Due(at_s=at_s, batch=batch) for batch in batches]

    def take(self, now_s: float, busy: frozenset[str]) -> Batch | None:
        """Take out the first batch that is due and whose queues are free."""
        for index, due in self._free(busy):
            if due.at_s <= now_s:
                del self._waiting[index]
                return due.batch
        return None

    def next_s(self, busy: frozenset[str]) -> float | None:
        """Return when the next batch is due of those whose queues are free."""
        return min((due.at_s for _, due in self._free(busy)), default=None)

    def _free(self, busy: frozenset[str]) -> Iterator[tuple[int, Due]]:
        passed = set(busy)
        for index, due in enumerate(self._waiting):
            if passed.isdisjoint(due.batch.queues):
                yield index, due
            passed |= due.batch.queues
