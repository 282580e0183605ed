"""A request that meets a fault -> what its client gets to see of it."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from qstash_jobs.local.routes.call import Reply, Visit
from qstash_jobs.local.world.compact import write_compact
from qstash_jobs.local.world.fault import Fault
from qstash_jobs.local.world.refusal import Refusal
from qstash_jobs.local.world.settings import Pairs

# wire contract 15: the names of each family's headers
FAMILY_HEADERS = {
    "daily": ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"),
    "burst": ("Burst-RateLimit-Limit", "Burst-RateLimit-Remaining", "Burst-RateLimit-Reset"),
    "none": (),
}
CHAT = tuple(
    f"x-ratelimit-{what}-{of}" for of in ("requests", "tokens") for what in ("limit", "remaining", "reset")
)


def spoil(fault: Fault, visit: Visit, act: Callable[[Visit], Reply]) -> Reply:
    """Answer a request that meets a fault; raises Refusal."""
    match fault.kind:
        case "refuse":
            return Reply(cut_after=-1)
        case "cut":
            return replace(act(visit), cut_after=fault.bytes or -1)
        case "delay":
            return replace(act(visit), after_s=fault.seconds)
        case "rate-limit":
            raise Refusal(429, fault.text, headers=_limit(fault, visit.world.real_ms // 1000))
        case "accept-then-error":
            act(visit)
            raise Refusal(fault.status, fault.text)
        case "item-error":
            refused = Refusal(fault.status, fault.text)
            return act(replace(visit, refused_items=dict.fromkeys(fault.items, refused)))
        case "duplicate":
            return _mark(act(visit))
        case "twice":
            act(visit)
            return act(visit)
        case _:
            raise Refusal(fault.status, fault.text)


def _limit(fault: Fault, now_s: int) -> Pairs:
    names = CHAT if fault.family == "chat" else FAMILY_HEADERS[fault.family]
    values = ("100", "0", str(now_s + fault.reset))
    return tuple((name, values[number % 3]) for number, name in enumerate(names))


def _mark(reply: Reply) -> Reply:
    """Write an answer as that to a duplicate."""
    if not 200 <= reply.status < 300:
        return reply
    marked = _flag(json.loads(reply.body)) if reply.body else None
    return replace(reply, status=202, body=write_compact(marked))


def _flag(value: Any) -> Any:
    if isinstance(value, list):
        return [_flag(one) for one in value]
    if isinstance(value, dict) and "messageId" in value:
        return value | {"deduplicated": True}
    if isinstance(value, dict):
        return {name: _flag(one) for name, one in value.items()}
    return value
