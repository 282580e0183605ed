"""What became of one message that was offered to QStash.

Each ending is a class of its own. `Unknown` is the one that matters most: the message may have been accepted,
so nobody may call it published or rejected.
"""

from datetime import datetime
from enum import Enum, auto

from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """QStash's answer for one destination: a URL has one, a URL group one for each endpoint."""

    message_id: str
    """QStash's `msg_…`; empty where this endpoint was refused."""
    url: str | None = None
    deduplicated: bool = False
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """QStash accepted the message now; at least one endpoint is new, and none was refused."""

    status: int
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deduplicated:
    """QStash had this deduplication id already: nothing new was accepted; the ids are those of the first message."""

    status: int
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Partial:
    """Some endpoints of a URL group accepted the message, others refused it."""

    status: int
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """QStash refused the message, and this attempt certainly left nothing behind."""

    status: int
    error: str
    """The service's own words."""


class Limit(Enum):
    BURST = auto()
    """Requests a second: wait and go on."""
    DAILY = auto()
    """Messages a day: nothing more can be published until it resets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttled:
    """QStash refused for now; this attempt certainly left nothing behind."""

    status: int
    limit: Limit
    wait_s: float | None = None
    """How long the answer asks to wait, clamped to 0–60; None where it does not say."""
    resets_at: datetime | None = None
    """When a daily limit resets, aware, UTC."""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """The request's first byte was never offered to the network: safe to try again."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """The message may have been accepted: only the same deduplication id, or the log, can tell."""

    reason: str
    status: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Misconfigured:
    """The connection, token or region is wrong for every message alike: the run stops, nothing was accepted."""

    error: str
    exit_code: int
    """4 for authentication, 2 for everything else."""
    status: int | None = None
    hint: str | None = None


Outcome = Published | Deduplicated | Partial | Rejected | Throttled | NotSent | Unknown | Misconfigured
