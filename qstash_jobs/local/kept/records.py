"""Things of the world as they are written down, one frozen value each; `rows` fills them in, `restore` reads them."""

from qstash_jobs.grammar import RetryDelay
from qstash_jobs.local.world.flow import FlowLimit
from qstash_jobs.local.world.groups import Endpoint
from qstash_jobs.local.world.message import Kind
from qstash_jobs.local.world.settings import Pairs, Settings
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptMessage:
    """What of a message never changes, but for its body."""

    url: str
    settings: Settings
    created_ms: int
    max_retries: int
    retry_delay: RetryDelay | None = None
    kind: Kind = "message"
    topic: str | None = None
    endpoint: str | None = None
    queue: str | None = None
    schedule_id: str | None = None
    caller_ip: str = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """What a destination answered, but for the body."""

    status: int | None = None
    headers: Pairs = ()
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAccount:
    current_key: str
    next_key: str
    today: int
    today_count: int
    events_written: int
    letters_written: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptQueue:
    created_ms: int
    updated_ms: int
    parallelism: int = 1
    paused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptGroup:
    created_ms: int
    updated_ms: int
    endpoints: tuple[Endpoint, ...] = ()
    headers: Pairs = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSchedule:
    destination: str
    cron: str
    headers: Pairs
    body: bytes
    queue: str | None = None
    caller_ip: str
    created_ms: int
    paused: bool = False
    next_ms: int | None = None
    last_ms: int | None = None
    last_messages: tuple[int, ...] = ()
    """Their numbers."""
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFlow:
    limit: FlowLimit
    started: int = 0
    period_start_ms: int = 0
    paused: bool = False
    pinned_parallelism: bool = False
    pinned_rate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLetter:
    message: int
    """Its number."""
    failed_ms: int
    answer: KeptAnswer
    body: bytes = b""
