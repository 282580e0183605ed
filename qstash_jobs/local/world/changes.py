"""What changed since it was last written down: noted where it happens, taken by whoever keeps the state."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from qstash_jobs.local.world.account import Account
    from qstash_jobs.local.world.message import Event, Message

Kind = Literal["account", "queue", "group", "schedule", "flow", "dead"]


@dataclass(slots=True, kw_only=True)
class Changes:
    """Names of what is to be looked up again; what is not there any more is to be forgotten."""

    wanted: bool = False
    """Whether anybody takes them: else nothing is noted."""
    messages: "dict[Message, None]" = field(default_factory=dict)
    events: "list[Event]" = field(default_factory=list)
    things: "dict[tuple[Account, Kind, str], None]" = field(default_factory=dict)
    dedup: "list[tuple[Account, bytes, int, int]]" = field(default_factory=list)
    """Account, key, number of the message, time."""
    time: bool = False
    """Somebody let time pass."""

    def __bool__(self) -> bool:
        return bool(self.messages or self.things or self.dedup or self.time)

    def note_message(self, message: "Message") -> None:
        """Note that a message is new, or that something of it changed."""
        if self.wanted:
            self.messages[message] = None

    def note_event(self, event: "Event") -> None:
        """Note a line of the log, and with it its message."""
        if self.wanted:
            self.messages[event.message] = None
            self.events.append(event)

    def note_thing(self, account: "Account", kind: Kind, name: str = "") -> None:
        """Note that something of an account was made, changed or removed."""
        if self.wanted:
            self.things[account, kind, name] = None

    def note_dedup(self, account: "Account", key: bytes, number: int, at_ms: int) -> None:
        """Note that a deduplication key is remembered."""
        if self.wanted:
            self.dedup.append((account, key, number, at_ms))

    def note_time(self) -> None:
        """Note that time was asked to pass."""
        self.time = self.wanted

    def take(self) -> "Changes":
        """Hand over what was noted, and begin anew."""
        taken = Changes(messages=self.messages, events=self.events, things=self.things, dedup=self.dedup)
        self.messages, self.events, self.things, self.dedup, self.time = {}, [], {}, [], False
        return taken
