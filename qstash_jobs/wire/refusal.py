"""An answer that accepts nothing -> why, and whether to stop, wait, or be in doubt.

The verdict comes from the status; the words are the service's own, bounded and on one line. They are foreign text:
whoever prints them escapes them.
"""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import orjson

from qstash_jobs.outcome import Limit, Misconfigured, NotSent, Rejected, Throttled, Unknown
from qstash_jobs.wire.content import read_json
from qstash_jobs.wire.http import Held, Lost, Reply, Unreachable, Untrusted, read_date

Failure = Rejected | Throttled | NotSent | Unknown | Misconfigured

TEXT_LENGTH = 500
"""Characters of the service's words that are kept."""

WAIT_S = 60.0
"""No answer makes the run wait longer for its next try."""

# RFC 9110 15.5.9, 15.5.10 and RFC 8470 5.2: none of the three says that the request was not carried out
_IN_DOUBT = frozenset({408, 409, 425})

# Seen on the live service: "user (…) not found in this region (eu-central-1)", where the token is one of us-east-1;
# the region in it is the one that does not know the token.
_WRONG_REGION = re.compile(
    r"\buser\b.{0,200}\bnot found in (?:this )?region\b(?:\s*\(?\s*([A-Za-z0-9_-]{1,40}))?", re.I | re.S
)

# upstash/docs, qstash/howto/multi-region
_SERVERS = {
    "us-east-1": "https://qstash-us-east-1.upstash.io",
    "eu-central-1": "https://qstash-eu-central-1.upstash.io",
}

_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{1,500})</title", re.IGNORECASE)


def read_loss(answer: Unreachable | Untrusted | Held | Lost) -> NotSent | Unknown | Misconfigured:
    """Say what an exchange without a complete answer means for the message."""
    match answer:
        case Unreachable():
            return NotSent(reason=answer.reason)
        case Held():
            return NotSent(reason="held back, because too long had passed since it was claimed")
        case Untrusted():
            return Misconfigured(error=answer.reason, exit_code=2)
        case Lost():
            return Unknown(reason=answer.reason, status=answer.status)


def read_refusal(reply: Reply, *, now: datetime) -> Failure:
    """Say what a complete answer other than 2xx means for the message."""
    status = reply.status
    if 300 <= status < 400:
        return _read_redirect(reply)
    if status in (401, 403):
        return _read_denial(reply)
    if status == 429:
        return _read_throttle(reply, now)
    text = read_error(reply)
    if status in _IN_DOUBT or not 400 <= status < 500:
        return Unknown(reason=f"answered {status}: {text}" if text else f"answered {status}", status=status)
    if status == 404 and (region := _WRONG_REGION.search(text)):
        return _misplaced(text, unknown_to=region[1])
    return Rejected(status=status, error=text or f"refused with status {status}, without a reason")


def read_error(reply: Reply) -> str:
    """Take the service's own words out of an answer: one line, bounded, empty where it has none."""
    try:
        value = read_json(reply.body)
    except ValueError:
        return _shorten(_read_page(reply.body[: 8 * TEXT_LENGTH].decode(errors="replace")))
    return describe_error(value.get("error", value) if isinstance(value, dict) else value)


def describe_error(value: object) -> str:
    """Write an error as text: as it is where it is text, else its message, else as JSON."""
    if isinstance(value, dict) and isinstance(value.get("message"), str):
        value = value["message"]
    if isinstance(value, str):
        return _shorten(value)
    try:
        return _shorten(orjson.dumps(value).decode()) if value else ""
    except orjson.JSONEncodeError:  # nested deeper than orjson writes, though it reads that deep
        return ""


def _shorten(text: str) -> str:
    line = " ".join(text[: 4 * TEXT_LENGTH].split())
    return line if len(line) <= TEXT_LENGTH else line[: TEXT_LENGTH - 1] + "…"


def _read_page(text: str) -> str:
    """Take a web page's title, as proxies answer with pages, or else a text's first line."""
    title = _TITLE.search(text)
    return title[1] if title else next((line for line in text.splitlines() if line.strip()), "")


def _read_redirect(reply: Reply) -> Misconfigured:
    try:
        host = urlsplit(reply.header("Location") or "").netloc.rpartition("@")[2]
    except ValueError:
        host = ""
    elsewhere = f" to {_shorten(host)}" if host else ""
    return Misconfigured(
        status=reply.status,
        error=f"the server answers with a redirect ({reply.status}){elsewhere}, which is never followed",
        exit_code=2,
        hint="set QSTASH_URL to the address of QStash itself",
    )


def _read_denial(reply: Reply) -> Misconfigured:
    text = read_error(reply)
    # upstash/docs, qstash/features/security: a read-only token may not publish
    hint = "check QSTASH_TOKEN; a read-only token cannot publish"
    error = f"the token is not accepted ({reply.status})"
    return Misconfigured(
        status=reply.status, error=f"{error}: {text}" if text else error, exit_code=4, hint=hint
    )


def _misplaced(text: str, *, unknown_to: str | None) -> Misconfigured:
    here = (unknown_to or "").lower().replace("_", "-")
    servers = [server for region, server in _SERVERS.items() if region != here]
    return Misconfigured(
        status=404,
        error=f"the token belongs to another region: {text}",
        exit_code=4,
        hint=f"set QSTASH_URL to {' or '.join(servers)}",
    )


def _read_throttle(reply: Reply, now: datetime) -> Throttled:
    limit = Limit.DAILY if _is_daily(reply) else Limit.BURST
    reset = _read_reset(
        reply.header("RateLimit-Reset" if limit is Limit.DAILY else "Burst-RateLimit-Reset"), now
    )
    wait_s = _read_retry_after(reply.header("Retry-After"), now)
    if wait_s is None and limit is Limit.BURST and reset is not None:
        wait_s = (reset - now).total_seconds()
    return Throttled(
        status=reply.status,
        limit=limit,
        wait_s=None if wait_s is None else min(max(wait_s, 0.0), WAIT_S),
        resets_at=reset if limit is Limit.DAILY else None,
        error=read_error(reply),
    )


def _is_daily(reply: Reply) -> bool:
    """Tell the daily quota by its headers, as both SDKs do; where both families came, by the one that is used up."""
    if reply.header("RateLimit-Limit") is None and reply.header("RateLimit-Reset") is None:
        return False
    left = _read_number(reply.header("RateLimit-Remaining"))
    burst_left = _read_number(reply.header("Burst-RateLimit-Remaining"))
    return not (burst_left is not None and burst_left <= 0 and left is not None and left > 0)


def _read_reset(text: str | None, now: datetime) -> datetime | None:
    """Read a moment: Unix seconds as documented, milliseconds, or seconds from now as the IETF draft has them."""
    number = _read_number(text)
    if number is None or number < 0:
        return None
    if number > 1e11:
        number /= 1000
    try:
        return datetime.fromtimestamp(number, UTC) if number > 1e8 else now + timedelta(seconds=number)
    except (OverflowError, ValueError, OSError):
        return None


def _read_retry_after(text: str | None, now: datetime) -> float | None:
    """Read seconds or a date (RFC 9110 10.2.3)."""
    number = _read_number(text)
    if number is not None or text is None:
        return number
    date = read_date(text)
    return None if date is None else (date - now).total_seconds()


def _read_number(text: str | None) -> float | None:
    plain = (text or "").strip()
    return float(plain) if re.fullmatch(r"-?[0-9]{1,20}(\.[0-9]{0,9})?", plain) else None
