"""A body's bytes -> a few lines of it that fit, laid out where it is JSON; every digit and name stays as it was."""

import json
import re
from collections.abc import Iterator
from itertools import islice

from qstash_jobs.report.escape import escape, escape_line
from qstash_jobs.report.layout import CUT, cell_width, cut
from qstash_jobs.report.wording import count

PREVIEW_LINES = 20
PREVIEW_BYTES = 16 * 1024
"""What comes after these is not even looked at."""

_PART = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+')


def preview_body(body: bytes, *, width: int | None) -> Iterator[str]:
    """Show the beginning of a body on some lines; JSON that does not fit on one is laid out."""
    text = _decode(body)
    if text is None:
        return
    lines = _split(text, 100 if width is None else width)
    for line in islice(lines, PREVIEW_LINES):
        yield cut(line, width)
    if next(lines, None) is not None or len(body) > PREVIEW_BYTES:
        yield CUT


def preview_body_line(body: bytes, *, width: int | None) -> str:
    """Show the beginning of a body on one line."""
    text = _decode(body)
    if text is None:
        return f"({count(len(body), 'byte')} that are not text)"
    shown = cut(escape(text), width)
    return shown + CUT if len(body) > PREVIEW_BYTES and not shown.endswith(CUT) else shown


def _decode(body: bytes) -> str | None:
    """Read the beginning of a body as text; None where it is something else."""
    try:
        # a character that the limit cuts in two is left out
        return body.decode() if len(body) <= PREVIEW_BYTES else _decode_beginning(body[:PREVIEW_BYTES])
    except UnicodeDecodeError:
        return None


def _decode_beginning(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        if error.start < len(body) - 3:
            raise
        return body[: error.start].decode()


def _split(text: str, room: int) -> Iterator[str]:
    shown = escape(text)
    if "\n" not in text and cell_width(shown) <= room:
        yield escape_line(text)
    elif _is_json(text):
        yield from map(escape, _indent(text))
    else:
        yield from map(escape_line, text.removesuffix("\n").split("\n"))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _indent(text: str) -> Iterator[str]:
    """Lay valid JSON out by its parts alone, so that no number is read and written again."""
    line, depth = "", 0
    opened = ended = False
    for match in _PART.finditer(text):
        part = match[0]
        closes = part in "]}"
        depth -= closes
        if (closes and not opened) or (not closes and (opened or ended)):
            yield line
            line = "  " * depth
        line += ": " if part == ":" else part
        opened, ended = part in "[{", part == ","
        depth += opened
    yield line
