"""A field of an entry, as the service gives it back -> a plain value; None where it says nothing that can be read."""

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from qstash_jobs.grammar import GrammarError, read_seconds
from qstash_jobs.value import dataclass

# upstash/docs, qstash/features/redact-fields: a hidden value is shown as its SHA-256; in hex or base64 is not said
_REDACTED = re.compile(r"REDACTED:([A-Za-z0-9+/_=-]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    """A value that is not given back, but for its SHA-256."""

    digest: str

    def hides(self, value: bytes) -> bool:
        """Say whether it is this value, in whichever of the two forms its digest is written."""
        wanted = sha256(value)
        if self.digest.lower() == wanted.hexdigest():
            return True
        try:
            plain = self.digest.replace("-", "+").replace("_", "/").rstrip("=")
            return b64decode(plain + "=" * (-len(plain) % 4), validate=True) == wanted.digest()
        except (Error, ValueError):
            return False


Value = str | Redacted


def read_value(text: str) -> Value:
    """Read a text that may have been hidden."""
    match = _REDACTED.fullmatch(text)
    return text if match is None else Redacted(digest=match[1])


def read_text(entry: Mapping[str, Any], name: str) -> str | None:
    """Read a text; an empty one says nothing."""
    value = entry.get(name)
    return value if isinstance(value, str) and value else None


def read_whole(entry: Mapping[str, Any], name: str) -> int | None:
    """Read a whole number."""
    value = entry.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def read_duration(entry: Mapping[str, Any], name: str) -> int | None:
    """Read seconds: a number, as both SDKs' live tests find it, or a duration as it was sent."""
    value = entry.get(name)
    if isinstance(value, str):
        try:
            return read_seconds(value)
        except GrammarError:
            return None
    return read_whole(entry, name)


def read_headers(value: Any) -> tuple[tuple[str, Value], ...] | None:
    """Read a map of headers; values that came as a list are joined as HTTP joins them (RFC 9110 5.3)."""
    if not isinstance(value, dict):
        return None
    pairs: list[tuple[str, Value]] = []
    for name, given in value.items():
        values = given if isinstance(given, list) else [given]
        if not all(isinstance(one, str) for one in values):
            return None
        pairs.append((name, read_value(", ".join(values))))
    return tuple(pairs)
