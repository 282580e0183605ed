"""A Request -> the bytes of its head, exactly as they go out; nothing is normalised and nothing encoded."""

import re

from qstash_jobs.wire.http import Request

# RFC 9110 5.6.2: a token; RFC 9112 3: a request line has no blanks, and http.client lets out nothing but ASCII
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_TARGET = re.compile(r"[^\x21-\x7e]")
_NO_VALUE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")

_OURS = frozenset(
    {
        "accept-encoding", "authorization", "connection", "content-length", "expect", "host", "keep-alive",
        "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "user-agent",
    }
)  # fmt: skip
"""Headers that belong to the connection: a request that brings one along is refused."""

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


def write_fixed(*, host: str, token: str | None, agent: str) -> bytes:
    """Write the headers that every request of a connection has; ValueError where the token cannot stand in one."""
    lines = [f"Host: {host}", f"User-Agent: {agent}", "Accept-Encoding: identity"]
    if token is not None:
        if not token or _NO_TARGET.search(token):
            raise ValueError("the token is empty, or has characters that no token has")
        lines.append(f"Authorization: Bearer {token}")
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def write_head(request: Request, *, fixed: bytes, path: str = "") -> bytes:
    """Write a request's head, with `path` before its target.

    ValueError names what cannot go out as it is. It does not repeat it: targets and values may hold secrets.
    """
    target = path + request.target
    if not _TOKEN.fullmatch(request.method):
        raise ValueError("the request's method is not a token")
    if not target.startswith("/"):
        raise ValueError("the request's target does not begin with a slash")
    if wrong := _NO_TARGET.search(target):
        raise ValueError(f"the request's target has {wrong[0]!a} at its character {wrong.start() + 1}")
    lines = [f"{request.method} {target} HTTP/1.1\r\n".encode("ascii"), fixed]
    if request.body or request.method in _WITH_BODY:
        lines.append(b"Content-Length: %d\r\n" % len(request.body))
    lines += [_write_header(name, value) for name, value in request.headers]
    lines.append(b"\r\n")
    return b"".join(lines)


def _write_header(name: str, value: str) -> bytes:
    if not _TOKEN.fullmatch(name) or name.lower() in _OURS:
        raise ValueError(f"{name!a} cannot be a header of a request")
    if wrong := _NO_VALUE.search(value):
        raise ValueError(f"the header {name} has {wrong[0]!a} at its character {wrong.start() + 1}")
    return f"{name}: {value}\r\n".encode("latin-1")
