"""One user's part of the world: credentials, messages, resources, log, dead letters."""

from collections import deque
from dataclasses import dataclass, field

from qstash_jobs.local.world.changes import Changes
from qstash_jobs.local.world.dedup import DedupTable
from qstash_jobs.local.world.fault import Fault
from qstash_jobs.local.world.flow import FlowKey
from qstash_jobs.local.world.groups import Group
from qstash_jobs.local.world.line import Line
from qstash_jobs.local.world.message import Answer, DeadLetter, Event, Message, Stage, State
from qstash_jobs.local.world.queues import Queue
from qstash_jobs.local.world.schedule import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Credentials of a user; those of the development users are public."""

    token: str
    current_key: str
    next_key: str
    read_only_token: str | None = None


# wire contract 18: fixed credentials of the vendor's development server, hard-wired in the JavaScript SDK
_PUBLIC = (
    (
        "eyJVc2VySUQiOiJkZWZhdWx0VXNlciIsIlBhc3N3b3JkIjoiZGVmYXVsdFBhc3N3b3JkIn0=",
        "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r",
        "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs",
    ),
    (
        "eyJVc2VySUQiOiJ0ZXN0VXNlcjEiLCJQYXNzd29yZCI6InRlc3RQYXNzd29yZCJ9",
        "sig_7GVPjvuwsfqF65iC8fSrs1dfYruM",
        "sig_5NoELc3EFnZn4DVS5bDs2Nk4b7Ua",
    ),
    (
        "eyJVc2VySUQiOiJ0ZXN0VXNlcjIiLCJQYXNzd29yZCI6InRlc3RQYXNzd29yZCJ9",
        "sig_6jWGaWRxHsw4vMSPJprXadyvrybF",
        "sig_7qHbvhmahe5GwfePDiS5Lg3pi6Qx",
    ),
    (
        "eyJVc2VySUQiOiJ0ZXN0VXNlcjMiLCJQYXNzd29yZCI6InRlc3RQYXNzd29yZCJ9",
        "sig_5T8FcSsynBjn9mMLBsXhpacRovJf",
        "sig_7GFR4YaDshFcqsxWRZpRB161jguD",
    ),
)
DEV_USERS = tuple(User(token=token, current_key=key, next_key=other) for token, key, other in _PUBLIC)

FLOW_KEYS_KEPT = 10_000
"""Idle flow-control keys beyond this many are forgotten, because their number has no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How much of what is over is remembered, for each account."""

    messages: int = 100_000
    body_bytes: int = 64 * 1024 * 1024
    """Bodies and answers of settled messages."""


@dataclass(slots=True, kw_only=True, eq=False)
class Account:
    """The state of one user."""

    token: str
    current_key: str
    next_key: str
    read_only_token: str | None
    dedup: DedupTable
    retention: Retention
    changes: Changes
    messages: dict[str, Message] = field(default_factory=dict)
    """Those that are not settled, and the last settled ones."""
    groups: dict[str, Group] = field(default_factory=dict)
    queues: dict[str, Queue] = field(default_factory=dict)
    flows: dict[str, FlowKey] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    dead: dict[str, DeadLetter] = field(default_factory=dict)
    """By id, oldest first."""
    log: deque[Event] = field(default_factory=deque)
    """Oldest first."""
    active: int = 0
    """Deliveries that have a place under the plan's limit for all together."""
    waiting: Line = field(default_factory=Line)
    """Those that wait for such a place."""
    faults: list[Fault] = field(default_factory=list)
    """In the order in which they are looked at."""
    today: int = 0
    """The day that `today_count` is of, since 1970."""
    today_count: int = 0
    settled: deque[Message] = field(default_factory=deque)
    settled_bytes: int = 0
    events_written: int = 0
    letters_written: int = 0

    def note(
        self,
        message: Message,
        state: State,
        now_ms: int,
        *,
        error: str | None = None,
        next_ms: int | None = None,
        answer: Answer | None = None,
    ) -> None:
        """Write a line of the log."""
        event = Event(self.events_written, now_ms, message, state, error, next_ms, answer)
        self.events_written += 1
        message.events.append(event)
        self.log.append(event)
        self.changes.note_event(event)
        if len(self.log) > 4 * self.retention.messages:
            self.log.popleft()

    def settle(self, message: Message) -> None:
        """Count a message among those that are over, and forget the oldest of them."""
        message.stage = Stage.SETTLED
        self.settled.append(message)
        self.settled_bytes += _size(message)
        self.forget_oldest()

    def forget_oldest(self) -> None:
        """Forget messages that are over, as far as more are remembered than are to be."""
        while self.settled and (
            len(self.settled) > self.retention.messages or self.settled_bytes > self.retention.body_bytes
        ):
            self._forget(self.settled.popleft())

    def bury(self, message: Message, answer: Answer, now_ms: int) -> DeadLetter:
        """Put a message among the dead letters."""
        # wire contract 4.10: DLQ ids look like `1725323658779-0`
        letter = DeadLetter(
            id=f"{now_ms}-{self.letters_written}", message=message, failed_ms=now_ms, answer=answer
        )
        self.letters_written += 1
        self.dead[letter.id] = letter
        message.dead_letter = letter.id
        self.changes.note_thing(self, "dead", letter.id)
        return letter

    def flow(self, name: str) -> FlowKey:
        """Return a flow-control key's state; it is made on first use."""
        key = self.flows.get(name)
        if key is None:
            if len(self.flows) >= FLOW_KEYS_KEPT:
                self._forget_idle_flows()
            key = self.flows[name] = FlowKey(name=name)
        return key

    def _forget(self, message: Message) -> None:
        self.settled_bytes -= _size(message)
        self.messages.pop(message.id, None)
        if message.dead_letter is not None:
            self.dead.pop(message.dead_letter, None)
            self.changes.note_thing(self, "dead", message.dead_letter)
        self.changes.note_message(message)
        # The log may hold some of its events for longer: without their bodies.
        message.events = []
        message.body = b""
        while self.log and self.log[0].message.id not in self.messages:
            self.log.popleft()

    def _forget_idle_flows(self) -> None:
        for name in [name for name, key in self.flows.items() if key.is_idle]:
            del self.flows[name]
            self.changes.note_thing(self, "flow", name)


def _size(message: Message) -> int:
    return len(message.body) + sum(len(event.answer.body) for event in message.events if event.answer)
