"""Configuration headers of one message (`Upstash-*`, `Content-Type`) -> its Settings, or a Refusal.

Unknown `Upstash-*` names are ignored, as the service does; a value that a known name cannot have is refused.
"""

from collections.abc import Callable, Iterable
from typing import Any

from qstash_jobs.local.world.duration import read_duration_s
from qstash_jobs.local.world.flow import read_flow_limit
from qstash_jobs.local.world.redaction import read_redaction
from qstash_jobs.local.world.refusal import Refusal
from qstash_jobs.local.world.settings import CallbackSettings, Pairs, Settings
from qstash_jobs.local.world.values import (
    check_value,
    read_dedup_id,
    read_header_name,
    read_labels,
    read_method,
    read_not_before_s,
    read_retries,
    read_retry_delay,
    read_url,
)

# A delivery's own framing, and what QStash says of itself: nobody's forwarded header replaces these.
OWN = frozenset(
    {
        "host",
        "connection",
        "content-length",
        "transfer-encoding",
        "keep-alive",
        "upgrade",
        "te",
        "trailer",
        "user-agent",
        "upstash-message-id",
        "upstash-retried",
        "upstash-signature",
        "upstash-region",
        "upstash-caller-ip",
        "upstash-topic-name",
        "upstash-schedule-id",
    }
)
# With `Upstash-Header-Forward: true`: the token is for QStash alone.
NOT_FORWARDED = OWN | {"authorization", "content-type", "expect"}


def read_settings(pairs: Iterable[tuple[str, str]]) -> Settings:
    """Read a message's configuration; of a setting that is given twice, the first counts."""
    return Settings(**read_given(pairs))


def read_given(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Read what a request says of the fields of Settings; `headers` is always there."""
    sorter = _Sorter()
    for name, value in pairs:
        sorter.put(name, value)
    known: dict[str, Any] = {}
    for name, value in sorter.settings.items():
        reader = READERS.get(name)
        if reader is not None and value:
            known[reader[0]] = reader[1](value)
    if sorter.callback:
        known["callback"] = _read_callback(sorter.callback, name="callback")
    if sorter.failure_callback:
        known["failure_callback"] = _read_callback(sorter.failure_callback, name="failure callback")
    known["headers"] = sorter.delivered()
    _check_flow(known)
    return known


class _Sorter:
    """Puts each header where it belongs."""

    __slots__ = ("callback", "content_type", "failure_callback", "forwarded", "others", "settings")

    def __init__(self) -> None:
        self.settings: dict[str, str] = {}
        self.callback: dict[str, list[str]] = {}
        self.failure_callback: dict[str, list[str]] = {}
        self.forwarded: list[tuple[str, str]] = []
        self.others: list[tuple[str, str]] = []
        self.content_type: str | None = None

    def put(self, name: str, value: str) -> None:
        key = name.lower()
        if not key.startswith("upstash-"):
            if key == "content-type":
                self.content_type = self.content_type or value
            else:
                self.others.append((name, value))
        elif key.startswith("upstash-forward-"):
            self.forwarded.append((read_header_name(name[16:]), value))
        elif key.startswith("upstash-callback"):
            self.callback.setdefault(key[16:].removeprefix("-"), []).append(value)
        elif key.startswith("upstash-failure-callback"):
            self.failure_callback.setdefault(key[24:].removeprefix("-"), []).append(value)
        else:
            self.settings.setdefault(key[8:], value.strip())

    def delivered(self) -> Pairs:
        if self.settings.get("header-forward", "").lower() == "true":
            self.forwarded += [
                (read_header_name(n), v) for n, v in self.others if n.lower() not in NOT_FORWARDED
            ]
        kept = [check_value(n, v) for n, v in self.forwarded if n.lower() not in OWN]
        # A forwarded content type is the more explicit one (the Python SDK sends `headers` so).
        if self.content_type and not any(name == "Content-Type" for name, _ in kept):
            kept.insert(0, check_value("Content-Type", self.content_type))
        return tuple(kept)


Reader = tuple[str, Callable[[str], Any]]

TIMING: dict[str, Reader] = {
    "method": ("method", read_method),
    "timeout": ("timeout_s", lambda text: read_duration_s(text, setting="timeout")),
    "retries": ("retries", read_retries),
    "retry-delay": ("retry_delay", read_retry_delay),
    "flow-control-key": ("flow_key", str),
    "flow-control-value": ("flow", read_flow_limit),
}
READERS: dict[str, Reader] = TIMING | {
    "delay": ("delay_s", lambda text: read_duration_s(text, setting="delay")),
    "not-before": ("not_before_s", read_not_before_s),
    "deduplication-id": ("dedup_id", read_dedup_id),
    # wire contract D2: the Python SDK writes True and False
    "content-based-deduplication": ("dedup_by_content", lambda text: text.lower() == "true"),
    "label": ("labels", read_labels),
    "redact-fields": ("redaction", read_redaction),
    "cron": ("cron", str),
}


def _read_callback(given: dict[str, list[str]], *, name: str) -> CallbackSettings | None:
    url = given.get("", [""])[0].strip()
    if not url:
        return None
    if "delay" in given:
        # wire contract D9: changelog 2025-03
        raise Refusal(400, f"delay is not supported for a {name}")
    known: dict[str, Any] = {"url": read_url(url, name=name)}
    headers: list[tuple[str, str]] = []
    for key, values in given.items():
        if key.startswith("forward-"):
            headers += [check_value(read_header_name(key[8:]), value) for value in values]
        elif key in TIMING and values[0].strip():
            field, read = TIMING[key]
            known[field] = read(values[0].strip())
    known["headers"] = tuple(pair for pair in headers if pair[0].lower() not in OWN)
    _check_flow(known)
    return CallbackSettings(**known)


def _check_flow(known: dict[str, Any]) -> None:
    if ("flow_key" in known) != ("flow" in known):
        missing = "value" if "flow_key" in known else "key"
        raise Refusal(400, f"flow control {missing} is missing")
