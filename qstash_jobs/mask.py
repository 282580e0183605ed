"""Text that may hold secrets -> the same text with `***` in their place, however they were encoded on the way.

A letter or digit of a secret stands for itself in every encoding that is looked for; any other character may stand
as it is, percent-encoded, escaped as in JSON, Python, a shell or Markdown, or as an HTML entity. Base64 is another
text altogether, one for each of the three places at which a secret can begin in it.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import AnyStr
from urllib.parse import quote

MASKED = "***"
MIN_LENGTH = 4
"""A shorter value would be found everywhere."""


class Mask:
    """Hides the values of secrets."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        parts = sorted(_split(secrets.values()), key=lambda part: (-len(part), part))
        cores = sorted({core for part in parts for core in _encode_base64(part)}, key=lambda c: (-len(c), c))
        self._patterns = [*map(_write_pattern, parts), *map(_write_core_pattern, cores)]
        self._traces = tuple({_find_trace(text) for text in (*parts, *cores)})
        self._returns = any("*" in part for part in parts)

    def hide(self, text: str) -> str:
        """Replace every secret; hiding again changes nothing."""
        if not any(trace in text for trace in self._traces):
            return text
        return self._hide(text, self._regex, MASKED)

    def hide_bytes(self, data: bytes) -> bytes:
        """Replace every secret in UTF-8; other bytes stay as they are."""
        # never as text, which may take four times the room
        if not any(trace.encode() in data for trace in self._traces):
            return data
        return self._hide(data, self._bytes_regex, MASKED.encode())

    def _hide(self, text: AnyStr, regex: re.Pattern[AnyStr], masked: AnyStr) -> AnyStr:
        hidden = _replace(text, regex, masked)
        while self._returns and hidden != text:
            # a secret with a `*` in it can come about where three of them took another's place
            text, hidden = hidden, _replace(hidden, regex, masked)
        return hidden

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        return re.compile("|".join(self._patterns))

    @cached_property
    def _bytes_regex(self) -> re.Pattern[bytes]:
        return re.compile(b"|".join(map(_to_bytes, self._patterns)))


def _replace(text: AnyStr, regex: re.Pattern[AnyStr], masked: AnyStr) -> AnyStr:
    pieces: list[AnyStr] = []
    position = 0
    for start, end in _find(text, regex):
        pieces += (text[position:start], masked)
        position = end
    pieces.append(text[position:])
    return text[:0].join(pieces)


def _find(text: AnyStr, regex: re.Pattern[AnyStr]) -> Iterator[tuple[int, int]]:
    """Yield where secrets stand; those that overlap as one."""
    match = regex.search(text)
    while match:
        start, end = match.span()
        match = regex.search(text, start + 1)
        while match and match.start() < end:
            end = max(end, match.end())
            match = regex.search(text, match.start() + 1)
        yield start, end


def _to_bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _split(values: Iterable[str]) -> set[str]:
    """Give every value whole, without the blanks around it, and line by line."""
    parts = {part for value in values for part in (value, value.strip(), *map(str.strip, value.splitlines()))}
    return {part for part in parts if len(part) >= MIN_LENGTH}


def _find_trace(text: str) -> str:
    """Find the longest part that every encoding leaves alone: where it is missing, no pattern need be tried."""
    return max(re.findall("[A-Za-z0-9]+", text), key=len, default="")


def _write_pattern(text: str) -> str:
    return "".join(_write_run(run[0]) for run in re.finditer(r"(.)\1*", text, re.DOTALL))


def _write_run(run: str) -> str:
    """Write a pattern for a character that stands several times in a row."""
    character, length = run[0], len(run)
    if _is_plain(character):
        return run
    most = length * _GROWTH.get(character, 1)
    times = f"{{{length},{most}}}" if most > 1 else ""
    return f"(?:{'|'.join(_write_character(character))}){times}"


def _is_plain(character: str) -> bool:
    return character.isascii() and character.isalnum()


_GROWTH = {"\\": 4, '"': 2, "'": 3}
"""How many of it may stand for one: a backslash escaped twice, a quote doubled as in CSV, or as in a shell."""


def _write_character(character: str) -> Iterator[str]:
    """Yield the patterns of a character's encodings, the longest first: what is left of one would tell."""
    data = _to_bytes(character)
    point = ord(character)
    yield "".join("%(?:25){0,2}" + _write_hex(byte, 2) for byte in data)
    yield "".join(_ESCAPES + "x" + _write_hex(byte, 2) for byte in data)
    yield from (_ESCAPES + letter + _write_hex(point, width) for letter, width in (("x", 2), ("U", 8)))
    units = character.encode("utf-16-be", "surrogatepass")
    pairs = (units[index : index + 2] for index in range(0, len(units), 2))
    yield "".join(_ESCAPES + "u" + _write_hex(int.from_bytes(pair, "big"), 4) for pair in pairs)
    yield rf"&#0{{0,6}}{point};"
    yield "&#[xX]0{0,6}" + _write_hex(point, 1) + ";"
    yield from _SHORT.get(character, ())
    optional = _ESCAPES.replace("1", "0") if character.isascii() and character.isprintable() else ""
    yield re.escape(character) if character == "\\" else optional + re.escape(character)


_ESCAPES = r"\\{1,4}"
"""One backslash; twice escaped, it is four."""

_SHORT: Mapping[str, tuple[str, ...]] = {
    "\n": (_ESCAPES + "n", "\r\n"),
    "\r": (_ESCAPES + "r",),
    "\t": (_ESCAPES + "t",),
    "\b": (_ESCAPES + "b",),
    "\f": (_ESCAPES + "f",),
    " ": (r"\+",),
    "&": ("&amp;",),
    "<": ("&lt;",),
    ">": ("&gt;",),
    '"': ("&quot;",),
    # shlex.quote writes a single quote like this
    "'": ("&apos;", "'\"'\"'"),
}


def _write_hex(number: int, width: int) -> str:
    return "".join(f"[{digit}{digit.upper()}]" if digit > "9" else digit for digit in f"{number:0{width}x}")


def _encode_base64(text: str) -> Iterator[str]:
    """Yield the part of the base64 text that depends on nothing around the secret, wherever in it that begins."""
    for data in {_to_bytes(form) for form in _write_forms(text)}:
        for before in range(3):
            encoded = b64encode(bytes(before) + data).decode().rstrip("=")
            first, last = -(-before * 8 // 6), (before + len(data)) * 8 // 6
            yield encoded[first:last]
            # at the end of the data the last character depends on nothing else either
            yield encoded[first:]


def _write_forms(text: str) -> Iterator[str]:
    """Yield a text as it stands in a JSON or form body, which is what gets encoded as a whole."""
    yield text
    yield from (json.dumps(text, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False))
    quoted = quote(text, safe="", errors="surrogatepass")
    yield from (quoted, quoted.replace("%20", "+"))


def _write_core_pattern(core: str) -> str:
    return "".join(character if _is_plain(character) else _CORE[character] for character in core)


# RFC 4648, 5: the url-safe alphabet has - and _ in these places
_CORE = {plain: f"(?:{'|'.join(_write_character(plain))}|{safe})" for plain, safe in (("+", "-"), ("/", "_"))}
