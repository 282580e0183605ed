"""The bytes of a file -> a Document, whatever they are."""

import codecs
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from yaml import YAMLError

from qstash_jobs.document.build import Builder
from qstash_jobs.document.document import Document, Marks
from qstash_jobs.document.fault import Fault, StopReading
from qstash_jobs.document.limits import MOST_BYTES, MOST_PROBLEMS
from qstash_jobs.document.lines import OLD_BREAK, Lines
from qstash_jobs.document.parser import open_parser
from qstash_jobs.document.wording import old_break
from qstash_jobs.problem import Location, Problem, sort_problems

MARK = "\ufeff"


def read_document(content: bytes, *, file: str) -> Document:
    """Read a file's bytes; whatever is wrong with them is in the document's problems.

    A document whose reading had to stop has no data; one with lesser faults has all that could be read.
    """
    if len(content) > MOST_BYTES:
        return _refuse(_too_large(file))
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        marked = content.decode("utf-8")
    except UnicodeDecodeError as error:
        return _refuse(_not_utf8(error, file))
    # libyaml skips another byte order mark and does not count it: it gets none, so that its indices are the text's.
    text = marked.lstrip(MARK)
    content = content[len(codecs.BOM_UTF8) * (len(marked) - len(text)) :]
    lines = Lines(text, file)
    with _collector_paused():
        data, marks, faults = _read(content, text, lines)
    faults += _find_old_breaks(text)
    problems = tuple(sort_problems([_place(fault, lines) for fault in faults]))
    return Document(file=file, text=text, data=data, problems=problems, marks=marks, lines=lines)


def _read(content: bytes, text: str, lines: Lines) -> tuple[Any, Marks, list[Fault]]:
    builder = Builder(lines)
    try:
        return builder.read(open_parser(content, text)), builder.marks, builder.faults
    except StopReading as stop:
        last = stop.fault
    # Not all errors of PyYAML are its own: `chr` and `int` fail on what the parser in Python hands them.
    except (YAMLError, ValueError, LookupError, ArithmeticError) as error:
        from qstash_jobs.document.syntax import explain_error

        last = explain_error(error, text, builder.reached)
    return None, Marks(), [*builder.faults, last]


def _find_old_breaks(text: str) -> list[Fault]:
    """Find the characters at which the parsers change a value, because they take them for ends of lines."""
    found = islice(OLD_BREAK.finditer(text), MOST_PROBLEMS) if not text.isascii() else ()
    return [old_break(match.start(), match[0]) for match in found]


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Pause the cycle collector: it looks at every object read so far, again and again, and none is garbage."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _place(fault: Fault, lines: Lines) -> Problem:
    return Problem(
        location=lines.locate(fault.index), rule=fault.rule, message=fault.message, hint=fault.hint
    )


def _refuse(problem: Problem) -> Document:
    lines = Lines("", problem.location.file)
    return Document(
        file=problem.location.file, text="", data=None, problems=(problem,), marks=Marks(), lines=lines
    )


def _too_large(file: str) -> Problem:
    return Problem(
        location=Location(file=file, line=0, column=1),
        rule="yaml-size",
        message=f"the file is larger than {MOST_BYTES // 1024**2} MiB",
        hint="put many messages into a data file and name it in for_each",
    )


def _not_utf8(error: UnicodeDecodeError, file: str) -> Problem:
    """Locate the first byte that is not UTF-8, in the line as far as it can be read."""
    content, start = error.object, error.start
    begin = max(content.rfind(b"\n", 0, start), content.rfind(b"\r", 0, start)) + 1
    head = Lines(content[:start].decode("utf-8"), file).locate(start)
    shown = Lines(content[begin : begin + 4000].decode("utf-8", "replace"), file).locate(head.column - 1)
    return Problem(
        location=Location(file=file, line=head.line, column=head.column, source=shown.source),
        rule="yaml-encoding",
        message=f"byte 0x{content[start]:02X} is not UTF-8",
        hint=_advise_encoding(content),
    )


def _advise_encoding(content: bytes) -> str:
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return f"save the file as UTF-8{': it looks like UTF-16' if utf16 else ''}"
