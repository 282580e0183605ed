"""What became of a message in a run, as it is told."""

from collections.abc import Callable
from typing import Literal

from qstash_jobs.envelope import Envelope
from qstash_jobs.outcome import Endpoint
from qstash_jobs.record import State, Witness
from qstash_jobs.value import dataclass

SettledState = State | Literal["skipped"]
"""Where a run leaves a message: in a state of the ledger's, or as an earlier run or a window has left it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What became of a message in this run; told after the ledger has it."""

    envelope: Envelope
    state: SettledState
    reason: str | None = None
    endpoints: tuple[Endpoint, ...] = ()
    status: int | None = None
    error: str | None = None
    attempts: int = 0
    elapsed_ms: int | None = None
    foreign: bool = False
    """Deduplicated against a message that this ledger does not know."""
    evidence: Witness | None = None
    """Who knew it, where it was not an answer to this message."""
    asked_in_vain: bool = False
    """In doubt, and QStash's log would say no more if it were asked again."""


Tell = Callable[[Settlement], None]
