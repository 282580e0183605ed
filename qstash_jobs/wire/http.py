"""One HTTP exchange as values: what is sent, what came back, or how it was lost."""

from datetime import UTC, datetime

from qstash_jobs.value import dataclass

ANSWER_BYTES = 1024 * 1024
"""Longer answers than this are not read to their end, unless the request says so."""

Headers = tuple[tuple[str, str], ...]
"""Header names as sent and their values, in order; a name may repeat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it goes on the wire, less what the connection adds (Host, Authorization, Content-Length)."""

    method: str
    target: str
    """The request target, raw: never normalised or encoded on the way."""
    headers: Headers = ()
    body: bytes = b""
    answer_bytes: int = ANSWER_BYTES
    """How long a body the answer may have: a longer one is `Lost`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A complete answer: a status, and a body that ended where it said it would."""

    status: int
    headers: Headers = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """Return the first value of a header, whatever its case, or None."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreachable:
    """No connection, or it broke before the first byte was offered: surely not sent."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Untrusted:
    """The server's certificate, or the proxy's refusal to speak: surely not sent, and trying again is pointless."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The sender held the request back before its first byte, because its claim had grown old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The first byte was offered, and no complete answer came back: the service may have acted."""

    reason: str
    status: int | None = None
    """The status of an answer that came incomplete."""


Answer = Reply | Unreachable | Untrusted | Held | Lost


def read_date(text: str | None) -> datetime | None:
    """Read a date as headers have it (RFC 9110 5.6.7); aware, None where it is none."""
    from email.utils import parsedate_to_datetime

    try:
        date = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
