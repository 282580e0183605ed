"""A question for all of one kind -> a Request, and its answer -> the entries, or only their names.

upstash/docs, qstash/openapi.yaml: these lists come whole, as a JSON array; the path still says topics for URL groups.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from qstash_jobs.outcome import Unknown
from qstash_jobs.wire.content import read_json
from qstash_jobs.wire.http import Answer, Reply, Request
from qstash_jobs.wire.refusal import Failure, read_loss, read_refusal

T = TypeVar("T")

LIST_BYTES = 12 * 1024 * 1024
"""A thousand groups of a hundred endpoints are a few megabytes."""

SCHEDULES_BYTES = 40 * 1024 * 1024
"""Schedules are listed with their bodies: a thousand, which the largest plan includes, of 40 KiB each."""


def ask_groups() -> Request:
    """Ask for all URL groups."""
    return _ask("/v2/topics")


def ask_queues() -> Request:
    """Ask for all queues."""
    return _ask("/v2/queues")


def ask_schedules() -> Request:
    """Ask for all schedules: what any token may do, and what changes nothing."""
    return _ask("/v2/schedules", answer_bytes=SCHEDULES_BYTES)


def ask_flow_controls() -> Request:
    """Ask for all flow-control keys."""
    return _ask("/v2/flowControl")


def read_names(answer: Answer, *, now: datetime) -> frozenset[str] | Failure:
    """Read the names of a list; `Unknown` where it is not one."""
    entries = _read_entries(answer, now=now)
    if not isinstance(entries, list):
        return entries
    return frozenset(entry["name"] for entry in entries if isinstance(entry.get("name"), str))


def read_list(
    answer: Answer, read: Callable[[dict[str, Any]], T | None], *, now: datetime
) -> tuple[T, ...] | Failure:
    """Read each entry of a list with `read`, which says None to one that it cannot make out.

    `Unknown` where it is no list, or where one entry cannot be made out: what is not understood is not there, and
    might be made a second time.
    """
    entries = _read_entries(answer, now=now)
    if not isinstance(entries, list):
        return entries
    found: list[T] = []
    for number, entry in enumerate(entries, 1):
        value = read(entry)
        if value is None:
            return Unknown(
                reason=f"answered 200 with a list whose entry {number:,} cannot be read", status=200
            )
        found.append(value)
    return tuple(found)


def _ask(target: str, *, answer_bytes: int = LIST_BYTES) -> Request:
    return Request(method="GET", target=target, answer_bytes=answer_bytes)


def _read_entries(answer: Answer, *, now: datetime) -> list[dict[str, Any]] | Failure:
    if not isinstance(answer, Reply):
        return read_loss(answer)
    if not 200 <= answer.status < 300:
        return read_refusal(answer, now=now)
    try:
        entries = read_json(answer.body)
    except ValueError:
        entries = None
    # Go writes a list that was never filled as null (encoding/json)
    if entries is None and answer.body.strip() == b"null":
        return []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return Unknown(
            reason=f"answered {answer.status} with something that is not a list", status=answer.status
        )
    return entries
