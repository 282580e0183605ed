"""A message whose turn it is -> the attempt to deliver it, signed."""

from qstash_jobs.local.world.message import Attempt, Message, Stage, State
from qstash_jobs.local.world.settings import Pairs
from qstash_jobs.local.world.signature import sign
from qstash_jobs.local.world.world import World

# wire contract 17
AGENT = ("User-Agent", "Upstash-QStash")
REGION = ("Upstash-Region", "EU-CENTRAL-1")


def begin(world: World, message: Message) -> Attempt:
    """Start an attempt; the world counts it as under way until it is settled."""
    message.stage = Stage.ACTIVE
    world.flights += 1
    message.account.note(message, State.ACTIVE, world.now_ms)
    settings = message.settings
    timeout_s = world.quota.timeout_s
    return Attempt(
        message=message,
        number=message.retried,
        method=settings.method,
        url=message.url,
        headers=_write_headers(world, message),
        body=message.body,
        timeout_s=min(settings.timeout_s or timeout_s, timeout_s),
        at_ms=world.now_ms,
    )


def _write_headers(world: World, message: Message) -> Pairs:
    signature = sign(
        message.account.current_key,
        url=message.url,
        body=message.body,
        token_id=world.next_token_id(),
        now_s=world.real_ms // 1000,
    )
    topic = (("Upstash-Topic-Name", message.topic),) if message.topic is not None else ()
    schedule = (("Upstash-Schedule-Id", message.schedule_id),) if message.schedule_id is not None else ()
    return (
        AGENT,
        ("Upstash-Message-Id", message.id),
        ("Upstash-Retried", str(message.retried)),
        ("Upstash-Signature", signature),
        REGION,
        ("Upstash-Caller-Ip", message.caller_ip),
        *topic,
        *schedule,
        *message.settings.headers,
    )
