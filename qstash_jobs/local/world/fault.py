"""A fault that somebody asked for: what goes wrong with which requests or deliveries, and how often."""

from collections.abc import Callable
from dataclasses import dataclass

PUBLISHING = frozenset({"publish", "enqueue", "batch"})


@dataclass(slots=True, kw_only=True)
class Fault:
    """One fault; `skip` and `times` count down."""

    id: str
    kind: str
    on: frozenset[str] = PUBLISHING
    skip: int = 0
    """Requests that pass before it begins."""
    times: int | None = 1
    """How many requests it hits; None for all that come."""
    seconds: float = 1
    status: int = 500
    """0 in a destination's answer: there is none."""
    family: str = "burst"
    reset: int = 1
    """Seconds until the limit ends."""
    bytes: int = 0
    items: tuple[int, ...] = (0,)
    text: str = "a fault that was asked for"
    url: str = ""
    """What the destinations' URLs begin with."""
    retry_after: str = ""


def take_fault(faults: list[Fault], resource: str) -> Fault | None:
    """Take the fault that a request to a resource meets; it counts it."""
    return _take(faults, lambda fault: fault.kind != "answer" and resource in fault.on)


def take_answer(faults: list[Fault], url: str) -> Fault | None:
    """Take the fault that a delivery meets; it counts it."""
    return _take(faults, lambda fault: fault.kind == "answer" and url.startswith(fault.url))


def _take(faults: list[Fault], meant: Callable[[Fault], bool]) -> Fault | None:
    for fault in faults:
        if not meant(fault):
            continue
        if fault.skip:
            fault.skip -= 1
            continue
        if fault.times is not None:
            fault.times -= 1
            if not fault.times:
                faults.remove(fault)
        return fault
    return None
