"""Single values of configuration headers, read; one that cannot be is refused."""

import re
from functools import lru_cache

from qstash_jobs import grammar
from qstash_jobs.grammar import GrammarError, RetryDelay, is_header_name
from qstash_jobs.local.world.refusal import Refusal

# wire contract 3: HEAD and OPTIONS are in no source
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})

BLANK = re.compile(r"\s")
NOT_IN_URL = re.compile(r"[\x00-\x20\x7f\ud800-\udfff]")
# RFC 3986, 3.2: user, host or address in brackets, port
AUTHORITY = re.compile(r"(?:[^@/?#\[\]]*@)?(?:\[[0-9A-Fa-f:.]+\]|[^@:/?#\[\]]+)(?::[0-9]{0,5})?(?=[/?#]|$)")
NOT_IN_HEADER = re.compile(r"[\r\n\0]")


@lru_cache(maxsize=4096)
def read_header_name(name: str) -> str:
    """Write a header's name as Go does: `x-my-header` is `X-My-Header` (wire contract, section 8)."""
    if not is_header_name(name):
        raise Refusal(400, f"invalid header name: {name[:100]!r}")
    return "-".join(part[:1].upper() + part[1:].lower() for part in name.split("-"))


def check_value(name: str, value: str) -> tuple[str, str]:
    """Check that a header's value can be sent."""
    if NOT_IN_HEADER.search(value):
        raise Refusal(400, f"invalid value of header {name}")
    return name, value


def read_method(text: str) -> str:
    """Read the delivery's method."""
    method = text.upper()
    if method not in METHODS:
        raise Refusal(400, f"invalid method: {text[:20]}")
    return method


def read_retries(text: str) -> int:
    """Read a number of retries."""
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise Refusal(400, f"invalid retries: {text[:40]!r} is not a number of retries")
    return int(text)


def read_retry_delay(text: str) -> RetryDelay:
    """Read a retry-delay expression."""
    try:
        return _parse_retry_delay(text)
    except GrammarError as error:
        raise Refusal(400, f"invalid retry delay expression: {error}") from error


@lru_cache(maxsize=1024)
def _parse_retry_delay(text: str) -> RetryDelay:
    return grammar.read_retry_delay(text)


def read_not_before_s(text: str) -> int:
    """Read a Unix time in seconds."""
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise Refusal(400, f"invalid not before: {text[:40]!r} is not a unix timestamp in seconds")
    return int(text)


def read_dedup_id(text: str) -> str:
    """Read a deduplication id."""
    if ":" in text:
        # wire contract 4.6: reported by about ten code bases
        raise Refusal(400, "DeduplicationId cannot contain ':'")
    if BLANK.search(text):
        # wire contract 4.6: one report
        raise Refusal(400, "DeduplicationId cannot contain whitespace")
    return text


def read_labels(text: str) -> tuple[str, ...]:
    """Read labels, separated by commas."""
    return tuple(label for part in text.split(",") if (label := part.strip()))


def read_url(text: str, *, name: str) -> str:
    """Check an absolute http(s) URL."""
    rest = text.removeprefix("https://").removeprefix("http://")
    if rest == text:
        # wire contract 2.1: the service's words
        raise Refusal(400, f"invalid {name} url: endpoint has invalid scheme, add http:// or https://")
    if AUTHORITY.match(rest) is None or NOT_IN_URL.search(text):
        raise Refusal(400, f"invalid {name} url: {text[:200]!r} is not a URL")
    return text
