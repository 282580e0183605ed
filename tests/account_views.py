"""Ways in which QStash may give back what it holds, where its sources differ or say nothing: an entry -> the same."""

import base64
import json
import re
from collections.abc import Callable
from typing import Any

from qstash_jobs.wire.http import Answer, Reply, Request

Entry = dict[str, Any]


def as_openapi(entry: Entry) -> Entry:
    """Leave out what openapi.yaml does not have."""
    hidden = {
        "queueName",
        "timeout",
        "callbackHeader",
        "callbackHeaders",
        "failureCallbackHeader",
        "failureCallbackHeaders",
        "callerIP",
    }
    return {name: value for name, value in entry.items() if name not in hidden}


def as_go(entry: Entry) -> Entry:
    """Leave out what is zero, false or empty, as Go's omitempty does."""
    return {name: value for name, value in entry.items() if value or name == "endpoints"}


def in_small_letters(entry: Entry) -> Entry:
    return _with_headers(entry, lambda headers: {name.lower(): value for name, value in headers.items()})


def one_value_each(entry: Entry) -> Entry:
    return _with_headers(entry, lambda headers: {name: ", ".join(value) for name, value in headers.items()})


def with_units(entry: Entry) -> Entry:
    """Write durations as they were sent."""
    return entry | {name: f"{entry[name]}s" for name in ("delay", "timeout", "period") if entry.get(name)}


def with_base64_digests(entry: Entry) -> Entry:
    def write(match: re.Match[str]) -> str:
        return "REDACTED:" + base64.b64encode(bytes.fromhex(match[1])).decode()

    changed: Entry = json.loads(re.sub(r"REDACTED:([0-9a-f]{64})", write, json.dumps(entry)))
    return changed


def with_binary_bodies(entry: Entry) -> Entry:
    if not entry.get("body") or entry["body"].startswith("REDACTED:"):
        return entry
    rest = {name: value for name, value in entry.items() if name != "body"}
    return rest | {"bodyBase64": base64.b64encode(entry["body"].encode()).decode()}


def spaced_out(entry: Entry) -> Entry:
    """Write the cron text in another way."""
    if "cron" not in entry:
        return entry
    return entry | {"cron": " " + entry["cron"].replace(" ", "  ") + " "}


VIEWS: dict[str, Callable[[Entry], Entry]] = {
    "as it is": lambda entry: entry,
    "openapi": as_openapi,
    "go": as_go,
    "small letters": in_small_letters,
    "one value each": one_value_each,
    "units": with_units,
    "base64 digests": with_base64_digests,
    "binary bodies": with_binary_bodies,
    "spaced out": spaced_out,
}


def show_as(name: str) -> Callable[[Request, Callable[[Request], Answer]], Answer]:
    """Let every list be shown so."""
    view = VIEWS[name]

    def show(request: Request, carry: Callable[[Request], Answer]) -> Answer:
        answer = carry(request)
        if request.method != "GET" or not isinstance(answer, Reply) or answer.status != 200:
            return answer
        entries = [view(entry) for entry in json.loads(answer.body)]
        return Reply(status=200, headers=answer.headers, body=json.dumps(entries).encode())

    return show


def _with_headers(entry: Entry, change: Callable[[Any], Any]) -> Entry:
    return entry | {name: change(entry[name]) for name in ("header", "headers") if name in entry}
