"""How one message is to be delivered, as its configuration headers said."""

from qstash_jobs.grammar import RetryDelay
from qstash_jobs.local.world.flow import FlowLimit
from qstash_jobs.local.world.redaction import Redaction
from qstash_jobs.value import dataclass

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackSettings:
    """Where answers are reported to, and how that message is delivered."""

    url: str
    method: str = "POST"
    retries: int | None = None
    retry_delay: RetryDelay | None = None
    timeout_s: int | None = None
    flow_key: str | None = None
    flow: FlowLimit | None = None
    headers: Pairs = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How one message is to be delivered. `None` means that the request did not say."""

    method: str = "POST"
    headers: Pairs = ()
    """What is delivered with it: its content type and the forwarded headers, names as Go writes them."""
    timeout_s: int | None = None
    retries: int | None = None
    retry_delay: RetryDelay | None = None
    delay_s: int | None = None
    not_before_s: int | None = None
    dedup_id: str | None = None
    dedup_by_content: bool = False
    callback: CallbackSettings | None = None
    failure_callback: CallbackSettings | None = None
    flow_key: str | None = None
    flow: FlowLimit | None = None
    labels: tuple[str, ...] = ()
    redaction: Redaction | None = None
    cron: str | None = None


def due_ms(settings: Settings, now_ms: int) -> int:
    """Work out when something is to be delivered."""
    # wire contract 3: Upstash-Not-Before wins over Upstash-Delay; past values are delivered at once
    if settings.not_before_s is not None:
        return max(now_ms, settings.not_before_s * 1000)
    return now_ms + (settings.delay_s or 0) * 1000
