"""The bytes of an answer, as they arrive -> a Reply; an answer that is not exactly one complete answer raises.

The rules are RFC 9112's strict ones. Being lenient would mean guessing where an answer ends, and a guess that is
wrong gives the next request this one's answer.
"""

import re
from collections.abc import Callable

from qstash_jobs.wire.http import Headers, Reply

HEAD_BYTES = 64 * 1024
HEADERS = 100
CHUNKS = 16 * 1024

_STATUS = re.compile(r"HTTP/1\.([01]) ([1-9][0-9]{2})(?: .*)?")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_VALUE = re.compile(r"[\r\n\0]")
_LENGTH = re.compile(r"[0-9]{1,15}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?")
_CHUNK_LINE_BYTES = 4096


class BrokenAnswerError(Exception):
    """the answer is not one complete answer"""


class AnswerReader:
    """Reads one answer from a source of bytes.

    `receive` returns the next bytes, b"" at the end of the stream; what it raises is passed on.
    """

    def __init__(self, receive: Callable[[], bytes]) -> None:
        self._receive = receive
        self._buffer = bytearray()
        self._kept_alive = False
        self.status: int | None = None
        """The status, as soon as it is known."""

    @property
    def may_go_on(self) -> bool:
        """Say whether the connection is good for another request, after a complete answer."""
        return self._kept_alive and self.is_read_up

    @property
    def is_read_up(self) -> bool:
        """Say whether nothing has come behind what was read."""
        return not self._buffer

    def read(self, *, method: str, body_bytes: int) -> Reply:
        """Read the answer to a request with this method; BrokenAnswerError where its body is longer than allowed."""
        status, headers = self.read_head()
        if status < 200:
            raise BrokenAnswerError(f"an informational answer ({status}) came where the answer was due")
        if method == "HEAD" or status in (204, 304):
            return Reply(status=status, headers=headers)
        return Reply(status=status, headers=headers, body=self._read_body(headers, body_bytes))

    def read_head(self) -> tuple[int, Headers]:
        """Read status line and headers, and no further."""
        head = self._until(b"\r\n\r\n", HEAD_BYTES, "head").decode("latin-1")
        status_line, *lines = head.split("\r\n")
        if not (parts := _STATUS.fullmatch(status_line)):
            raise BrokenAnswerError("what came is not an HTTP answer")
        self.status = int(parts[2])
        if len(lines) > HEADERS:
            raise BrokenAnswerError(f"the answer has more than {HEADERS} headers")
        headers = tuple(_read_header(line) for line in lines)
        self._kept_alive = _is_kept_alive(parts[1], headers)
        return self.status, headers

    def _read_body(self, headers: Headers, most: int) -> bytes:
        lengths = {value for name, value in headers if name.lower() == "content-length"}
        codings = [value.lower() for name, value in headers if name.lower() == "transfer-encoding"]
        if codings:
            # RFC 9112 6.1: length and coding together are the mark of a smuggled answer
            if codings != ["chunked"] or lengths:
                raise BrokenAnswerError("the answer does not say clearly where it ends")
            return self._read_chunks(most)
        if not lengths:
            self._kept_alive = False
            return self._read_rest(most)
        length = lengths.pop()
        if lengths or not _LENGTH.fullmatch(length):
            raise BrokenAnswerError("the answer does not say clearly where it ends")
        if int(length) > most:
            raise _too_long(most)
        return self._take(int(length))

    def _read_chunks(self, most: int) -> bytes:
        body = bytearray()
        chunks = 0
        while size := self._read_chunk_size():
            chunks += 1
            if len(body) + size > most:
                raise _too_long(most)
            if chunks > CHUNKS:
                raise BrokenAnswerError(f"the answer comes in more than {CHUNKS:,} chunks")
            body += self._take(size)
            if self._take(2) != b"\r\n":
                raise BrokenAnswerError("the answer's chunks do not fit their sizes")
        trailers = 0
        while trailer := self._until(b"\r\n", HEAD_BYTES, "trailer"):
            trailers += len(trailer)
            if trailers > HEAD_BYTES:
                raise BrokenAnswerError("the answer's trailers do not end")
        return bytes(body)

    def _read_chunk_size(self) -> int:
        size = _CHUNK_SIZE.fullmatch(self._until(b"\r\n", _CHUNK_LINE_BYTES, "chunk size"))
        if size is None:
            raise BrokenAnswerError("the answer's chunks cannot be read")
        return int(size[1], 16)

    def _read_rest(self, most: int) -> bytes:
        while data := self._receive():
            self._buffer += data
            if len(self._buffer) > most:
                raise _too_long(most)
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def _until(self, mark: bytes, most: int, part: str) -> bytes:
        """Take what stands before a mark, and the mark with it."""
        searched = 0
        while (end := self._buffer.find(mark, searched)) < 0:
            searched = max(0, len(self._buffer) - len(mark) + 1)
            if len(self._buffer) > most:
                raise BrokenAnswerError(f"the answer's {part} does not end")
            self._fill(f"within its {part}")
        if end > most:
            raise BrokenAnswerError(f"the answer's {part} is too long")
        return self._cut(end, len(mark))

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._fill(f"after {len(self._buffer)} of {size} bytes")
        return self._cut(size, 0)

    def _cut(self, size: int, mark: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[: size + mark]
        return taken

    def _fill(self, where: str) -> None:
        data = self._receive()
        if not data:
            at_all = self.status is not None or self._buffer
            raise BrokenAnswerError(
                f"the answer ended {where}" if at_all else "the connection ended without an answer"
            )
        self._buffer += data


def _read_header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not _NAME.fullmatch(name) or _NO_VALUE.search(value):
        raise BrokenAnswerError("the answer's headers cannot be read")
    return name, value.strip(" \t")


def _is_kept_alive(minor: str, headers: Headers) -> bool:
    """Say whether the server will keep the connection; HTTP/1.0 is never taken at its word."""
    words = {
        word.strip().lower()
        for name, value in headers
        if name.lower() == "connection"
        for word in value.split(",")
    }
    return minor == "1" and "close" not in words


def _too_long(most: int) -> BrokenAnswerError:
    return BrokenAnswerError(f"the answer is longer than {most:,} bytes")
