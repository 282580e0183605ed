"""The `policy` of a project file -> a Policy: what is held against every job, with its patterns parsed."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from qstash_jobs.grammar import read_seconds
from qstash_jobs.rules.address import Address, read_address
from qstash_jobs.value import dataclass

PORTS = {"http": "80", "https": "443"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Where messages may go. Parts are compared with parts: text that only looks alike never matches."""

    text: str
    scheme: str
    labels: tuple[str, ...]
    """Of the host, lower case; `*` is any one label."""
    port: str
    path: str

    def matches(self, address: Address) -> bool:
        """Say whether an address lies within."""
        scheme = address.text.partition(":")[0].lower()
        return (
            scheme == self.scheme
            and _match_labels(self.labels, _labels(address.host))
            and (address.port or PORTS[scheme]) == self.port
            and _match_path(self.path, address.path)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What was reviewed once and holds for every job; what it does not mention is free."""

    destinations: tuple[Pattern, ...] | None = None
    secrets: Mapping[str, tuple[Pattern, ...]] = field(default_factory=dict)
    require: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()
    max_retries: int | None = None
    max_delay_s: int | None = None
    max_timeout_s: int | None = None
    max_messages: int | None = None


def read_policy(data: Mapping[str, Any]) -> Policy:
    """Read a policy that the schema has found in order."""
    most = data.get("max") or {}
    destinations = data.get("destinations")
    return Policy(
        destinations=None if destinations is None else _patterns(destinations),
        secrets={name: _patterns(texts) for name, texts in (data.get("secrets") or {}).items()},
        require=tuple(data.get("require") or ()),
        forbid=tuple(data.get("forbid") or ()),
        max_retries=most.get("retries"),
        max_delay_s=read_seconds(most["delay"]) if "delay" in most else None,
        max_timeout_s=read_seconds(most["timeout"]) if "timeout" in most else None,
        max_messages=most.get("messages_per_run"),
    )


def read_pattern(text: str) -> Pattern:
    """Read an absolute http(s) URL whose host may have `*` for a label."""
    address = read_address(text)
    scheme = text.partition(":")[0].lower()
    return Pattern(
        text=text,
        scheme=scheme,
        labels=_labels(address.host),
        port=address.port or PORTS.get(scheme, ""),
        path=address.path or "/",
    )


def _patterns(texts: Sequence[str]) -> tuple[Pattern, ...]:
    return tuple(read_pattern(text) for text in texts)


def _labels(host: str) -> tuple[str, ...]:
    return tuple(host.lower().removesuffix(".").split("."))


def _match_labels(pattern: tuple[str, ...], labels: tuple[str, ...]) -> bool:
    return len(pattern) == len(labels) and all(
        one == "*" or one == other for one, other in zip(pattern, labels, strict=True)
    )


def _match_path(prefix: str, path: str) -> bool:
    """`/hooks` holds /hooks and what lies below it, not /hooksmith."""
    path = path or "/"
    return path == prefix or path.startswith(prefix if prefix.endswith("/") else prefix + "/")
