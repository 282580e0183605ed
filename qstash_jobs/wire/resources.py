"""The account's URL groups and queues: a question -> a Request, and its answer -> their names.

upstash/docs, qstash/openapi.yaml: both lists come whole, as a JSON array; the path still says topics for URL groups.
"""

from datetime import datetime

import orjson

from qstash_jobs.outcome import Unknown
from qstash_jobs.wire.http import Answer, Reply, Request
from qstash_jobs.wire.refusal import Failure, read_loss, read_refusal

LIST_BYTES = 16 * 1024 * 1024
"""A thousand groups of a hundred endpoints are a few megabytes."""


def ask_groups() -> Request:
    """Ask for all URL groups."""
    return Request(method="GET", target="/v2/topics", answer_bytes=LIST_BYTES)


def ask_queues() -> Request:
    """Ask for all queues."""
    return Request(method="GET", target="/v2/queues", answer_bytes=LIST_BYTES)


def ask_schedules() -> Request:
    """Ask for all schedules: what any token may do, and what changes nothing."""
    return Request(method="GET", target="/v2/schedules", answer_bytes=LIST_BYTES)


def read_names(answer: Answer, *, now: datetime) -> frozenset[str] | Failure:
    """Read the names of a list; `Unknown` where it is not one."""
    if not isinstance(answer, Reply):
        return read_loss(answer)
    if not 200 <= answer.status < 300:
        return read_refusal(answer, now=now)
    try:
        entries = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        entries = None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return Unknown(
            reason=f"answered {answer.status} with something that is not a list", status=answer.status
        )
    return frozenset(entry["name"] for entry in entries if isinstance(entry.get("name"), str))
