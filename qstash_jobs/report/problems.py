"""Problems -> text with the source line and a caret, JSON, GitHub annotations; and what sums them up."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from qstash_jobs.plan.changes import Kind
from qstash_jobs.problem import Location, Problem, Severity
from qstash_jobs.report.escape import (
    UNSAFE,
    escape,
    escape_annotation,
    escape_annotation_property,
    write_json,
)
from qstash_jobs.report.layout import CUT, Style, cell_width, paint
from qstash_jobs.report.markdown import write_code, write_prose, write_table
from qstash_jobs.report.wording import count, join

INDENT = "    "
TAB_STOP = 4
EXCERPT_WIDTH = 120
"""How much of a source line is shown where no terminal says how wide it is; a line may be megabytes long."""

TABLE_LENGTH = 100
"""Problems that a table shows: a comment of GitHub's is not endless."""

_STYLES: dict[Severity, Style] = {Severity.ERROR: "bad", Severity.WARNING: "warn"}


def write_problems(
    problems: Iterable[Problem], *, width: int | None = None, colour: bool = False
) -> Iterator[str]:
    """Write each problem: its place and what is wrong on one line, then the source line, a caret, and the way out."""
    for problem in problems:
        place = paint(f"{show_place(problem.location)}:", "bold", colour=colour)
        severity = paint(problem.severity.value, _STYLES[problem.severity], colour=colour)
        yield f"{place} {severity}: {escape(problem.message)} [{problem.rule}]"
        yield from _write_excerpt(problem.location, width, colour=colour)
        if problem.hint is not None:
            yield f"  {paint('hint', 'bold', colour=colour)}: {escape(problem.hint)}"


def summarise_problems(problems: Sequence[Problem], *, files: int) -> str:
    """Say how many problems there are, in how many of the files: `2 errors and 1 warning in 1 of 3 files`."""
    if not problems:
        return f"no problems in {count(files, 'file')}"
    counts = ((severity, sum(p.severity is severity for p in problems)) for severity in Severity)
    parts = [count(number, severity.value) for severity, number in counts if number]
    affected = len({problem.location.file for problem in problems})
    # a file that was read as data, or not at all, is not among the job files
    where = f"{affected:,} of {count(files, 'file')}" if affected < files else count(affected, "file")
    return f"{join(parts)} in {where}"


def write_problems_json(
    problems: Iterable[Problem],
    *,
    files: int,
    jobs: int,
    messages: int,
    declared: Mapping[Kind, int],
    missing_secrets: Iterable[str],
) -> str:
    """Write all of `validate` as one JSON document on one line; lines and columns from 1, 0 for a whole file."""
    facts = [
        {
            "file": problem.location.file,
            "line": problem.location.line,
            "column": problem.location.column,
            "severity": problem.severity.value,
            "rule": problem.rule,
            "message": problem.message,
            "hint": problem.hint,
            "path": list(problem.path),
        }
        for problem in problems
    ]
    return write_json(
        {
            "files": files,
            "jobs": jobs,
            "messages": messages,
            "declared": dict(declared),
            "missing_secrets": list(missing_secrets),
            "problems": facts,
        }
    )


def write_problems_github(problems: Iterable[Problem]) -> Iterator[str]:
    """Write each problem as a workflow command, which GitHub shows beside the line of the file."""
    # docs.github.com, workflow commands: ::error file={name},line={line},col={column},title={title}::{message}
    for problem in problems:
        location = problem.location
        properties = [f"file={escape_annotation_property(location.file)}"]
        if location.line:
            properties += [f"line={location.line}", f"col={max(location.column, 1)}"]
        properties.append(f"title={escape_annotation_property(problem.rule)}")
        text = problem.message if problem.hint is None else f"{problem.message}\n{problem.hint}"
        yield f"::{problem.severity.value} {','.join(properties)}::{escape_annotation(text)}"


def write_problems_markdown(problems: Sequence[Problem]) -> Iterator[str]:
    """Write a table of problems, with a blank line after it; nothing where there are none."""
    if not problems:
        return
    yield from write_table(("", "where", "what"), map(_write_row, problems[:TABLE_LENGTH]))
    if len(problems) > TABLE_LENGTH:
        yield f"and {count(len(problems) - TABLE_LENGTH, 'more problem')}"
        yield ""


def _write_row(problem: Problem) -> tuple[str, str, str]:
    hint = "" if problem.hint is None else f"<br>hint: {write_prose(problem.hint)}"
    what = f"{write_prose(problem.message)} {write_code(problem.rule)}{hint}"
    location = problem.location
    place = f"{location.file}:{location.line}:{location.column}" if location.line else location.file
    return problem.severity.value, write_code(place), what


def show_place(location: Location) -> str:
    """Write a place as editors and terminals recognise it; a file alone where the problem is the file itself."""
    name = escape(location.file)
    return f"{name}:{location.line}:{location.column}" if location.line else name


def _write_excerpt(location: Location, width: int | None, *, colour: bool) -> Iterator[str]:
    if not location.line or not location.source.strip():
        return
    room = EXCERPT_WIDTH if width is None else max(width - len(INDENT), 20)
    text, before = cut_around(location.source, location.column, room)
    yield INDENT + text
    yield INDENT + " " * before + paint("^", "good", colour=colour)


def cut_around(source: str, column: int, width: int) -> tuple[str, int]:
    """Show the part of a line that surrounds a column, and count the cells that stand before it there.

    The column counts characters from 1. What cannot be shown is escaped, a tab is blanks, and `…` stands for what
    is left out.
    """
    at = min(max(column, 1) - 1, len(source))
    first, last = max(0, at - 2 * width), min(len(source), at + 2 * width)
    pieces = _show_pieces(source[first:last])
    widths = [cell_width(piece) for piece in pieces]
    at -= first
    if first == 0 and last == len(source) and sum(widths) < width:
        return "".join(pieces), sum(widths[:at])
    room = width - 2 * len(CUT)
    begin, before = _take_before(widths, at, max(room // 2, room - sum(widths[at:])))
    end = _take_after(widths, at, room - before)
    left = CUT if begin or first else ""
    right = CUT if end < len(pieces) or last < len(source) else ""
    return left + "".join(pieces[begin:end]) + right, len(left) + before


def _take_before(widths: Sequence[int], at: int, room: int) -> tuple[int, int]:
    used = 0
    while at and used + widths[at - 1] <= room:
        at -= 1
        used += widths[at]
    return at, used


def _take_after(widths: Sequence[int], at: int, room: int) -> int:
    while at < len(widths) and widths[at] <= room:
        room -= widths[at]
        at += 1
    return at


def _show_pieces(text: str) -> list[str]:
    pieces: list[str] = []
    used = 0
    for character in text:
        if character == "\t":
            piece = " " * (TAB_STOP - used % TAB_STOP)
        else:
            piece = escape(character) if UNSAFE.match(character) else character
        used += cell_width(piece)
        pieces.append(piece)
    return pieces
