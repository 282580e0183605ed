"""How a server is to be run."""

from dataclasses import dataclass, field
from ipaddress import ip_address

from qstash_jobs.local.kept.file import StateFile
from qstash_jobs.local.recent import Recent, RecordedRequest
from qstash_jobs.local.sink import AnswerFunction, Delivery

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What clients are held to, so that none of them harms the others."""

    connections: int = 500
    idle_s: float = 120
    """How long a client may send nothing, or take for the head of a request."""
    body_s: float = 60
    """How long for a body."""
    answer_s: float = 60
    """How long for taking its answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenState:
    """A file that the world was restored from, and is kept in."""

    file: StateFile
    written: set[int]
    """The numbers of the messages in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Where it listens, who delivers, and what is kept of both."""

    host: str = LOOPBACK
    port: int = 0
    deliver: bool = False
    allow_link_local: bool = False
    limits: Limits = Limits()
    answer: AnswerFunction | None = None
    """What the built-in receiver says, where it receives."""
    deliveries: Recent[Delivery] = field(default_factory=Recent)
    requests: Recent[RecordedRequest] | None = None
    state: OpenState | None = None


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address to listen on."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
