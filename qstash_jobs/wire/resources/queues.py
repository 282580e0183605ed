"""Queues: what the account has -> ObservedQueues, and what it should have -> Requests."""

from typing import Any
from urllib.parse import quote

import orjson

from qstash_jobs.value import dataclass
from qstash_jobs.wire.http import Request
from qstash_jobs.wire.resources.fields import read_text, read_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedQueue:
    """A queue as the account has it."""

    name: str
    parallelism: int
    paused: bool = False
    lag: int = 0
    """Messages that it still holds, as far as the service counts (upstash/qstash-js issue 102)."""


def read_queue(entry: dict[str, Any]) -> ObservedQueue | None:
    """Read one entry of the list; None where it cannot be told what it is."""
    name, parallelism = read_text(entry, "name"), read_whole(entry, "parallelism")
    if name is None or parallelism is None:
        return None
    return ObservedQueue(
        name=name,
        parallelism=parallelism,
        paused=entry.get("paused") is True,
        lag=read_whole(entry, "lag") or 0,
    )


def put_queue(name: str, *, parallelism: int, paused: bool) -> Request:
    """Write the request that makes a queue or changes it, always with both settings.

    Both SDKs send `paused` as false and `parallelism` as 1 where they are not told, so what is left out is lost.
    """
    return Request(
        method="POST",
        target="/v2/queues",
        headers=(("Content-Type", "application/json"),),
        body=orjson.dumps({"queueName": name, "parallelism": parallelism, "paused": paused}),
    )


def remove_queue(name: str) -> Request:
    """Write the request that removes a queue, and what waits in it."""
    return Request(method="DELETE", target=f"/v2/queues/{quote(name, safe='')}")
