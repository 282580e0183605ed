"""Messages that another runner has, or whose queue it has -> the same messages, when it is time to look at them again.

Only a ledger that several runners share puts anything here.
"""

from bisect import insort
from collections.abc import Callable, Iterator

from qstash_jobs.boundary import Clock, Ledger
from qstash_jobs.envelope import Envelope
from qstash_jobs.publish.settlement import Settlement
from qstash_jobs.publish.work import Try
from qstash_jobs.record import State

MOST = 5_000
"""Messages that may stand aside; past that no new ones are read, so that memory does not grow with the run."""

LOOK_AGAIN_S = 1.0

TOLD_AFTER_S = 5.0
"""Who waits for longer is told what for, once."""


class Aside:
    """Keeps messages in their order, by the place that each has in the run."""

    def __init__(self, ledger: Ledger, clock: Clock, note: Callable[[str], None]) -> None:
        """`note` is told of a long wait."""
        self._ledger = ledger
        self._clock = clock
        self._note = note
        self._tell_s: float | None = None
        self._waiting: dict[int, Envelope] = {}
        self._queues: dict[str, list[int]] = {}
        """The places of those that have a queue, the first one first."""
        self._next_s = float("-inf")

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def is_full(self) -> bool:
        return len(self._waiting) >= MOST

    def put(self, place: int, envelope: Envelope) -> None:
        """Let a message wait, and with it what comes after it in its queue."""
        if not self._waiting:
            self._next_s = self._clock.monotonic_s() + LOOK_AGAIN_S
        if place not in self._waiting:
            self._waiting[place] = envelope
            if envelope.message.queue is not None:
                insort(self._queues.setdefault(envelope.message.queue, []), place)

    def takes(self, item: Try) -> bool:
        """Say whether a message that is about to be sent has to stand aside, and then let it wait."""
        queue = item.envelope.message.queue
        if queue is None or (
            not self._is_behind(queue, item.place) and self._ledger.hold_queue(item.envelope.slot.key, queue)
        ):
            return False
        self.put(item.place, item.envelope)
        return True

    def due(self) -> list[int]:
        """Give the places of all that wait, in their order, once it is time to look again."""
        if not self._waiting or self._clock.monotonic_s() < self._next_s:
            return []
        self._next_s = self._clock.monotonic_s() + LOOK_AGAIN_S
        self._tell()
        return sorted(self._waiting)

    def take(self, place: int) -> Envelope:
        """Take a message out, to see what has become of it."""
        envelope = self._waiting.pop(place)
        if envelope.message.queue is not None:
            places = self._queues[envelope.message.queue]
            places.remove(place)
            if not places:
                del self._queues[envelope.message.queue]
        return envelope

    def leave(self) -> Iterator[Settlement]:
        """Give up on what waits, because the run ends: it is with another runner."""
        for place in sorted(self._waiting):
            yield Settlement(
                envelope=self.take(place),
                state=State.SENDING,
                reason="another runner has it; what becomes of it is in the ledger",
            )

    def _tell(self) -> None:
        now_s = self._clock.monotonic_s()
        if self._tell_s is None:
            self._tell_s = now_s + TOLD_AFTER_S
        elif now_s >= self._tell_s:
            self._tell_s = float("inf")
            number = len(self._waiting)
            verb = "is" if number == 1 else "are"
            self._note(
                f"{number:,} {'message' if number == 1 else 'messages'} {verb} with other runners; waiting for them"
            )

    def _is_behind(self, queue: str, place: int) -> bool:
        """Say whether an earlier message of a queue stands aside."""
        places = self._queues.get(queue, ())
        return len(places) > 0 and places[0] < place
