"""A flow-control key: how many of its messages may be under way, and how many may start in a period."""

import re
from dataclasses import field

from qstash_jobs.local.world.duration import read_duration_s
from qstash_jobs.local.world.line import Line
from qstash_jobs.local.world.refusal import Refusal
from qstash_jobs.value import dataclass

# wire contract 4.7: maximum one week
LONGEST_PERIOD_S = 7 * 86_400
PART = re.compile(r"(parallelism|rate|period)\s*=\s*([0-9a-z]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowLimit:
    """What a message says of its key. 0 is no limit."""

    parallelism: int = 0
    rate: int = 0
    period_s: int = 1


def read_flow_limit(text: str) -> FlowLimit:
    """Read `parallelism=<int>, rate=<int>, period=<duration>`; one of the first two is needed."""
    found: dict[str, int] = {}
    for part in text.split(","):
        match = PART.fullmatch(part.strip())
        if match is None:
            raise Refusal(400, f"invalid flow control value: {text[:100]!r}")
        found |= _read_part(match[1].lower(), match[2].lower(), text)
    if not found.get("parallelism") and not found.get("rate"):
        raise Refusal(400, f"invalid flow control value: {text[:100]!r} has neither parallelism nor rate")
    if not 0 < found.get("period_s", 1) <= LONGEST_PERIOD_S:
        raise Refusal(400, "invalid flow control value: the period is at least 1s and at most 7d")
    return FlowLimit(**found)


def _read_part(name: str, value: str, text: str) -> dict[str, int]:
    if name == "period":
        return {"period_s": read_duration_s(value, setting="flow control period")}
    if not value.isdigit() or len(value) > 9:
        raise Refusal(400, f"invalid flow control value: {text[:100]!r}")
    return {name: int(value)}


@dataclass(slots=True, kw_only=True, eq=False)
class FlowKey:
    """The state of one key."""

    name: str
    limit: FlowLimit = FlowLimit()
    active: int = 0
    started: int = 0
    """How many started since the period began."""
    period_start_ms: int = 0
    paused: bool = False
    pinned_parallelism: bool = False
    pinned_rate: bool = False
    waiting: Line = field(default_factory=Line)
    wakes_at_ms: int | None = None
    """When the agenda looks at this key again."""

    def adopt(self, limit: FlowLimit) -> None:
        """Take over a message's limits: the last one seen counts, unless pinned (wire contract, 4.7)."""
        if limit == self.limit:
            return
        keep = self.limit
        self.limit = FlowLimit(
            parallelism=keep.parallelism if self.pinned_parallelism else limit.parallelism,
            rate=keep.rate if self.pinned_rate else limit.rate,
            period_s=keep.period_s if self.pinned_rate else limit.period_s,
        )

    def is_open(self, now_ms: int) -> bool:
        """Say whether one more may start now."""
        if now_ms >= self.period_end_ms:
            self.period_start_ms, self.started = now_ms, 0
        if self.paused or (self.limit.parallelism and self.active >= self.limit.parallelism):
            return False
        return not self.is_used_up

    @property
    def is_used_up(self) -> bool:
        """Say whether nothing more may start in this period."""
        return bool(self.limit.rate) and self.started >= self.limit.rate

    @property
    def period_end_ms(self) -> int:
        """When the current period ends."""
        return self.period_start_ms + self.limit.period_s * 1000

    @property
    def is_idle(self) -> bool:
        """Say whether nothing would be lost by forgetting the key."""
        pinned = self.pinned_parallelism or self.pinned_rate
        return not (self.active or self.waiting or self.paused or pinned)
