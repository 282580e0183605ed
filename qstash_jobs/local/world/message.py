"""What the server holds: messages, the attempts to deliver them, the answers, and what happened to each."""

from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, NamedTuple

from qstash_jobs.grammar import RetryDelay
from qstash_jobs.local.world.flow import FlowKey
from qstash_jobs.local.world.queues import Queue
from qstash_jobs.local.world.settings import Pairs, Settings
from qstash_jobs.value import dataclass

if TYPE_CHECKING:
    from qstash_jobs.local.world.account import Account

Kind = Literal["message", "callback", "failure_callback"]


class Stage(StrEnum):
    WAITING = "waiting"
    """For its time, its turn in a queue, or its flow-control key."""
    ACTIVE = "active"
    SETTLED = "settled"


class State(StrEnum):
    """Wire contract, section 12."""

    CREATED = "CREATED"
    ACTIVE = "ACTIVE"
    RETRY = "RETRY"
    ERROR = "ERROR"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    CANCELLED = "CANCELLED"


class Answer(NamedTuple):
    """What a destination answered; without a status, there was no answer."""

    status: int | None
    headers: Pairs = ()
    body: bytes = b""
    error: str | None = None


class Event(NamedTuple):
    """One line of the log."""

    sequence: int
    time_ms: int
    message: "Message"
    state: State
    error: str | None
    next_ms: int | None
    answer: Answer | None


@dataclass(slots=True, kw_only=True, eq=False)
class Message:
    """One message to one destination; the fields from `stage` on change while it lives."""

    number: int
    id: str
    account: "Account" = field(repr=False)
    url: str
    settings: Settings
    body: bytes
    created_ms: int
    due_ms: int
    max_retries: int
    retry_delay: RetryDelay | None = None
    kind: Kind = "message"
    topic: str | None = None
    endpoint: str | None = None
    queue: Queue | None = None
    schedule_id: str | None = None
    caller_ip: str = "127.0.0.1"
    flow: FlowKey | None = None
    parent: "Message | None" = None
    """The message whose answer this callback reports."""

    stage: Stage = Stage.WAITING
    end: State | None = None
    """How it ended, once it is settled."""
    retried: int = 0
    events: list[Event] = field(default_factory=list, repr=False)
    in_queue: bool = False
    """It has its turn in its queue, until it is settled and its callbacks too."""
    in_flow: bool = False
    """It is counted by its flow-control key."""
    has_place: bool = False
    """It is counted among the deliveries of its account."""
    cancel_requested: bool = False
    callbacks_open: int = 0
    dead_letter: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One delivery, ready to go."""

    message: Message
    number: int
    """0 is the first."""
    method: str
    url: str
    headers: Pairs
    body: bytes
    timeout_s: int
    at_ms: int
    """Virtual time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """An answer that arrives later in virtual time."""

    attempt: Attempt
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message that failed for good."""

    id: str
    message: Message
    failed_ms: int
    answer: Answer
