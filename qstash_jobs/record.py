"""Outcome -> what the ledger remembers of a message."""

from datetime import datetime
from enum import StrEnum

from qstash_jobs.identity import message_name
from qstash_jobs.outcome import (
    Deduplicated,
    Endpoint,
    Misconfigured,
    NotSent,
    Outcome,
    Partial,
    Published,
    Rejected,
    Throttled,
    Unknown,
)
from qstash_jobs.state import SETTLED as SETTLED
from qstash_jobs.state import State as State
from qstash_jobs.state import conclude
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant:
    """One moment on both clocks: the wall's, and the one that counts from the machine's start."""

    wall: datetime
    """Aware, UTC."""
    boot_id: str
    """Names the machine's start that `boot_s` counts from."""
    boot_s: float


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a message stands in the ledger, within a run key. (Made by position, in half the time of names.)"""

    key: int
    """The ledger's own number of the run key."""
    job: str
    """The job's full name."""
    row: int = 0
    """A row's number from 1; 0 for a job without rows."""
    row_key: str | None = None
    """A row's own key, where the job names one: then it, not the number, is the row's identity."""
    generation: int = 0

    @property
    def identity(self) -> tuple[int, str, str | int, int]:
        """What is equal for the same message, also where rows have moved."""
        return self.key, self.job, self.row_key or self.row, self.generation

    @property
    def name(self) -> str:
        """The message's full name: the job's, and its row's key or number in brackets."""
        return message_name(self.job, self.row_key or str(self.row)) if self.row else self.job


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the ledger knows of one message. Never its body, its header values or its destination's query."""

    slot: Slot
    id: str
    """`qj-` and 40 hex digits, from the message's identity."""
    dedup_id: str | None
    """What went out as deduplication id."""
    fingerprint: bytes
    """HMAC of what was sent, 16 bytes, with the ledger's own key."""
    state: State
    attempt: int
    run: str
    """The run that wrote last."""
    file: str
    line: int
    target: str
    """The destination without its query, or the URL group's name."""
    first_maybe_sent: Instant | None = None
    settled_at: datetime | None = None
    endpoints: tuple[Endpoint, ...] = ()
    status: int | None = None
    error: str | None = None
    is_held: bool = False
    """Another runner has claimed it, and its claim is still good."""

    @property
    def name(self) -> str:
        """The message's full name: the job's, and its row's key or number in brackets."""
        return self.slot.name

    @property
    def is_foreign(self) -> bool:
        """Say whether QStash had this very message's id, and this ledger did not know of it."""
        return self.state is State.DEDUPLICATED and self.dedup_id == self.id

    @property
    def message_ids(self) -> tuple[str, ...]:
        """QStash's ids, in the order of the answer."""
        return tuple(endpoint.message_id for endpoint in self.endpoints if endpoint.message_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What an attempt came to, written back only if the attempt is still the last one."""

    slot: Slot
    attempt: int
    state: State
    settled_at: datetime
    endpoints: tuple[Endpoint, ...] = ()
    status: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunKey:
    """What makes runs the same: their messages are published once between them."""

    project: str
    environment: str
    target: str
    """Host, port and account, never the token."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenKey:
    """A run key as the ledger holds it."""

    number: int
    key: RunKey
    first_run: str
    started_at: datetime
    """Of its first run: `run.date` and its like come from here, so that a second try renders the same bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One invocation of `run`."""

    id: str
    started_at: datetime
    project: str
    environment: str
    target: str
    paths: tuple[str, ...]
    """Absolute."""
    options: dict[str, object]
    """What `--continue` needs: variables, job patterns, the folder it ran in. Never a secret."""
    expected: int = 0
    """Messages that the first pass counted."""
    keys: tuple[str, ...] = ()
    ended_at: datetime | None = None
    exit_code: int | None = None
    totals: dict[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How long the ledger refuses a deduplication id by itself, and whose it is."""

    dedup_id: str
    job: str
    until: float
    """Unix seconds; infinity for `forever`."""
    slot: Slot


class Witness(StrEnum):
    """Who knew what became of a message."""

    LOG = "log"
    """QStash's log, or what QStash says of a message that waits."""
    PERSON = "person"


class Verdict(StrEnum):
    PUBLISHED = "published"
    NOT_PUBLISHED = "not_published"
    ABSENT = "absent"
    """The log did not list it at that moment; it lags, so that alone proves nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was found out about a message otherwise than by an answer to it. It is kept, whatever becomes of it."""

    slot: Slot
    at: datetime
    witness: Witness
    verdict: Verdict
    who: str | None = None
    """The person, or the robot, where it was one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A message that QStash's log listed under a run key that was new to the ledger."""

    label: str
    """The message's own, `qj-m-…`: the log does not say more of what it is to us."""
    endpoints: tuple[Endpoint, ...]
    at: datetime
    """When QStash took it, or else when the log was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What a ledger forgot, and what it kept although it is old."""

    runs: int
    keys: int
    messages: int
    windows: int
    doubtful: int
    """Messages kept because they may have been accepted."""
    held: int
    """Run keys kept because a deduplication id of theirs is held."""
    freed_bytes: int
    """Given back to the disk; 0 where another program kept the ledger busy."""


def settle(outcome: Outcome, *, doubtful: bool) -> State:
    """Say which state an attempt's outcome leaves behind.

    `doubtful` says that an earlier attempt of the same message may have been accepted. Doubt is sticky: only an
    acceptance clears it, because a refusal says nothing about the attempt before.
    """
    return conclude(_settle(outcome, doubtful=doubtful), doubtful=doubtful)


def _settle(outcome: Outcome, *, doubtful: bool) -> State:
    match outcome:
        case Published():
            return State.PUBLISHED
        case Deduplicated():
            return State.PUBLISHED if doubtful else State.DEDUPLICATED
        case Partial():
            return State.PARTIAL
        case Unknown():
            return State.IN_DOUBT
        case Rejected():
            return State.IN_DOUBT if doubtful else State.REJECTED
        case Throttled() | NotSent() | Misconfigured():
            return State.IN_DOUBT if doubtful else State.PLANNED
