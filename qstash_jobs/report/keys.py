"""Names that are anything -> keys of a job file, each legal and once."""

import re
from collections.abc import Iterable

from qstash_jobs.grammar import is_job_id

LONGEST_KEY = 40


class Keys:
    """Makes keys of names; the same names in the same order give the same keys."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def make(self, name: str, *, otherwise: str = "schedule") -> str:
        """Make a key that is like a name; of a name that holds nothing to make one of, like `otherwise`.

        A name that can be a key is one as it is.
        """
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:LONGEST_KEY] or otherwise
        stem = name if is_job_id(name) else stem
        key, number = stem, 1
        while key in self._taken:
            number += 1
            key = f"{stem}-{number}"
        self._taken.add(key)
        return key
