"""Text -> Markdown as GitHub and GitLab show it: code, prose, tables, fences.

Foreign text cannot leave its place: no table cell is ended, no markup, link, mention or issue reference is made of it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from qstash_jobs.report.escape import escape
from qstash_jobs.report.layout import cut

CELL_WIDTH = 300
"""How much of one value is shown."""

_PLAIN_CODE = re.compile(r"(?! )[^`|\\]+(?<! )")
_PUNCTUATION = re.compile(r"[^\w\s]|_")
_MARKUP = re.compile(r"[\\`*_\[\]<>&|~$@#]|(?<=:)/(?=/)|(?<=www)\.")


def write_code(text: str) -> str:
    """Write foreign text as code, in one piece on one line; nothing for nothing."""
    shown = cut(escape(text), CELL_WIDTH)
    if not shown:
        return ""
    if _PLAIN_CODE.fullmatch(shown):
        return f"`{shown}`"
    # GFM 0.29, 4.10 and 6.3: a backslash or a pipe in a code span may end it, or its cell; an entity cannot
    return f"<code>{_PUNCTUATION.sub(_write_entity, shown)}</code>"


def write_fold(title: str, name: str, lines: Sequence[str]) -> Iterator[str]:
    """Write lines as a block of code that is shown when its title is clicked, with a blank line after it."""
    # GFM 0.29, 4.6: what stands on a line that begins with HTML is no Markdown
    shown = _PUNCTUATION.sub(_write_entity, cut(escape(name), CELL_WIDTH))
    yield f"<details><summary>{title} <code>{shown}</code></summary>"
    yield ""
    yield from write_fence(lines)
    yield "</details>"
    yield ""


def write_prose(text: str) -> str:
    """Write a sentence that may hold foreign text; what it has between backticks becomes code."""
    pieces = escape(text).split("`")
    if len(pieces) % 2 == 0:
        return _write_plain(escape(text))
    return "".join(write_code(piece) if at % 2 else _write_plain(piece) for at, piece in enumerate(pieces))


def write_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Write a table of cells that are Markdown already, with a blank line after it."""
    yield _write_row(header)
    yield _write_row(["---"] * len(header))
    for row in rows:
        yield _write_row(row)
    yield ""


def write_fence(lines: Sequence[str]) -> Iterator[str]:
    """Write lines as they are, a block of code, with a blank line after it."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield fence
    yield from lines
    yield fence
    yield ""


def _write_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _write_plain(text: str) -> str:
    return _MARKUP.sub(_write_harmless, text)


def _write_harmless(match: re.Match[str]) -> str:
    # GitHub looks for mentions and issues in the page that Markdown has become, so an entity would not stop it
    return f"<code>{match[0]}</code>" if match[0] in "@#" else _write_entity(match)


def _write_entity(match: re.Match[str]) -> str:
    return f"&#{ord(match[0])};"
