"""A Line whose answers hold no secret: what a service repeats of a message must not get into the ledger either."""

from collections.abc import Callable
from dataclasses import replace

from qstash_jobs.boundary import Line
from qstash_jobs.mask import Mask
from qstash_jobs.wire.http import Answer, Reply, Request, Unreachable, Untrusted


class MaskedLine:
    """Masks every known secret in the bodies of answers, before anything is read from them."""

    def __init__(self, line: Line, mask: Mask) -> None:
        self._line = line
        self._mask = mask

    @property
    def is_good(self) -> bool:
        return self._line.is_good

    @property
    def is_writing(self) -> bool:
        return self._line.is_writing

    @property
    def left_s(self) -> float:
        return self._line.left_s

    def connect(self) -> Unreachable | Untrusted | None:
        return self._line.connect()

    def send(self, request: Request, *, may_send: Callable[[], bool]) -> Answer:
        return self._hide(self._line.send(request, may_send=may_send))

    def offer(self, request: Request, *, may_send: Callable[[], bool]) -> Answer | None:
        answer = self._line.offer(request, may_send=may_send)
        return None if answer is None else self._hide(answer)

    def proceed(self) -> Answer | None:
        answer = self._line.proceed()
        return None if answer is None else self._hide(answer)

    def fileno(self) -> int:
        return self._line.fileno()

    def close(self) -> None:
        self._line.close()

    def _hide(self, answer: Answer) -> Answer:
        if not isinstance(answer, Reply):
            return answer
        hidden = self._mask.hide_bytes(answer.body)
        return answer if hidden == answer.body else replace(answer, body=hidden)
