"""Which messages were accepted lately: a deduplication id or content -> the first message's number."""

import hashlib
from collections import deque

from qstash_jobs.local.world.settings import Settings


class DedupTable:
    """Remembers keys for a window, by the wall clock: a jump of virtual time never makes it forget.

    (In one run, a message that is delayed by a day would otherwise end the window of all the others.)
    """

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
        # In the order of time, because the window is the same for all.
        self._begins: deque[tuple[int, bytes]] = deque()

    def find(self, key: bytes, *, now_ms: int, window_ms: int) -> int | None:
        """Return the number of the message that was accepted with this key inside the window."""
        while self._begins and self._begins[0][0] + window_ms <= now_ms:
            del self._numbers[self._begins.popleft()[1]]
        return self._numbers.get(key)

    def put(self, key: bytes, number: int, *, now_ms: int) -> None:
        """Remember a message whose key was not found."""
        self._numbers[key] = number
        self._begins.append((now_ms, key))


def write_dedup_key(
    settings: Settings, *, destination: str, endpoint: str | None, body: bytes
) -> bytes | None:
    """Write the key of a message, or None where it asks for no deduplication.

    An id stands for the account, in a URL group for each endpoint (wire contract 4.6 leaves both open).
    Content is destination, body, content type and forwarded headers (D3).
    """
    if settings.dedup_id is not None:
        return _digest("id", settings.dedup_id, endpoint or "")
    if settings.dedup_by_content:
        headers = sorted((name.lower(), value) for name, value in settings.headers)
        words = [word for pair in headers for word in pair]
        return _digest("content", destination, endpoint or "", hashlib.sha256(body).hexdigest(), *words)
    return None


def _digest(*words: str) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for word in words:
        data = word.encode("utf-8", "surrogateescape")
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.digest()
