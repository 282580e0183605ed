"""Sheets -> one HTML page that needs nothing else: no script, no font, no picture, and nothing is fetched.

Its Content-Security-Policy allows the page's own style, by its hash, and nothing besides.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from html import escape as escape_html

from qstash_jobs.report.escape import escape
from qstash_jobs.report.sheet import Row, Sheet, take_rows
from qstash_jobs.report.wording import count

ROWS = 5_000
"""More than this nobody reads on a page, and browsers get slow."""

STYLE = """
:root { color-scheme: light dark; --dim: light-dark(#59636e, #9aa4af); --line: light-dark(#d8dee4, #3a424b);
  --good: light-dark(#116329, #57c26b); --warn: light-dark(#7a4b00, #e0a63b); --bad: light-dark(#a40e26, #ff8182) }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem }
h1 { font-size: 1.4rem; overflow-wrap: anywhere }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.5rem; margin: 0 0 1.5rem }
dt, th, footer { color: var(--dim) }
dd { margin: 0; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% }
th, td { border-bottom: 1px solid var(--line); overflow-wrap: anywhere; padding: .35rem 1rem .35rem 0; text-align: left;
  vertical-align: top }
th { font-weight: 600 }
td:first-child { white-space: nowrap }
.good { color: var(--good) }
.warn { color: var(--warn) }
.bad { color: var(--bad) }
.dim { color: var(--dim) }
footer { font-size: .875rem; margin-top: 2rem }
@media (max-width: 48rem) {
  dl { grid-template-columns: 1fr; gap: 0 }
  dd { margin-bottom: .5rem }
  thead { display: none }
  tr { border-bottom: 1px solid var(--line); display: block; padding: .6rem 0 }
  td { border: 0; display: block; padding: 0 }
  td:empty { display: none }
  td::before { color: var(--dim); content: attr(data-label) " " }
}
"""


def write_page(sheets: Sequence[Sheet], *, most: int, version: str) -> Iterator[str]:
    """Write one page; of the rows of each sheet no more than `most`."""
    digest = b64encode(sha256(STYLE.encode()).digest()).decode()
    yield "<!doctype html>"
    yield '<html lang="en">'
    yield "<head>"
    yield '<meta charset="utf-8">'
    yield (
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        f"style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'\">"
    )
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="referrer" content="no-referrer">'
    yield f"<title>{_write(sheets[0].title if sheets else 'nothing')}, qstash-jobs</title>"
    yield f"<style>{STYLE}</style>"
    yield "</head>"
    yield "<body>"
    for sheet in sheets:
        yield from _write_sheet(sheet, most)
    yield f"<footer>qstash-jobs {_write(version)}</footer>"
    yield "</body>"
    yield "</html>"


def _write_sheet(sheet: Sheet, most: int) -> Iterator[str]:
    yield "<section>"
    yield f"<h1>{_write(sheet.title)}</h1>"
    if sheet.facts:
        yield "<dl>"
        for label, value in sheet.facts:
            style = sheet.styles.get(value, "plain") if label == "state" else "plain"
            yield f"<dt>{_write(label)}</dt><dd{_write_class(style)}>{_write(value)}</dd>"
        yield "</dl>"
    rows, left_out = take_rows(sheet, most)
    if rows:
        yield from _write_table(sheet, rows)
    elif sheet.columns:
        yield f"<p>no {_write(sheet.noun)}s</p>"
    if left_out:
        yield f"<p>and {_write(count(left_out, f'more {sheet.noun}'))}</p>"
    yield "</section>"


def _write_table(sheet: Sheet, rows: Iterable[Row]) -> Iterator[str]:
    yield "<table>"
    names = "".join(f'<th scope="col">{_write(name)}</th>' for name in sheet.columns)
    yield f"<thead><tr>{names}</tr></thead>"
    yield "<tbody>"
    for first, *rest in rows:
        style = _write_class(sheet.styles.get(first, "plain"))
        cells = [f'<td data-label="{_write(sheet.columns[0])}"{style}>{_write(first)}</td>']
        cells += [
            f'<td data-label="{_write(name)}">{_write(text)}</td>'
            for name, text in zip(sheet.columns[1:], rest, strict=True)
        ]
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody>"
    yield "</table>"


def _write_class(style: str) -> str:
    return "" if style == "plain" else f' class="{style}"'


def _write(text: str) -> str:
    return escape_html(escape(text))
