"""A request as it came, and the answer to it, as values."""

import json
from collections.abc import Mapping
from dataclasses import field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, unquote

from qstash_jobs.local.world.account import Account
from qstash_jobs.local.world.compact import write_compact
from qstash_jobs.local.world.filters import Query
from qstash_jobs.local.world.refusal import Refusal
from qstash_jobs.local.world.settings import Pairs
from qstash_jobs.local.world.world import World
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=False, kw_only=True)
class Call:
    """One request; the target is raw, exactly as it stood in the request line."""

    method: str
    target: str
    headers: Pairs
    body: bytes = b""
    caller_ip: str = "127.0.0.1"

    def header(self, name: str) -> str | None:
        """Return the first value of a header, or None; the name is in lower case."""
        return self._named.get(name)

    @cached_property
    def _named(self) -> Mapping[str, str]:
        named: dict[str, str] = {}
        for name, value in self.headers:
            named.setdefault(name.lower(), value)
        return named


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer: JSON, or nothing, but for the page's own files."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Pairs = ()
    after_s: float = 0
    """How long the client waits for it."""
    cut_after: int | None = None
    """Set: the connection breaks after so many bytes of the body; -1: before the answer begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A call of a known user: what the routes work with."""

    world: World
    account: Account
    call: Call
    rest: str
    """The path behind `/v2/<resource>/`, raw."""
    query: str
    """Raw, without the question mark."""
    refused_items: Mapping[int, Refusal] = field(default_factory=dict)
    """Items of a batch that are refused because somebody asked for it."""

    @property
    def names(self) -> tuple[str, ...]:
        """The path's parts, decoded; a slash at the end makes none."""
        return tuple(unquote(part) for part in self.rest.rstrip("/").split("/") if part)

    @property
    def parameters(self) -> Query:
        """The query's parameters, decoded."""
        try:
            return parse_qs(self.query, keep_blank_values=True, max_num_fields=10_000)
        except ValueError as error:
            raise Refusal(400, f"invalid query: {error}") from error

    def read_object(self) -> dict[str, Any]:
        """Read the body as a JSON object; an empty body is an empty one."""
        if not self.call.body.strip():
            return {}
        found = read_json(self.call.body)
        if not isinstance(found, dict):
            raise Refusal(400, "invalid body: it is not a JSON object")
        return found


def read_json(body: bytes) -> Any:
    """Read a body as JSON; raises Refusal."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"invalid body: it is not JSON: {error}") from error


def write_json(value: Any, *, status: int = 200, headers: Pairs = ()) -> Reply:
    """Write an answer."""
    return Reply(status=status, body=write_compact(value), headers=headers)


def write_refusal(refusal: Refusal) -> Reply:
    """Write an error as the service does (wire contract, section 15)."""
    return write_json({"error": refusal.text}, status=refusal.status, headers=refusal.headers)


def not_allowed(visit: Visit) -> Refusal:
    """Say that a resource has no such method."""
    return Refusal(405, f"method {visit.call.method[:20]} is not allowed here")


def check_verb(visit: Visit) -> None:
    """Refuse the verb of a pause or resume that a switch turned off (wire contract, D14)."""
    if visit.world.switches.pause_verb not in ("both", visit.call.method):
        raise not_allowed(visit)


def unknown(visit: Visit) -> Refusal:
    """Say that there is no such resource."""
    return not_found(visit.call)


def not_found(call: Call) -> Refusal:
    """Say that there is nothing at all there."""
    return Refusal(404, f"not found: {call.target[:200]}")
