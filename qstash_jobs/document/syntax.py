"""An error of the YAML parser -> the Fault that a person can act on.

libyaml and the parser in Python word the same error differently; both are looked for.
"""

import re
from collections.abc import Callable

from yaml import MarkedYAMLError
from yaml.reader import ReaderError

from qstash_jobs.document.fault import Fault
from qstash_jobs.document.wording import lone_surrogate, second_document, show, too_many, unquoted_expression
from qstash_jobs.value import dataclass

# YAML 1.2.2, 5.1: the characters that may stand in a file (less the surrogates, which UTF-8 cannot hold)
FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
QUOTE = 'put the whole value in quotes, as in "…"'
INSIDE = 'inside single quotes a \' is written twice, inside double quotes a " as \\"'
ALIGN = "keys of one mapping, and the - of one list, begin in the same column"
UNSPACED = re.compile(r"[ -]*[A-Za-z0-9_.]+(?:-[A-Za-z0-9_.]+)*(:)[^\s:]")
KEYED = re.compile(r"[ -]*[^ :-](?:[^:]|:(?=\S))*?:\s+")
LOOKED_AT = 300
"""Characters of a line in which a key is looked for."""


def explain_error(error: Exception, text: str, reached: int) -> Fault:
    """Explain what stopped the parser; `reached` is the character up to which events came."""
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        return _explain_marked(error, text)
    found = FORBIDDEN.search(text)
    if found and isinstance(error, ReaderError):
        return _fault(
            found.start(),
            f"the control character U+{ord(found[0]):04X} cannot stand in a file",
            'take it away, or write it as an escape in double quotes, as in "\\u0007"',
        )
    return _fault(reached, "this cannot be read as YAML")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a parser gave up, and what it was about."""

    text: str
    index: int
    start: int
    """Where the thing began that could not be read; the index itself if that is not known."""
    problem: str

    @property
    def character(self) -> str:
        return self.text[self.index : self.index + 1]

    @property
    def line_start(self) -> int:
        return _line_start(self.text, self.index)

    @property
    def before(self) -> str:
        """The line up to the index."""
        return self.text[self.line_start : self.index]


def _line_start(text: str, index: int) -> int:
    return max(text.rfind("\n", 0, index), text.rfind("\r", 0, index)) + 1


def _explain_marked(error: MarkedYAMLError, text: str) -> Fault:
    index = min(error.problem_mark.index, len(text)) if error.problem_mark else 0
    start = error.context_mark.index if error.context_mark else index
    place = Place(text=text, index=index, start=start, problem=error.problem or "")
    if "nesting depth" in place.problem:  # libyaml's own limit, for brackets that it has not told of yet
        return too_many("levels", index)
    fault = _find_expression(place)
    if fault:
        return fault
    said = f"{error.context or ''}: {place.problem}"
    explain = next((function for pattern, function in WORDING if re.search(pattern, said)), _fallback)
    return explain(place)


def _fault(index: int, message: str, hint: str | None = None, *, rule: str = "yaml-syntax") -> Fault:
    return Fault(index=index, rule=rule, message=message, hint=hint)


def _find_expression(place: Place) -> Fault | None:
    """Find an expression without quotes that the parser stumbled over, in the line where it did."""
    opened = place.text.rfind("{{", place.line_start, place.index + 2)
    if opened < 0 or _is_quoted(place.text[place.line_start : opened]):
        return None
    stumbled = opened >= place.index - 1
    open_still = place.text.find("}}", opened, place.index) < 0
    bare = not place.text.startswith("$", opened - 1) or not opened
    if stumbled or open_still or bare:
        return unquoted_expression(opened, place.text)
    return None


def _is_quoted(before: str) -> bool:
    return before.count('"') % 2 == 1 or before.count("'") % 2 == 1


def _explain_start(place: Place) -> Fault:
    if place.character == "\t":
        return _explain_tab(place)
    return _fault(place.index, f"a value cannot begin with {show(place.character)}", QUOTE)


def _explain_tab(place: Place) -> Fault:
    return _fault(place.index, "a tab cannot stand where YAML counts the indentation", "indent with blanks")


def _explain_alias(place: Place) -> Fault:
    is_alias = place.text.startswith("*", place.start)
    sign, what = ("*", "alias") if is_alias else ("&", "anchor")
    return _fault(place.start, f"a value that begins with {sign} is read as an {what}", QUOTE)


def _explain_open_quote(place: Place) -> Fault:
    return _fault(place.start, "this quote is never closed", f"close it; {INSIDE}")


def _explain_escape(place: Place) -> Fault:
    backslash = place.text.rfind("\\", 0, place.index + 1)
    escape = place.text[backslash : backslash + 2]
    hint = "use single quotes, where a backslash is a backslash, or write it twice"
    return _fault(backslash, f"{show(escape)} is no escape of double quotes", hint)


def _explain_code(place: Place) -> Fault:
    backslash = place.text.rfind("\\", 0, place.index + 1)
    if re.compile(r"\\(?:u|U0000)[dD][89a-fA-F]").match(place.text, backslash):
        return lone_surrogate(backslash)
    return _fault(backslash, "there is no character of this number", "the last one is \\U0010FFFF")


def _explain_digits(place: Place) -> Fault:
    backslash = place.text.rfind("\\", 0, place.index + 1)
    return _fault(backslash, "\\x takes two hexadecimal digits, \\u four and \\U eight", "write them out")


def _explain_colon(place: Place) -> Fault:
    """Explain a `key:` where there cannot be one: inside a value, or in the continuation of one."""
    value = KEYED.match(place.before, 0, LOOKED_AT)
    if value:
        index = place.line_start + value.end()
        return _fault(index, 'a value that holds ": " has to stand in quotes', QUOTE)
    if place.index - place.line_start > 1024:
        return _fault(place.line_start, "a key of more than 1,024 characters is not read")
    above = _line_start(place.text, max(place.line_start - 1, 0))
    unspaced = UNSPACED.match(place.text, above, min(place.line_start, above + LOOKED_AT))
    if unspaced:
        return _miss_blank(unspaced.start(1))
    return _fault(
        place.line_start + len(place.before) - len(place.before.lstrip()),
        "this line continues the value above it, so it cannot hold a key",
        f"{ALIGN}; or the line above is not finished",
    )


def _miss_blank(colon: int) -> Fault:
    return _fault(colon, "a blank is missing after the colon", "write key: value")


def _explain_no_colon(place: Place) -> Fault:
    line = _line_start(place.text, place.start)
    unspaced = UNSPACED.match(place.text, line, line + LOOKED_AT)
    if unspaced:
        return _miss_blank(unspaced.start(1))
    return _fault(place.start, "a key has to be followed by a colon", "write key: value")


def _explain_dash(place: Place) -> Fault:
    hint = "begin it on the next line, or write it as [a, b]; quote a value that begins with -"
    return _fault(place.index, "a list cannot begin in the line of its key", hint)


def _explain_entry(place: Place) -> Fault:
    """Explain text where the next entry of a mapping or list should begin."""
    last = place.before.rstrip()[-1:]
    if last in ('"', "'"):
        if place.before.count(last) == 1:
            index = place.line_start + place.before.index(last)
            return _fault(
                index, "a quote that opened in a line above closes only here", "close it where it opened"
            )
        return _fault(place.index, "this stands behind a closed quote", f"quote the whole value; {INSIDE}")
    if last in ("]", "}"):
        return _fault(place.index, f"this stands behind a closed {last}", QUOTE)
    if place.character == ":":
        return _fault(place.index, "a key is missing before this colon", "write key: value")
    return _fault(place.index, "this does not line up with the lines above", ALIGN)


def _explain_flow(place: Place) -> Fault:
    sign = place.text[place.start : place.start + 1]
    line = len(re.findall(r"\r\n?|\n", place.text[: place.start])) + 1
    return _fault(
        place.index,
        f"the {show(sign)} of line {line} is not closed before this, or a comma is missing",
        'quote a value that holds any of , [ ] { } or ": "',
    )


def _explain_document(place: Place) -> Fault:
    if re.search(r"^\.\.\.", place.text[: place.index], re.MULTILINE):
        return second_document(place.index)
    return _fault(place.index, "the file ends before this: nothing can follow its value", ALIGN)


def _explain_tag(place: Place) -> Fault:
    hint = "quote the value if the ! belongs to it"
    return _fault(
        place.start, "a value that begins with ! is read as a tag, and this is none", hint, rule="yaml-tag"
    )


def _explain_block(place: Place) -> Fault:
    hint = "begin the text on the next line; quote a value that begins with | or >"
    return _fault(place.index, "only - or + or a digit can stand behind | or >", hint)


def _explain_directive(place: Place) -> Fault:
    return _fault(place.start, "a line that begins with % is read as a directive of YAML", QUOTE)


def _explain_nothing(place: Place) -> Fault:
    return _fault(place.index, "a value should stand here", "quote it if it begins with a sign")


def _fallback(place: Place) -> Fault:
    return _fault(place.index, f"this cannot be read as YAML: {place.problem}")


WORDING: tuple[tuple[str, Callable[[Place], Fault]], ...] = (
    ("tab character", _explain_tab),
    ("cannot start any token", _explain_start),
    ("scanning an (?:alias|anchor)", _explain_alias),
    ("quoted scalar: found unexpected", _explain_open_quote),
    ("unknown escape", _explain_escape),
    ("Unicode character escape", _explain_code),
    ("quoted scalar: .*hexa?decimal", _explain_digits),
    ("mapping values are not allowed", _explain_colon),
    ("could not find expected ':'", _explain_no_colon),
    ("sequence entries are not allowed", _explain_dash),
    ("block (?:mapping|collection): ", _explain_entry),
    ("flow (?:mapping|sequence): .*','", _explain_flow),
    ("block scalar: .*(?:comment|indicators)", _explain_block),
    ("directive", _explain_directive),
    ("node content", _explain_nothing),
    ("<?document start>?", _explain_document),
    ("(?:scanning|parsing) a tag|tag handle", _explain_tag),
)
"""What the parsers say (context: problem), and who explains it."""
