"""Flow-control keys: what the account has -> ObservedFlowControls, and what should be pinned -> Requests.

upstash/docs, qstash/openapi.yaml: fields that are zero may be absent.
"""

from typing import Any
from urllib.parse import quote, urlencode

from qstash_jobs.value import dataclass
from qstash_jobs.wire.http import Request
from qstash_jobs.wire.resources.fields import read_duration, read_text, read_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedFlowControl:
    """A flow-control key as the account has it; only what is pinned is a setting of the account's own."""

    key: str
    parallelism: int | None = None
    """As pinned; None where the last message's counts."""
    rate: int | None = None
    """As pinned; None where the last message's counts."""
    period_s: int | None = None
    """The pinned rate's."""
    paused: bool = False


def read_flow_control(entry: dict[str, Any]) -> ObservedFlowControl | None:
    """Read one entry of the list; None where it cannot be told what it is."""
    key = read_text(entry, "flowControlKey")
    if key is None:
        return None
    pins_parallelism, pins_rate = (entry.get(f"isPinned{one}") is True for one in ("Parallelism", "Rate"))
    return ObservedFlowControl(
        key=key,
        parallelism=read_whole(entry, "parallelismMax") or 0 if pins_parallelism else None,
        rate=read_whole(entry, "rateMax") or 0 if pins_rate else None,
        period_s=read_duration(entry, "ratePeriod") or 1 if pins_rate else None,
        paused=entry.get("isPaused") is True,
    )


def pin_flow_control(key: str, *, parallelism: int | None, rate: int | None, period_s: int | None) -> Request:
    """Write the request that pins limits; what is None stays as it is. The key's counters begin anew."""
    limits = {"parallelism": parallelism, "rate": rate, "period": period_s}
    given = urlencode({name: value for name, value in limits.items() if value is not None})
    return Request(method="POST", target=f"/v2/flowControl/{quote(key, safe='')}/pin?{given}")


def unpin_flow_control(key: str, *, parallelism: bool, rate: bool) -> Request:
    """Write the request that leaves limits to the messages again."""
    given = urlencode({name: "true" for name, on in (("parallelism", parallelism), ("rate", rate)) if on})
    return Request(method="POST", target=f"/v2/flowControl/{quote(key, safe='')}/unpin?{given}")
