"""The built-in receiver: deliveries in, answers out, and what it got is kept. Nothing leaves the process."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from qstash_jobs.local.recent import Recent
from qstash_jobs.local.world.message import Answer, Attempt, Kind
from qstash_jobs.value import dataclass

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST_MS = 250_000_000_000_000
"""The year 9892: virtual time may go on, but cannot be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One delivery as its destination saw it."""

    message_id: str
    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    attempt: int
    """How many times it was tried before: 0 for the first delivery."""
    at: datetime
    """Virtual time, UTC."""
    status: int
    """What the destination answered; 0 when there was no answer, or not yet."""
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkAnswer:
    """What the built-in receiver says to a delivery."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    error: str | None = None
    """Set: there is no answer at all, for this reason."""
    took_s: float = 0
    """How much virtual time the destination needs; beyond the message's timeout, the attempt fails."""


AnswerFunction = Callable[[Delivery], SinkAnswer]


def describe(attempt: Attempt, *, status: int) -> Delivery:
    """Describe an attempt for people and tests."""
    message = attempt.message
    return Delivery(
        message_id=message.id,
        method=attempt.method,
        url=attempt.url,
        headers=attempt.headers,
        body=attempt.body,
        attempt=attempt.number,
        at=EPOCH + timedelta(milliseconds=min(attempt.at_ms, LATEST_MS)),
        status=status,
        kind=message.kind,
    )


class Sink:
    """Answers every delivery itself."""

    def __init__(self, answer: AnswerFunction | None, deliveries: Recent[Delivery]) -> None:
        self._answer = answer
        self._deliveries = deliveries

    def receive(self, attempt: Attempt) -> tuple[Answer, int]:
        """Answer a delivery; also tells how many virtual milliseconds that took."""
        if self._answer is None:
            self._deliveries.add(describe(attempt, status=200))
            return OK, 0
        delivery = describe(attempt, status=0)
        given = _ask(self._answer, delivery)
        if given.took_s > attempt.timeout_s:
            given = SinkAnswer(error=f"no answer within {attempt.timeout_s}s", took_s=attempt.timeout_s)
        answer = _read(given)
        self._deliveries.add(replace(delivery, status=answer.status or 0))
        return answer, round(given.took_s * 1000)


OK = Answer(200)


def _ask(function: AnswerFunction, delivery: Delivery) -> SinkAnswer:
    try:
        return function(delivery)
    except Exception as error:
        return SinkAnswer(error=f"the answer function failed: {error!r}")


def _read(given: SinkAnswer) -> Answer:
    if given.error is not None:
        return Answer(None, error=given.error)
    return Answer(given.status, _as_pairs(given.headers), given.body)


def _as_pairs(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in headers)
