"""The keys of a job's rows -> whether one of them may occur twice."""

from array import array
from collections import Counter, defaultdict


class KeyCheck:
    """Finds out whether any key may occur twice among millions, in eight bytes a key.

    Keys are told apart by Python's own hash: two different ones may share it, so what is found has to be looked at.
    """

    def __init__(self) -> None:
        self._buckets: defaultdict[int, array[int]] = defaultdict(lambda: array("q"))

    def add(self, key: str) -> None:
        digest = hash(key)
        self._buckets[digest & 255].append(digest)

    def repeated(self) -> frozenset[int]:
        """Return the hashes that occur more than once."""
        found: set[int] = set()
        for bucket in self._buckets.values():
            if len(set(bucket)) != len(bucket):
                found |= {digest for digest, times in Counter(bucket).items() if times > 1}
        return frozenset(found)
