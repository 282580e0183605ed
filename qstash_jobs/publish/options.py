"""How a run publishes, and how it may end."""

from qstash_jobs.errors import LedgerError
from qstash_jobs.publish.settlement import Settlement
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a run publishes."""

    concurrency: int = 32
    """Requests on the wire at once, each on a connection of its own."""
    batch_size: int = 100
    rate: float | None = None
    """Messages a second at most."""
    skip: frozenset[str] = frozenset()
    """Full names of messages to leave out for good."""
    resends_doubts: bool = False
    """Send again what may have been accepted, although it could then be published twice."""

    @property
    def messages_a_request(self) -> int:
        """How many messages may share a request: never more than a second may have."""
        return self.batch_size if self.rate is None else max(1, min(self.batch_size, int(self.rate)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Why a run stopped before its messages were through."""

    exit_code: int
    reason: str
    hint: str | None = None


class UnrecordedError(LedgerError):
    """the ledger stopped taking results"""

    def __init__(self, message: str, settlements: list[Settlement]) -> None:
        super().__init__(message)
        self.settlements = settlements
        """What the service answered and the ledger does not know."""
