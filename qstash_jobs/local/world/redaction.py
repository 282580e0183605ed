"""The `Upstash-Redact-Fields` header -> what is hidden wherever a message is read back."""

import hashlib
import re
from dataclasses import dataclass

from qstash_jobs.local.world.refusal import Refusal

# wire contract 4.8: `header[Name]`, also seen as `headers[...]`
ONE = re.compile(r"headers?\[([^\]]+)\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """Parts of a message that are delivered, but never shown."""

    body: bool = False
    all_headers: bool = False
    headers: frozenset[str] = frozenset()
    """Names in lower case."""

    def hides(self, name: str) -> bool:
        """Say whether a header's value is hidden."""
        return self.all_headers or name.lower() in self.headers


def read_redaction(text: str) -> Redaction:
    """Read `body`, `header` (D4: or `headers`) and `header[Name]`, separated by commas."""
    fields = {part.strip() for part in text.split(",") if part.strip()}
    named = {field: found[1].strip().lower() for field in fields if (found := ONE.fullmatch(field))}
    unknown = fields - named.keys() - {"body", "header", "headers"}
    if unknown:
        raise Refusal(400, f"invalid redact field: {min(unknown)[:100]!r}")
    return Redaction(
        body="body" in fields,
        all_headers=bool(fields & {"header", "headers"}),
        headers=frozenset(named.values()),
    )


def redact(value: bytes) -> str:
    """Write what is shown in place of a value."""
    # wire contract 4.8: REDACTED:<SHA256>; whether in hex or base64 is not documented
    return f"REDACTED:{hashlib.sha256(value).hexdigest()}"
