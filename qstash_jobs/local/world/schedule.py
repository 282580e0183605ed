"""A schedule: what it publishes, when it fires next, and what became of the last time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qstash_jobs.local.world.settings import Pairs
from qstash_jobs.local.world.timetable import Timetable

if TYPE_CHECKING:
    from qstash_jobs.local.world.account import Account
    from qstash_jobs.local.world.message import Message


@dataclass(slots=True, kw_only=True, eq=False)
class Schedule:
    """The state of one schedule; its times are those of the calendar."""

    id: str
    account: "Account"
    destination: str
    """A URL, or the name of a URL group."""
    timetable: Timetable
    headers: Pairs
    """Configuration of its messages, as it was given."""
    body: bytes
    queue: str | None
    caller_ip: str
    created_ms: int
    paused: bool = False
    next_ms: int | None = None
    last_ms: int | None = None
    last_messages: "Sequence[Message]" = ()
    """What the last time published."""
    error: str | None = None
    """Why the last time published nothing."""
