"""The keys of a job's rows -> whether one of them may occur twice."""

import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

ROW_KEY_BYTES = 200

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def find_key_fault(key: str) -> str | None:
    """Say why a text cannot be a row's key."""
    if key.isascii() and key.isprintable() and 0 < len(key) <= ROW_KEY_BYTES:
        return None
    if not key:
        return "this row's key is empty"
    if len(key.encode()) > ROW_KEY_BYTES:
        return f"this row's key is longer than {ROW_KEY_BYTES} bytes"
    if _CONTROL.search(key):
        return "this row's key holds a control character"
    return None


def are_plain_keys(keys: Sequence[str]) -> bool:
    """Say whether all are keys, without looking at any by itself; where it says no, each may still be one."""
    together = "".join(keys)
    plain = together.isascii() and together.isprintable()
    return plain and all(keys) and max(map(len, keys), default=0) <= ROW_KEY_BYTES


class KeyCheck:
    """Finds out whether any key may occur twice among millions, in eight bytes a key.

    Keys are told apart by Python's own hash: two different ones may share it, so what is found has to be looked at.
    """

    def __init__(self) -> None:
        self._buckets: defaultdict[int, array[int]] = defaultdict(lambda: array("q"))

    def add(self, keys: Iterable[str]) -> None:
        buckets = self._buckets
        for digest in map(hash, keys):
            buckets[digest & 255].append(digest)

    def repeated(self) -> frozenset[int]:
        """Return the hashes that occur more than once."""
        found: set[int] = set()
        for bucket in self._buckets.values():
            if len(set(bucket)) != len(bucket):
                found |= {digest for digest, times in Counter(bucket).items() if times > 1}
        return frozenset(found)
