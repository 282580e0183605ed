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

    def connect(self) -> Unreachable | Untrusted | None:
        return self._line.connect()

    def send(self, request: Request, *, may_send: Callable[[], bool]) -> Answer:
        answer = self._line.send(request, may_send=may_send)
        if isinstance(answer, Reply):
            return replace(answer, body=self._mask.hide_bytes(answer.body))
        return answer

    def close(self) -> None:
        self._line.close()
