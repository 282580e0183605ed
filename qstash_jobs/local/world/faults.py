"""The fields of a fault, as JSON or a command line gives them -> a Fault among those of an account."""

from collections.abc import Callable, Mapping
from typing import Any

from qstash_jobs.local.world.account import Account
from qstash_jobs.local.world.fault import PUBLISHING, Fault
from qstash_jobs.local.world.refusal import Refusal
from qstash_jobs.local.world.world import World

RESOURCES = PUBLISHING | {
    "messages",
    "events",
    "logs",
    "topics",
    "queues",
    "schedules",
    "dlq",
    "flowControl",
    "globalParallelism",
    "keys",
}
# wire contract 15
FAMILIES = frozenset({"daily", "burst", "chat", "none"})
LONGEST_S = 3600
MOST_FAULTS = 1000

KINDS: dict[str, frozenset[str]] = {
    # the connection breaks, and the request is not acted on
    "refuse": frozenset(),
    # it is acted on, and the connection breaks after so many bytes of the answer's body
    "cut": frozenset({"bytes"}),
    # it is acted on, and the answer comes later
    "delay": frozenset({"seconds"}),
    # 429, and it is not acted on
    "rate-limit": frozenset({"family", "reset", "text"}),
    # another status, and it is not acted on
    "error": frozenset({"status", "text"}),
    # it is acted on, and answered with an error
    "accept-then-error": frozenset({"status", "text"}),
    # a batch is refused as a whole
    "batch-error": frozenset({"status", "text"}),
    # items of a batch are refused in their places
    "item-error": frozenset({"items", "status", "text"}),
    # it is acted on, and answered as a duplicate
    "duplicate": frozenset(),
    # it is acted on twice, as when something on the way sends it again; the second answer is given
    "twice": frozenset(),
    # a destination answers so, whatever it would say
    "answer": frozenset({"url", "status", "seconds", "text", "retry_after"}),
}
COMMON = frozenset({"on", "skip", "times"})
DEFAULTS: dict[str, dict[str, Any]] = {
    "batch-error": {"status": 400, "on": frozenset({"batch"})},
    "item-error": {"status": 400, "on": frozenset({"batch"})},
    "answer": {"seconds": 0},
}


def add_fault(world: World, account: Account, fields: Mapping[str, Any]) -> Fault:
    """Add a fault to those of an account; raises Refusal."""
    if len(account.faults) >= MOST_FAULTS:
        raise Refusal(400, f"there are {MOST_FAULTS} faults already")
    fault = read_fault(fields, fault_id=f"fault_{world.next_number()}")
    account.faults.append(fault)
    return fault


def read_fault(fields: Mapping[str, Any], *, fault_id: str) -> Fault:
    """Read a fault; raises Refusal."""
    kind = fields.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise Refusal(400, f"invalid fault: its kind is one of {', '.join(KINDS)}")
    known = dict(DEFAULTS.get(kind, {}))
    for given_name, value in fields.items():
        name = given_name.replace("-", "_")
        if name == "kind":
            continue
        if name not in KINDS[kind] | COMMON or (kind == "answer" and name == "on"):
            raise Refusal(400, f"invalid fault: {kind} has no field {name[:40]!r}")
        known[name] = READERS[name](value, name)
    return Fault(id=fault_id, kind=kind, **known)


def _read_int(value: Any, name: str) -> int:
    text = "" if isinstance(value, bool) else str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Refusal(400, f"invalid fault: {name} is a whole number")
    return int(text)


def _read_times(value: Any, name: str) -> int | None:
    if value == "always":
        return None
    times = _read_int(value, name)
    if not times:
        raise Refusal(400, "invalid fault: times is at least 1, or always")
    return times


def _read_status(value: Any, name: str) -> int:
    status = _read_int(value, name)
    if status and not 200 <= status <= 599:
        raise Refusal(400, "invalid fault: status is from 200 to 599")
    return status


def _read_seconds(value: Any, name: str) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = -1
    if isinstance(value, bool) or not 0 <= seconds <= LONGEST_S:
        raise Refusal(400, f"invalid fault: seconds is a number up to {LONGEST_S}")
    return seconds


def _read_list(value: Any, name: str) -> list[Any]:
    found = value.split(",") if isinstance(value, str) else value
    if not isinstance(found, list) or not found or len(found) > 1000:
        raise Refusal(400, f"invalid fault: {name} is a list")
    return found


def _read_items(value: Any, name: str) -> tuple[int, ...]:
    return tuple(_read_int(one, name) for one in _read_list(value, name))


def _read_resources(value: Any, name: str) -> frozenset[str]:
    if value == "any":
        return RESOURCES
    found = _read_list(value, name)
    if not all(isinstance(one, str) and one in RESOURCES for one in found):
        raise Refusal(400, f"invalid fault: on is any, or some of {', '.join(sorted(RESOURCES))}")
    return frozenset(found)


def _read_family(value: Any, name: str) -> str:
    if not isinstance(value, str) or value not in FAMILIES:
        raise Refusal(400, f"invalid fault: family is one of {', '.join(sorted(FAMILIES))}")
    return value


def _read_text(value: Any, name: str) -> str:
    if not isinstance(value, str) or len(value) > 10_000 or any(sign in value for sign in "\r\n\0"):
        raise Refusal(400, f"invalid fault: {name} is a text on one line")
    return value


READERS: dict[str, Callable[[Any, str], Any]] = {
    "on": _read_resources,
    "skip": _read_int,
    "times": _read_times,
    "seconds": _read_seconds,
    "status": _read_status,
    "family": _read_family,
    "reset": _read_int,
    "bytes": _read_int,
    "items": _read_items,
    "text": _read_text,
    "url": _read_text,
    "retry_after": _read_text,
}
