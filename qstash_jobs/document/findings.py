"""Nodes of a document that are out of order -> the Faults that say so; past a number of them the reading ends."""

import re
from typing import Any

from yaml.events import ScalarEvent

from qstash_jobs.document.document import Marks
from qstash_jobs.document.fault import Fault, StopReading
from qstash_jobs.document.limits import MOST_PROBLEMS
from qstash_jobs.document.lines import Lines
from qstash_jobs.document.parser import Event
from qstash_jobs.document.scalars import CORE, NULLS, Scalar
from qstash_jobs.document.wording import (
    bad_key,
    bad_tag,
    cut_expression,
    duplicate_key,
    lone_surrogate,
    too_many,
)
from qstash_jobs.value import dataclass

TEXT_TAGS = ("!", CORE + "str")

SURROGATES = re.compile("[\ud800-\udfff]")

UNUSUAL_KEYS = frozenset({*NULLS, "<<"})
"""Keys that are no text if they stand without quotes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """A key that its mapping has already: the first one's line is looked up when the mapping is complete."""

    key: str
    index: int
    data: dict[str, Any]
    mark: int


class Findings:
    """Gathers what is wrong while a document is read."""

    def __init__(self, lines: Lines, marks: Marks) -> None:
        self.faults: list[Fault] = []
        self._lines = lines
        self._marks = marks
        self._repeated: list[Repeated] = []

    def note(self, fault: Fault) -> None:
        """Take a fault down that leaves the rest readable."""
        self.faults.append(fault)
        self._hold_count(fault.index)

    def refuse(self, fault: Fault, instead: Scalar) -> Scalar:
        """Take a node's fault down, and give what stands in the node's place."""
        self.note(fault)
        return instead

    def refuses_key(self, event: Event, data: dict[str, Any], mark: int) -> bool:
        """Look at a key that is out of the ordinary, note what is wrong with it, and tell if anything is."""
        index = event.start_mark.index
        if type(event) is not ScalarEvent:
            self.note(bad_key(index, None, self._lines.text))
        elif not event.style and event.value in UNUSUAL_KEYS and event.tag not in TEXT_TAGS:
            self.note(bad_key(index, event.value, self._lines.text))
        elif event.tag and event.tag not in TEXT_TAGS:
            self.note(bad_tag(index, event.tag))
        elif event.value in data:
            self._repeated.append(Repeated(key=event.value, index=index, data=data, mark=mark))
            self._hold_count(index)
        else:
            return self.without_surrogates(event.value, index) != event.value
        return True

    def without_surrogates(self, text: str, index: int) -> str:
        """Take lone surrogates out: libyaml refuses their escapes itself, the parser in Python lets them pass."""
        whole = SURROGATES.sub("\ufffd", text)
        if whole != text:
            self.note(lone_surrogate(index))
        return whole

    def look_for_cut(self, event: Event) -> None:
        """Note an expression that a comment's sign cut off."""
        fault = cut_expression(self._lines.text, event.start_mark.index, event.end_mark.index)
        if fault:
            self.note(fault)

    def explain_repeated(self) -> None:
        """Add the keys that stand twice, now that as much as there will be of their mappings has been read."""
        self.faults.extend(self._explain(repeated) for repeated in self._repeated)

    def _explain(self, repeated: Repeated) -> Fault:
        """Name the line of the first of two equal keys, where the mapping was read to its end."""
        line = None
        if self._marks.words[repeated.mark + 1]:
            first = self._marks.children(repeated.mark, repeated.data)[repeated.key]
            line = self._lines.number(self._marks.index(first))
        return duplicate_key(repeated.index, repeated.key, line)

    def _hold_count(self, index: int) -> None:
        if len(self.faults) + len(self._repeated) >= MOST_PROBLEMS:
            raise StopReading(too_many("problems", index))
