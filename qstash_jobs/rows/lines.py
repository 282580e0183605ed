"""Blocks of bytes -> decoded lines with their ends, those of one block in memory at a time."""

import codecs
import io
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from qstash_jobs.rows.row import LONGEST_LINE, RowError

# Python's standard encodings that stand for no character set, or let half surrogate pairs through
NOT_FOR_FILES: Final = {"idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape", "utf_7"}


def decode_lines(chunks: Iterable[bytes], *, file: str, encoding: str) -> Iterator[str]:
    r"""Decode lines as they come; `\n`, `\r\n` and `\r` end one, and stay on it.

    Raises RowError at the line of the first byte that is not in the encoding, or of the first NUL character, after
    the lines before it.
    """
    return chain.from_iterable(decode_blocks(chunks, file=file, encoding=encoding))


def decode_blocks(chunks: Iterable[bytes], *, file: str, encoding: str) -> Iterator[list[str]]:
    """Give the lines that each block ends; what it only begins stands with the lines of a later one."""
    decoder = _open_decoder(encoding, file)
    count = 0
    begun: list[str] = []
    for text, broken in _decode(chunks, decoder, file):
        lines, begun = _split(begun, text)
        if "\0" in text or sum(map(len, begun)) + len(text) > LONGEST_LINE:
            yield from _refuse_line(lines, begun, file, count)
        yield lines
        count += len(lines)
        if broken:
            raise _not_in(encoding, broken, file, count + 1)
    if begun:
        yield ["".join(begun)]


def _split(begun: list[str], text: str) -> tuple[list[str], list[str]]:
    """Split a text whose first line has begun before; return its lines, and the pieces of one without an end."""
    lines = io.StringIO(text, newline="").readlines()
    if not lines:
        return [], begun
    pieces = [*begun, lines[0]]
    if len(lines) == 1 and not _is_ended(lines[0]):
        return [], pieces
    lines[0] = "".join(pieces)
    return (lines, []) if _is_ended(lines[-1]) else (lines[:-1], lines[-1:])


def _is_ended(line: str) -> bool:
    return line[-1] in "\r\n"


def _refuse_line(lines: list[str], begun: list[str], file: str, before: int) -> Iterator[list[str]]:
    """Find the line that cannot be read, if there is one, and give those before it first."""
    for index, line in enumerate([*lines, "".join(begun)]):
        if "\0" in line or len(line) > LONGEST_LINE:
            yield lines[:index]
            raise _no_text(line, file, before + index + 1)


def _no_text(line: str, file: str, number: int) -> RowError:
    if len(line) > LONGEST_LINE:
        return RowError(f"a line of more than {LONGEST_LINE:,} characters", file=file, line=number)
    hint = "it may be UTF-16: name it in for_each, as in `encoding: utf-16`"
    return RowError("this line holds a NUL character", file=file, line=number, hint=hint)


def _open_decoder(encoding: str, file: str) -> io.IncrementalNewlineDecoder:
    try:
        b"-".decode(encoding, "replace")
        name = codecs.lookup(encoding).name.replace("-", "_")
    except (LookupError, UnicodeError, ValueError):
        name = ""
    if not name or name in NOT_FOR_FILES:
        hint = "name one like utf-8, utf-16, latin-1 or cp1252"
        raise RowError("the encoding of this file is not known", file=file, line=0, hint=hint)
    decoder = codecs.getincrementaldecoder("utf-8-sig" if name == "utf_8" else name)()
    # Without it, a block that ends between \r and \n would end the line twice.
    return io.IncrementalNewlineDecoder(decoder, translate=False)


def _decode(
    chunks: Iterable[bytes], decoder: io.IncrementalNewlineDecoder, file: str
) -> Iterator[tuple[str, UnicodeDecodeError | None]]:
    """Decode each block, and last the rest; of a broken one what stands before the fault, with the error."""
    for chunk, final in _mark_last(chunks):
        try:
            yield decoder.decode(chunk, final=final), None
        except UnicodeDecodeError as error:
            yield error.object[: error.start].decode(error.encoding, "replace"), error
            return
        except UnicodeError as error:  # utf-16 and utf-32 without the mark that says which end comes first
            raise RowError(
                "the file has no byte order mark", file=file, line=1, hint="name utf-16-le or utf-16-be"
            ) from error


def _mark_last(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    for chunk in chunks:
        yield chunk, False
    yield b"", True


def _not_in(encoding: str, error: UnicodeDecodeError, file: str, line: int) -> RowError:
    byte = error.object[error.start]
    hint = "save the file as UTF-8, or name its encoding in for_each, as in `encoding: cp1252`"
    return RowError(f"byte 0x{byte:02X} is not {encoding}", file=file, line=line, hint=hint)
