"""The keys of a job's rows -> whether one of them occurs twice."""

from array import array
from collections import Counter
from hashlib import blake2b


class KeyCheck:
    """Finds out whether any key occurs twice among millions, in eight bytes a key.

    Keys are hashed to 64 bits; two different ones that collide would be told as equal, which among ten million
    keys happens once in 370,000 files.
    """

    def __init__(self) -> None:
        self._buckets = [array("Q") for _ in range(256)]

    def add(self, key: str) -> None:
        digest = self.hash(key)
        self._buckets[digest & 255].append(digest)

    def repeated(self) -> frozenset[int]:
        """Return the hashes of the keys that occur more than once."""
        found: set[int] = set()
        for bucket in self._buckets:
            if len(set(bucket)) != len(bucket):
                found |= {digest for digest, times in Counter(bucket).items() if times > 1}
        return frozenset(found)

    @staticmethod
    def hash(key: str) -> int:
        return int.from_bytes(blake2b(key.encode(), digest_size=8).digest())
