"""A text and a character's index in it -> line, column and the line's own text."""

import re
from array import array
from bisect import bisect_right
from functools import cached_property

from qstash_jobs.problem import Location

# YAML 1.2.2, 5.4: only these break lines
BREAK = re.compile(r"\r\n?|\n")
# YAML 1.1, 5.4: libyaml and PyYAML break lines here too, and make a blank of it inside quotes
OLD_BREAK = re.compile("[\x85\u2028\u2029]")

LONGEST_SOURCE = 1_000
"""Characters of a line that a location carries, so that a file of one long line is not copied for each problem."""


class Lines:
    """Finds lines by index; the table of lines is made when it is first needed."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self._file = file

    @cached_property
    def _starts(self) -> "array[int]":
        return array("Q", [0, *(found.end() for found in BREAK.finditer(self.text))])

    def number(self, index: int) -> int:
        """Return the line of a character, from 1."""
        return bisect_right(self._starts, index)

    def locate(self, index: int) -> Location:
        """Return the place of a character; what lies past the end is the end.

        `source` is cut after 1,000 characters, and empty where that would cut the column off.
        """
        index = min(index, len(self.text))
        line = self.number(index)
        start = self._starts[line - 1]
        found = BREAK.search(self.text, start, start + LONGEST_SOURCE)
        end = found.start() if found else min(start + LONGEST_SOURCE, len(self.text))
        source = self.text[start:end] if index - start <= LONGEST_SOURCE else ""
        return Location(file=self._file, line=line, column=index - start + 1, source=source)
