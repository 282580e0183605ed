"""Messages that did not get through -> the queues that stop behind them, so that nothing overtakes."""

from qstash_jobs.message import Message
from qstash_jobs.publish.settlement import Settlement
from qstash_jobs.publish.work import Try
from qstash_jobs.record import State


class Queues:
    """Knows which queues have stopped, and for which message each waits."""

    def __init__(self) -> None:
        self._stopped: dict[str, str] = {}

    def stop(self, message: Message) -> None:
        """Let nothing more of this message's queue go; a message without a queue holds nothing up."""
        if message.queue is not None:
            self._stopped.setdefault(message.queue, message.name)

    def hold_back(self, item: Try) -> Settlement | None:
        """Say what becomes of a message whose queue has stopped; None where it may go."""
        queue = item.envelope.message.queue
        if queue is None or queue not in self._stopped:
            return None
        waits = f"the queue {queue} waits for {self._stopped[queue]}"
        doubtful = item.doubtful_since is not None
        return Settlement(
            envelope=item.envelope,
            state=State.IN_DOUBT if doubtful else State.PLANNED,
            reason=f"it may have been accepted, and {waits}" if doubtful else waits,
            attempts=item.attempt - 1,
        )
