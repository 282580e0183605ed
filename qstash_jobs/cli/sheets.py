"""Sheets -> the lines of the document that was asked for."""

from collections.abc import Iterator, Sequence

from qstash_jobs import __version__
from qstash_jobs.report.page import ROWS, write_page
from qstash_jobs.report.sheet import MARKDOWN_ROWS, Sheet, write_markdown


def write_sheets(sheets: Sequence[Sheet], format_: str) -> Iterator[str]:
    """Write `html`, or else Markdown."""
    if format_ == "html":
        return write_page(sheets, most=ROWS, version=__version__)
    return write_markdown(sheets, most=MARKDOWN_ROWS)
