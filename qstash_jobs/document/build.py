"""The events of a YAML parser -> plain data, the marks of its nodes, and the faults on the way.

This is the only loop over a file's nodes, so it keeps to few calls for each. A fault that leaves the rest readable
is noted; one that does not, or that exceeds a limit, stops the reading.
"""

from typing import Any

from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from qstash_jobs.document.document import ALIAS, LEAF, NESTED, SKIPPED, Marks
from qstash_jobs.document.fault import Fault, StopReading
from qstash_jobs.document.findings import UNUSUAL_KEYS, Findings
from qstash_jobs.document.limits import MOST_ALIASES, MOST_LEVELS, MOST_NODES
from qstash_jobs.document.lines import Lines
from qstash_jobs.document.parser import Event, Parser
from qstash_jobs.document.scalars import (
    CORE,
    NumberError,
    Scalar,
    read_plain,
    read_tagged,
    write_plain,
)
from qstash_jobs.document.wording import (
    bad_number,
    bad_tag,
    recursive_alias,
    second_document,
    too_many,
    undefined_alias,
)
from qstash_jobs.value import dataclass

SECTIONS = ("jobs", "schedules")
"""Keys at the top whose children have a budget each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """What an alias repeats."""

    mark: int
    value: Any
    nodes: int
    levels: int
    open: bool = False
    """Still being read: an alias to it would never end."""


class Builder:
    """Reads one document; `marks` and `faults` are filled while it does."""

    def __init__(self, lines: Lines) -> None:
        self.marks = Marks()
        self._findings = Findings(lines, self.marks)
        self._words = self.marks.words
        self._keys: dict[str, str] = {}
        self._anchors: dict[str, Anchor] = {}
        self._deepest = 0
        self._spent = 0
        self._limit = MOST_NODES
        """The number of words at which the budget is spent: moved up for words that count no node."""
        self._aliases = 0

    def read(self, parser: Parser) -> Any:
        """Read the whole stream; raises StopReading and whatever the parser raises."""
        self._get = parser.get_event
        try:
            return self._read_stream()
        finally:
            self._findings.explain_repeated()

    @property
    def faults(self) -> list[Fault]:
        return self._findings.faults

    @property
    def reached(self) -> int:
        """About where the last node begins."""
        return max(self._words[-2:], default=0) >> 2

    def _read_stream(self) -> Any:
        self._get()
        if type(self._get()) is StreamEndEvent:
            return None
        data = self._read_node(self._get(), 1)
        self._get()
        extra = self._get()
        index = extra.start_mark.index
        if type(extra) is DocumentStartEvent:
            self._findings.note(second_document(index))
        return data

    def _read_node(self, event: Event, depth: int, *, section: bool = False) -> Any:
        kind = type(event)
        if kind is ScalarEvent:
            return self._read_scalar(event)
        if kind is AliasEvent:
            return self._read_alias(event, depth)
        if event.anchor or event.tag:
            return self._read_decorated(event, depth, section=section)
        return self._read_nested(event, depth, section=section)

    def _read_nested(self, event: Event, depth: int, *, section: bool) -> Any:
        words = self._words
        mark = len(words)
        if depth > self._deepest:
            if depth > MOST_LEVELS:
                raise StopReading(too_many("levels", event.start_mark.index))
            self._deepest = depth
        words.append(event.start_mark.index << 2 | NESTED)
        words.append(0)
        self._limit += 1
        if type(event) is MappingStartEvent:
            value: Any = self._read_mapping(mark, depth, section=section)
        else:
            value = self._read_sequence(depth)
        words[mark + 1] = len(words)
        return value

    def _read_sequence(self, depth: int) -> list[Any]:
        items: list[Any] = []
        get = self._get
        while type(event := get()) is not SequenceEndEvent:
            if depth == 1:
                self._renew()
            if len(self._words) >= self._limit:
                raise StopReading(too_many("nodes", event.start_mark.index))
            items.append(
                self._read_scalar(event) if type(event) is ScalarEvent else self._read_node(event, depth + 1)
            )
        return items

    def _read_mapping(self, mark: int, depth: int, *, section: bool) -> dict[str, Any]:
        data: dict[str, Any] = {}
        get, words, keys = self._get, self._words, self._keys
        while type(event := get()) is not MappingEndEvent:
            if section:
                self._renew()
            if len(words) + 1 >= self._limit:
                raise StopReading(too_many("nodes", event.start_mark.index))
            key = event.value if type(event) is ScalarEvent else ""
            unusual = key in UNUSUAL_KEYS or key in data or event.tag or event.anchor or not key.isascii()
            if unusual and self._is_refused(event, data, mark):
                self._skip_entry(event, depth)
                continue
            words.append(event.start_mark.index << 2)
            event = get()
            data[keys.setdefault(key, key)] = (
                self._read_scalar(event)
                if type(event) is ScalarEvent
                else self._read_node(event, depth + 1, section=depth == 1 and key in SECTIONS)
            )
        if section:
            self._renew()
        return data

    def _renew(self) -> None:
        """Give what follows a budget of its own."""
        self._spent = self._nodes()
        self._limit = len(self._words) + MOST_NODES
        self._aliases = 0

    def _nodes(self) -> int:
        """Count the nodes so far, with those that aliases repeat."""
        return self._spent + len(self._words) - self._limit + MOST_NODES

    # keys

    def _is_refused(self, event: Event, data: dict[str, Any], mark: int) -> bool:
        """Tell whether a key that is out of the ordinary is none; one that is may be repeated by an alias."""
        if self._findings.refuses_key(event, data, mark):
            return True
        self._keep(event, Anchor(mark=len(self._words), value=event.value, nodes=1, levels=0))
        return False

    def _skip_entry(self, event: Event, depth: int) -> None:
        """Read a key and its value, so that their own faults are found, and leave them out of the data."""
        words = self._words
        mark = len(words)
        words.append(SKIPPED)
        self._limit += 1
        self._read_node(event, depth + 1)
        self._read_node(self._get(), depth + 1)
        words[mark] = len(words) << 2 | SKIPPED

    # scalars

    def _read_scalar(self, event: Event) -> Scalar:
        index = event.start_mark.index
        words = self._words
        mark = len(words)
        words.append(index << 2)
        text: str = event.value
        if event.tag or event.anchor:
            return self._read_decorated_scalar(event, mark)
        if event.style:
            return text if text.isascii() else self._findings.without_surrogates(text, index)
        try:
            value = read_plain(text)
        except NumberError as error:
            return self._findings.refuse(bad_number(index, str(error)), text)
        if value is text:
            if "${{" in text:
                self._findings.look_for_cut(event)
        elif write_plain(value) != text:
            self.marks.spellings[mark] = text
        return value

    def _read_decorated_scalar(self, event: Event, mark: int) -> Scalar:
        text = event.value
        index = event.start_mark.index
        tag = event.tag or ("!" if event.style else "")
        value: Scalar
        try:
            value = read_tagged(text, tag, plain=not event.style) if tag else read_plain(text)
        except NumberError as error:
            value = self._findings.refuse(bad_number(index, str(error)), text)
        except ValueError:
            value = self._findings.refuse(bad_tag(index, tag), text)
        if not isinstance(value, str) and write_plain(value) != text:
            self.marks.spellings[mark] = text
        if isinstance(value, str):
            value = self._findings.without_surrogates(value, index)
        self._keep(event, Anchor(mark=mark, value=value, nodes=1, levels=0))
        return value

    def _keep(self, event: Event, anchor: Anchor) -> None:
        if event.anchor:
            self._anchors[event.anchor] = anchor

    # anchors and aliases

    def _read_decorated(self, event: Event, depth: int, *, section: bool) -> Any:
        index = event.start_mark.index
        plain = "map" if type(event) is MappingStartEvent else "seq"
        if event.tag not in (None, "", "!", CORE + plain):
            self._findings.note(bad_tag(index, event.tag))
        if not event.anchor:
            return self._read_nested(event, depth, section=section)
        mark, before, deepest = len(self._words), self._nodes(), self._deepest
        self._anchors[event.anchor] = Anchor(mark=mark, value=None, nodes=0, levels=0, open=True)
        self._deepest = depth - 1
        value = self._read_nested(event, depth, section=section)
        self._anchors[event.anchor] = Anchor(
            mark=mark, value=value, nodes=self._nodes() - before, levels=self._deepest - depth + 1
        )
        self._deepest = max(deepest, self._deepest)
        return value

    def _read_alias(self, event: Event, depth: int) -> Any:
        index = event.start_mark.index
        anchor = self._anchors.get(event.anchor)
        self._aliases += 1
        if self._aliases > MOST_ALIASES:
            raise StopReading(too_many("aliases", index))
        if anchor is None or anchor.open:
            self._words.append(index << 2 | LEAF)
            wrong = recursive_alias if anchor else undefined_alias
            return self._findings.refuse(wrong(index, event.anchor, self._anchors), None)
        self._words.append(index << 2 | ALIAS)
        self._words.append(anchor.mark)
        self._limit += 2 - anchor.nodes
        deepest = depth + anchor.levels - 1
        self._deepest = max(self._deepest, deepest)
        if deepest > MOST_LEVELS:
            raise StopReading(too_many("levels", index))
        if len(self._words) > self._limit:
            raise StopReading(too_many("nodes", index))
        return anchor.value
