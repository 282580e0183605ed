"""URL groups: what the account has -> ObservedGroups, and what it should have -> Requests.

upstash/docs, qstash/openapi.yaml; the path still says topics.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import orjson

from qstash_jobs.value import dataclass
from qstash_jobs.wire.http import Request
from qstash_jobs.wire.resources.fields import Value, read_headers, read_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    url: str
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedGroup:
    """A URL group as the account has it."""

    name: str
    endpoints: tuple[Endpoint, ...] = ()
    headers: tuple[tuple[str, Value], ...] | None = ()
    """Sent with every message to it; names as the service writes them. None where nothing is said of them."""


def read_group(entry: dict[str, Any]) -> ObservedGroup | None:
    """Read one entry of the list; None where it cannot be told what it is."""
    name, given = read_text(entry, "name"), entry.get("endpoints") or []
    headers = read_headers(entry.get("headers") or {})
    if name is None or headers is None or not isinstance(given, list):
        return None
    says = "headers" in entry
    endpoints: list[Endpoint] = []
    for one in given:
        url = read_text(one, "url") if isinstance(one, dict) else None
        if url is None:
            return None
        endpoints.append(Endpoint(url=url, name=read_text(one, "name")))
    return ObservedGroup(name=name, endpoints=tuple(endpoints), headers=headers if says else None)


def settle_headers(groups: Sequence[ObservedGroup]) -> tuple[ObservedGroup, ...]:
    """Take groups of which no headers are told to have none, if they are told of any group of the account.

    Whether they are given back at all is not documented; Go leaves out what is empty (encoding/json, omitempty).
    """
    if all(group.headers is None for group in groups):
        return tuple(groups)
    return tuple(group if group.headers is not None else replace(group, headers=()) for group in groups)


def put_endpoints(name: str, endpoints: Sequence[Endpoint]) -> Request:
    """Write the request that adds endpoints, moves those of the same names, and makes the group where it is missing."""
    return _write("POST", name, "/endpoints", {"endpoints": [_write_endpoint(one) for one in endpoints]})


def remove_endpoints(name: str, endpoints: Sequence[Endpoint]) -> Request:
    """Write the request that removes endpoints by their names, and those without one by their URLs.

    The last one takes the group with it.
    """
    given = [{"url": one.url} if one.name is None else {"name": one.name} for one in endpoints]
    return _write("DELETE", name, "/endpoints", {"endpoints": given})


def put_group_headers(name: str, headers: Mapping[str, str]) -> Request:
    """Write the request that sets the headers that go with every message to the group.

    upstash/docs, qstash/howto/webhook, and nowhere else.
    """
    return _write("PATCH", name, "", {"headers": dict(headers)})


def remove_group(name: str) -> Request:
    """Write the request that removes a group."""
    return Request(method="DELETE", target=f"/v2/topics/{quote(name, safe='')}")


def _write_endpoint(endpoint: Endpoint) -> dict[str, str]:
    return {"url": endpoint.url} if endpoint.name is None else {"name": endpoint.name, "url": endpoint.url}


def _write(method: str, name: str, rest: str, body: dict[str, Any]) -> Request:
    return Request(
        method=method,
        target=f"/v2/topics/{quote(name, safe='')}{rest}",
        headers=(("Content-Type", "application/json"),),
        body=orjson.dumps(body),
    )
