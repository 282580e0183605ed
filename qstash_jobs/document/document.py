"""What was read of a file: plain data, and on demand where each value stands and how it was written."""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import field
from typing import Any

from qstash_jobs.document.lines import Lines
from qstash_jobs.document.scalars import write_plain
from qstash_jobs.problem import Location, Path, Problem
from qstash_jobs.value import dataclass

LEAF, NESTED, ALIAS, SKIPPED = range(4)
"""The kind of a mark, in its lowest two bits; above them stands a character's index (of SKIPPED: a mark's)."""


class Marks:
    """The places of all nodes in one flat array, in the order of the file.

    A scalar takes one word. A mapping or list takes two, the second being where the marks of what follows it
    begin; a mapping's marks are key, value, key, value. An alias takes two as well, the second being the mark
    that it stands for. A SKIPPED word says where to go on: what lies between has no place in the data.
    """

    def __init__(self) -> None:
        self.words = array("Q")
        self.spellings: dict[int, str] = {}
        """Scalars that are not text and are written otherwise than most."""
        self._children: dict[int, dict[str | int, int]] = {}

    def index(self, mark: int) -> int:
        """Return the character at which a node begins."""
        return self.words[mark] >> 2

    def follow(self, mark: int) -> int:
        """Return the node itself: what an alias stands for, or the mark as it is."""
        while self.words[mark] & 3 == ALIAS:
            mark = self.words[mark + 1]
        return mark

    def children(self, mark: int, value: Any) -> dict[str | int, int]:
        """Return the marks of a list's items or of a mapping's keys, remembered for the next time."""
        if mark not in self._children:
            steps: Iterable[str | int] = value if isinstance(value, dict) else range(len(value))
            walk = self.walk(mark, keyed=isinstance(value, dict))
            self._children[mark] = dict(zip(steps, walk, strict=True))
        return self._children[mark]

    def walk(self, mark: int, *, keyed: bool) -> Iterator[int]:
        at, end = mark + 2, self.words[mark + 1]
        while at < end:
            if self.words[at] & 3 == SKIPPED:
                at = self.words[at] >> 2
            else:
                yield at
                at = self._after(at + 1 if keyed else at)

    def _after(self, mark: int) -> int:
        kind = self.words[mark] & 3
        if kind == NESTED:
            return self.words[mark + 1]
        return mark + (2 if kind == ALIAS else 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file that was read; one that could not be read has problems and no data."""

    file: str
    """As it is shown to people."""
    text: str = field(repr=False)
    """Decoded; empty where the bytes are not UTF-8."""
    data: Any
    """Of dict (keys are text), list, str, int, Decimal, bool and None. Not to be changed: aliases share."""
    problems: tuple[Problem, ...]
    marks: Marks = field(repr=False, compare=False)
    lines: Lines = field(repr=False, compare=False)

    def locate(self, path: Path, *, key: bool = False) -> Location:
        """Return the place of a value, or of its key.

        A path that leads nowhere is answered with its deepest part that exists. A list's item and the whole
        document have no key: their value's place is given. What an alias repeats stands at its anchor, the
        alias' own value at the alias.
        """
        if not self.marks.words:
            return self.lines.locate(0)
        key_mark, mark, _, _ = self._find(path)
        return self.lines.locate(self.marks.index(key_mark if key and key_mark is not None else mark))

    def written(self, path: Path) -> str:
        """Return a scalar's text as it stands in the file (`1.10`, `0x1F`, `True`), without its quotes.

        What is no scalar, or not there, has none: the answer is empty.
        """
        if not self.marks.words:
            return ""
        _, mark, value, missing = self._find(path)
        if missing or isinstance(value, dict | list):
            return ""
        return self.marks.spellings.get(self.marks.follow(mark), write_plain(value))

    def _find(self, path: Path) -> tuple[int | None, int, Any, bool]:
        """Return the marks of the key and of the value that a path leads to, that value, and if it fell short."""
        key_mark, mark, value = None, 0, self.data
        for step in path:
            nested = isinstance(value, dict | list)
            children = self.marks.children(self.marks.follow(mark), value) if nested else {}
            if step not in children:
                return key_mark, mark, value, True
            child = children[step]
            key_mark, mark = (child, child + 1) if isinstance(value, dict) else (None, child)
            value = value[step]
        return key_mark, mark, value, False
