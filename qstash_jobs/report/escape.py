"""Foreign text -> the same text made harmless for where it goes: a terminal, JSON, XML, a GitHub annotation, a shell.

Foreign is everything that this program did not write itself: names, paths, bodies, the answers of other machines.
"""

import json
import re

from qstash_jobs.grammar import write_visible

# Unicode 14, categories Cc, Cf, Cs, Zl and Zp, and the letters that fonts draw as nothing; less the format
# characters that can be seen, such as the Arabic number signs
_INVISIBLE = (
    "\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0001\U000e0020-\U000e007f"
)
UNSAFE = re.compile(f"[{_INVISIBLE}]")
"""Characters that move the cursor, change the direction of writing, break a line, or cannot be seen or encoded."""

_NO_XML = re.compile("[\ufffe\uffff]")
"""W3C, XML 1.0, 2.2: what is left of the characters that are none, once the unsafe ones are gone."""

_UNSAFE_IN_SHELL = re.compile(f"(?!\n)[{_INVISIBLE}]+")
_PLAIN_IN_SHELL = re.compile("[A-Za-z0-9_./:@-]+")

# github.com/actions/runner, src/Runner.Common/ActionCommand.cs: `::name::` and `##[name]`, blanks before them or not
_COMMAND = re.compile(r"^(\s*)([:#])(?=:|#\[)")


def escape(text: str) -> str:
    """Write a text on one line, with a visible `\\x1b` or `\\u202e` for each character that could mislead."""
    return UNSAFE.sub(_write_visible, text)


def escape_line(text: str) -> str:
    """Escape a text that stands at the beginning of a line, where a pipeline's runner could take it for a command."""
    shown = escape(text)
    return _COMMAND.sub(_write_command, shown, count=1)


def escape_xml(text: str) -> str:
    """Write a text on one line so that XML can hold it; whoever writes the XML still escapes `<` and `&`."""
    return _NO_XML.sub(_write_visible, escape(text))


def write_json(value: object) -> str:
    """Write JSON on one line; what could mislead a terminal is escaped, as JSON allows, and reads back the same."""
    return UNSAFE.sub(_write_json_escape, json.dumps(value, ensure_ascii=False, allow_nan=False))


def escape_annotation(text: str) -> str:
    """Write the message of a GitHub annotation; a line break in it stays one."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "%0A".join(escape(line).replace("%", "%25") for line in lines)


def escape_annotation_property(text: str) -> str:
    """Write a property of a GitHub annotation, such as its file."""
    # github.com/actions/toolkit, packages/core/src/command.ts: escapeProperty
    return escape(text).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")


def quote_shell(text: str) -> str:
    """Write a word of bash, zsh or ksh that stands for exactly this text, which holds no NUL; line breaks stay."""
    pieces: list[str] = []
    position = 0
    for match in _UNSAFE_IN_SHELL.finditer(text):
        pieces += (_quote_plain(text[position : match.start()]), _quote_bytes(match[0]))
        position = match.end()
    pieces.append(_quote_plain(text[position:]))
    return "".join(pieces) or "''"


def _quote_plain(text: str) -> str:
    if not text or _PLAIN_IN_SHELL.fullmatch(text):
        return text
    return "'" + text.replace("'", "'\\''") + "'"


def _quote_bytes(text: str) -> str:
    digits = "".join(f"\\x{byte:02x}" for byte in text.encode("utf-8", "surrogatepass"))
    return f"$'{digits}'"


def _write_command(match: re.Match[str]) -> str:
    return f"{match[1]}\\x{ord(match[2]):02x}"


def _write_visible(match: re.Match[str]) -> str:
    return write_visible(match[0])


def _write_json_escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{int.from_bytes(units[at : at + 2]):04x}" for at in range(0, len(units), 2))
