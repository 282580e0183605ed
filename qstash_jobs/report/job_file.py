"""What an account should have, found elsewhere -> the text of a job file that says it, with remarks as comments."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import field, replace
from decimal import Decimal
from typing import Any

from qstash_jobs.report.escape import escape
from qstash_jobs.report.escape import write_json as write_escaped
from qstash_jobs.value import dataclass

# The words that YAML 1.2's core schema, or an older reader, takes for something other than text
_WORDS = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*|https?://[A-Za-z0-9._~/?=&%@+-]*[A-Za-z0-9_~/=-]")
# YAML 1.2.2, 7.4.2: a key before its colon has 1024 characters at most; a longer one needs a question mark
LONGEST_SIMPLE_KEY = 1000
# YAML 1.2.2, 5.1: what no stream may hold as it is, beyond what is unsafe on a terminal
_NO_YAML = re.compile("[\ufffe\uffff]")
_SURROGATES = re.compile(r"\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A value with a remark behind it, on its line."""

    value: str
    remark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A value that is YAML already, on one line."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """One thing that a job file is to declare."""

    key: str
    fields: Mapping[str, Any]
    """As the file has them: expressions are expressions, and a plain `${{` is escaped."""
    source: str | None = None
    """What it was made of, as it stood there."""
    comments: tuple[str, ...] = ()
    """What a reader has to know of it."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """What lies beside the job file, by the path from there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Omission:
    """Something that the file cannot declare."""

    what: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A job file before it is text."""

    schedules: tuple[Drafted, ...] = ()
    url_groups: tuple[Drafted, ...] = ()
    queues: tuple[Drafted, ...] = ()
    flow_controls: tuple[Drafted, ...] = ()
    omissions: tuple[Omission, ...] = ()
    remarks: tuple[str, ...] = ()

    def sections(self) -> Iterator[tuple[str, tuple[Drafted, ...]]]:
        """Yield the parts of a job file that declare something."""
        yield "schedules", self.schedules
        yield "url_groups", self.url_groups
        yield "queues", self.queues
        yield "flow_controls", self.flow_controls

    def without(self, names: Collection[tuple[str, str]]) -> "Draft":
        """Take things out by part and key."""
        kept = {
            name: tuple(one for one in drafted if (name, one.key) not in names)
            for name, drafted in self.sections()
        }
        return replace(
            self,
            schedules=kept["schedules"],
            url_groups=kept["url_groups"],
            queues=kept["queues"],
            flow_controls=kept["flow_controls"],
        )

    def __len__(self) -> int:
        """Count what is declared."""
        return sum(len(drafted) for _, drafted in self.sections())


def escape_expressions(text: str) -> str:
    """Write a text so that a job file means it as it stands."""
    return text.replace("${{", "$${{")


def write_job_file(draft: Draft) -> str:
    """Write a job file; reading it gives back what was drafted."""
    return "\n".join(_write_lines(draft)) + "\n"


def _write_lines(draft: Draft) -> Iterator[str]:
    yield from _comment(draft.remarks)
    for omission in draft.omissions:
        yield from _comment((f"left out: {omission.what}", f"  because {omission.reason}"))
    is_first = not draft.remarks and not draft.omissions
    for name, drafted in draft.sections():
        if drafted:
            yield from [] if is_first else [""]
            yield f"{name}:"
            is_first = False
            for one in drafted:
                yield from _comment([] if one.source is None else [one.source], indent="  ")
                yield from _comment(one.comments, indent="  ")
                yield from _write_pair(one.key, one.fields, "  ")
    if not len(draft):
        # a file with nothing of a set's keys would be a single job without its url
        yield from ["", "schedules: {}"]


def _comment(texts: Iterable[str], *, indent: str = "") -> Iterator[str]:
    return (f"{indent}# {escape(text)}" for text in texts)


def _write_pair(key: str, value: Any, indent: str) -> Iterator[str]:
    name = _write_text(key)
    if isinstance(value, Mapping) and value:
        yield f"{indent}{name}:"
        for inner, item in value.items():
            yield from _write_pair(inner, item, f"{indent}  ")
    elif isinstance(value, tuple | list) and value:
        yield f"{indent}{name}:"
        yield from (f"{indent}  - {_write_scalar(item)}" for item in value)
    elif len(name) > LONGEST_SIMPLE_KEY:
        yield f"{indent}? {name}"
        yield f"{indent}: {_write_scalar(value)}"
    else:
        yield f"{indent}{name}: {_write_scalar(value)}"


def _write_scalar(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | Decimal():
            return str(value)
        case str():
            return _write_text(value)
        case Noted():
            return f"{_write_text(value.value)}  # {escape(value.remark)}"
        case Flow():
            return value.text
        case None:
            return "null"
        case _:
            return "{}" if isinstance(value, Mapping) else "[]"


def _write_text(text: str) -> str:
    """Write text without quotes where every reader takes it for text, else in double quotes."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    # YAML has the escapes of JSON, but for a character beyond 16 bits: it is one escape, not two surrogates
    return _NO_YAML.sub(_write_escape, _SURROGATES.sub(_join_surrogates, write_escaped(text)))


def _write_escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def _join_surrogates(match: re.Match[str]) -> str:
    high, low = (int(unit, 16) for unit in match.groups())
    return f"\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"
