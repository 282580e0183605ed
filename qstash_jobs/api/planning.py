"""A checked Session -> what `run` would send and skip, message by message; nothing is sent."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from qstash_jobs.api.session import Session
from qstash_jobs.boundary import Clock, Ledger
from qstash_jobs.envelope import Envelope, address
from qstash_jobs.plan import PlannedMessage
from qstash_jobs.publish.decide import Hold, Send, Skip, decide
from qstash_jobs.publish.work import Try, gather
from qstash_jobs.record import Record, RunKey

LOOK_UP = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What a plan stands on; without a ledger every message is taken to be new."""

    ledger: Ledger | None
    clock: Clock
    target: str
    batch_size: int = 100


def plan_messages(session: Session, basis: Basis) -> Iterator[PlannedMessage]:
    """Plan the messages of a session in their order, each with the exact request that `run` would make of it."""
    envelopes = _envelopes(session, basis)
    while chunk := list(islice(envelopes, LOOK_UP)):
        yield from _plan_chunk(chunk, basis)


def _plan_chunk(chunk: list[Envelope], basis: Basis) -> Iterator[PlannedMessage]:
    now = basis.clock.instant()
    decisions = [(envelope, decide(envelope, record, now)) for envelope, record in _look_up(chunk, basis)]
    tries = [Try(envelope=one, attempt=1) for one, decision in decisions if isinstance(decision, Send)]
    batched = {
        id(item.envelope)
        for batch in gather(tries, most=basis.batch_size)
        if batch.travels_in_batch
        for item in batch.tries
    }
    for envelope, decision in decisions:
        match decision:
            case Send():
                yield _planned(envelope, "publish", None, batched=id(envelope) in batched)
            case Skip():
                yield _planned(envelope, "skip", decision.reason, batched=False)
            case Hold():
                yield _planned(envelope, "wait", decision.reason, batched=False)


def _planned(envelope: Envelope, action: str, reason: str | None, *, batched: bool) -> PlannedMessage:
    message = envelope.message
    single = "enqueue" if message.queue is not None else "publish"
    return PlannedMessage(
        id=envelope.id,
        name=message.name,
        job=message.job.name,
        file=message.job.file,
        line=message.job.line,
        action=action,
        reason=reason,
        via="batch" if batched else single,
        request=envelope.request,
        dedup_id=envelope.dedup_id,
        row=message.row.number if message.row is not None else None,
    )


def _envelopes(session: Session, basis: Basis) -> Iterator[Envelope]:
    for keyed in session.tasks():
        key = RunKey(
            project=session.surroundings.project_name,
            environment=session.workspace.project.environment,
            target=basis.target,
            text=keyed.run_key,
        )
        opened = basis.ledger.find_key(key) if basis.ledger is not None else None
        for message in keyed.task.messages():
            yield address(
                message,
                key=key,
                key_number=opened.number if opened is not None else 0,
                fingerprint_key=basis.ledger.fingerprint_key if basis.ledger is not None else b"",
            )


def _look_up(chunk: list[Envelope], basis: Basis) -> Iterable[tuple[Envelope, Record | None]]:
    known: dict[int, Record | None] = {}
    by_key: dict[int, list[Envelope]] = {}
    for envelope in chunk:
        by_key.setdefault(envelope.slot.key, []).append(envelope)
    for number, same_key in by_key.items():
        if basis.ledger is not None and number:
            found = basis.ledger.find([envelope.slot for envelope in same_key])
            known.update(zip(map(id, same_key), found, strict=True))
    return [(envelope, known.get(id(envelope))) for envelope in chunk]
