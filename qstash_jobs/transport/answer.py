"""The bytes of an answer, as they arrive -> a Reply; an answer that is not exactly one complete answer raises.

The rules are RFC 9112's strict ones. Being lenient would mean guessing where an answer ends, and a guess that is
wrong gives the next request this one's answer.
"""

import re
from collections.abc import Generator

from qstash_jobs.transport.arrived import Arrived, BrokenAnswerError
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


class AnswerReader:
    """Reads the answer to a request with this method; one whose body is longer than allowed is broken.

    The head alone is read where `body_bytes` is None.
    """

    def __init__(self, *, method: str, body_bytes: int | None) -> None:
        self._arrived = Arrived()
        self._kept_alive = False
        self._reading = self._read(method, body_bytes)
        self.status: int | None = None
        """The status, as soon as it is known."""

    @property
    def may_go_on(self) -> bool:
        """Say whether the connection is good for another request, after a complete answer."""
        return self._kept_alive and self.is_read_up

    @property
    def is_read_up(self) -> bool:
        """Say whether nothing has come behind what was read."""
        return not self._arrived

    def feed(self, data: bytes) -> Reply | None:
        """Take the next bytes, b"" at the end of the stream; return the answer when it is complete.

        Raises BrokenAnswerError as soon as it cannot become one.
        """
        self._arrived.add(data)
        try:
            next(self._reading)
        except StopIteration as end:
            reply: Reply = end.value
            return reply
        return None

    def _read(self, method: str, most: int | None) -> Generator[None, None, Reply]:
        status, headers = yield from self._read_head()
        if most is None:
            return Reply(status=status, headers=headers)
        if status < 200:
            raise BrokenAnswerError(f"an informational answer ({status}) came where the answer was due")
        if method == "HEAD" or status in (204, 304):
            return Reply(status=status, headers=headers)
        body = yield from self._read_body(headers, most)
        return Reply(status=status, headers=headers, body=body)

    def _read_head(self) -> Generator[None, None, tuple[int, Headers]]:
        head = (yield from self._arrived.until(b"\r\n\r\n", HEAD_BYTES, "head")).decode("latin-1")
        status_line, *lines = head.split("\r\n")
        if not (parts := _STATUS.fullmatch(status_line)):
            raise BrokenAnswerError("what came is not an HTTP answer")
        self.status = int(parts[2])
        if len(lines) > HEADERS:
            raise BrokenAnswerError(f"the answer has more than {HEADERS} headers")
        headers = tuple([_read_header(line) for line in lines])
        self._kept_alive = _is_kept_alive(parts[1], headers)
        return self.status, headers

    def _read_body(self, headers: Headers, most: int) -> Generator[None, None, bytes]:
        lengths = {value for name, value in headers if name.lower() == "content-length"}
        codings = [value.lower() for name, value in headers if name.lower() == "transfer-encoding"]
        if codings:
            # RFC 9112 6.1: length and coding together are the mark of a smuggled answer
            if codings != ["chunked"] or lengths:
                raise BrokenAnswerError("the answer does not say clearly where it ends")
            return (yield from self._read_chunks(most))
        if not lengths:
            self._kept_alive = False
            return (yield from self._arrived.rest(most))
        length = lengths.pop()
        if lengths or not _LENGTH.fullmatch(length):
            raise BrokenAnswerError("the answer does not say clearly where it ends")
        if int(length) > most:
            raise BrokenAnswerError(f"the answer is longer than {most:,} bytes")
        return (yield from self._arrived.take(int(length)))

    def _read_chunks(self, most: int) -> Generator[None, None, bytes]:
        body = bytearray()
        chunks = 0
        while size := (yield from self._read_chunk_size()):
            chunks += 1
            if len(body) + size > most:
                raise BrokenAnswerError(f"the answer is longer than {most:,} bytes")
            if chunks > CHUNKS:
                raise BrokenAnswerError(f"the answer comes in more than {CHUNKS:,} chunks")
            body += yield from self._arrived.take(size)
            if (yield from self._arrived.take(2)) != b"\r\n":
                raise BrokenAnswerError("the answer's chunks do not fit their sizes")
        trailers = 0
        while trailer := (yield from self._arrived.until(b"\r\n", HEAD_BYTES, "trailer")):
            trailers += len(trailer)
            if trailers > HEAD_BYTES:
                raise BrokenAnswerError("the answer's trailers do not end")
        return bytes(body)

    def _read_chunk_size(self) -> Generator[None, None, int]:
        size = _CHUNK_SIZE.fullmatch(
            (yield from self._arrived.until(b"\r\n", _CHUNK_LINE_BYTES, "chunk size"))
        )
        if size is None:
            raise BrokenAnswerError("the answer's chunks cannot be read")
        return int(size[1], 16)


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
