"""Bytes as they arrive -> the pieces that are asked for; whoever asks for more than is there waits for more."""

from collections.abc import Generator

Piece = Generator[None, None, bytes]
"""Stops at each `yield` until more has arrived; returns the bytes."""


class BrokenAnswerError(Exception):
    """the answer is not one complete answer"""


class Arrived:
    """What has arrived and was not taken yet."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._has_begun = False
        self._has_ended = False

    def __len__(self) -> int:
        return len(self._bytes)

    def add(self, data: bytes) -> None:
        """Take in the next bytes, b"" at the end of the stream."""
        self._bytes += data
        self._has_begun = self._has_begun or bool(data)
        self._has_ended = not data

    def until(self, mark: bytes, most: int, part: str) -> Piece:
        """Take what stands before a mark, and the mark with it."""
        searched = 0
        while (end := self._bytes.find(mark, searched)) < 0:
            searched = max(0, len(self._bytes) - len(mark) + 1)
            if len(self._bytes) > most:
                raise BrokenAnswerError(f"the answer's {part} does not end")
            self._expect_more(f"within its {part}")
            yield
        if end > most:
            raise BrokenAnswerError(f"the answer's {part} is too long")
        return self._cut(end, len(mark))

    def take(self, size: int) -> Piece:
        """Take so many bytes."""
        while len(self._bytes) < size:
            self._expect_more(f"after {len(self._bytes)} of {size} bytes")
            yield
        return self._cut(size, 0)

    def rest(self, most: int) -> Piece:
        """Take everything up to the end of the stream."""
        while not self._has_ended:
            if len(self._bytes) > most:
                raise BrokenAnswerError(f"the answer is longer than {most:,} bytes")
            yield
        return self._cut(len(self._bytes), 0)

    def _expect_more(self, where: str) -> None:
        """Raise where the stream has ended in place of going on."""
        if self._has_ended:
            raise BrokenAnswerError(
                f"the answer ended {where}" if self._has_begun else "the connection ended without an answer"
            )

    def _cut(self, size: int, mark: int) -> bytes:
        with memoryview(self._bytes) as view:
            taken = bytes(view[:size])
        del self._bytes[: size + mark]
        return taken
