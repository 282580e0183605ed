"""What the ledger knows of a message -> whether to send it, skip it, or leave it in doubt."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby

from qstash_jobs.boundary import Ledger
from qstash_jobs.envelope import QSTASH_WINDOW_S, Envelope
from qstash_jobs.record import Instant, Record, State, Window
from qstash_jobs.value import dataclass

RESEND_S = QSTASH_WINDOW_S - 60 - 30
"""Until so long after the first attempt that may have arrived, the same id is safe to send again: the window, less
a minute for clocks and queues, less the deadline of the request itself."""

ABANDONED = "left out for good with --skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Offer it. `doubtful_since` is the first attempt that may have been accepted, if there was one."""

    attempt: int = 1
    doubtful_since: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """It is done with."""

    record: Record
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """It may have been accepted, and sending it again could publish it twice."""

    record: Record
    reason: str


Decision = Send | Skip | Hold


def look_up(envelopes: Sequence[Envelope], ledger: Ledger) -> list[Record | None]:
    """Find what the ledger knows of messages, in their order; those of one run key stand together.

    What is known of an earlier generation says nothing: `--again` asks for one more.
    """
    found: list[Record | None] = []
    for _, same_key in groupby(envelopes, key=lambda one: one.slot.key):
        slots = [one.slot for one in same_key]
        for slot, record in zip(slots, ledger.find(slots), strict=True):
            found.append(record if record and record.slot.generation == slot.generation else None)
    return found


def decide(envelope: Envelope, record: Record | None, now: Instant) -> Decision:
    """Decide about one message of a run key; `record` is what an earlier attempt of that key left."""
    if record is None:
        return Send()
    changed = record.fingerprint != envelope.fingerprint
    match record.state:
        case State.PUBLISHED | State.DEDUPLICATED | State.PARTIAL:
            return Skip(record=record, reason=_done(record, changed=changed))
        case State.ABANDONED:
            return Skip(record=record, reason=ABANDONED)
        case State.PLANNED | State.WAITING | State.REJECTED:
            return Send(attempt=record.attempt + 1)
        case State.SENDING | State.IN_DOUBT:
            return _decide_doubt(envelope, record, now, changed=changed)


def may_resend(first: Instant, now: Instant) -> bool:
    """Say whether QStash still remembers an id that it may have seen first at `first`."""
    if first.boot_id and first.boot_id == now.boot_id:
        return 0 <= now.boot_s - first.boot_s < RESEND_S
    return timedelta(0) <= now.wall - first.wall < timedelta(seconds=RESEND_S)


def refuse_window(envelope: Envelope, window: Window, now: Instant) -> str | None:
    """Say why a deduplication id that the ledger holds forbids this message, or None."""
    if window.slot.identity == envelope.slot.identity:
        return None
    if window.job != envelope.message.job.name:
        return f"the deduplication id {window.dedup_id} belongs to the job {window.job}"
    if window.until <= now.wall.timestamp():
        return None
    if window.until == float("inf"):
        return f"its key is taken for ever, by {window.slot.name}"
    until = datetime.fromtimestamp(window.until, now.wall.tzinfo)
    return f"its key is taken until {show_time(until)}, by {window.slot.name}"


def show_time(moment: datetime) -> str:
    """Write a moment for people, to the minute."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _decide_doubt(envelope: Envelope, record: Record, now: Instant, *, changed: bool) -> Decision:
    first = record.first_maybe_sent
    if not envelope.may_repeat:
        return Hold(
            record=record,
            reason="it may have been accepted, and `dedup: none` lets nobody recognise a second try",
        )
    if changed:
        return Hold(record=record, reason="it may have been accepted, and its content has changed since")
    if first is None or not may_resend(first, now):
        return Hold(record=record, reason="it may have been accepted, and QStash has forgotten its id since")
    return Send(attempt=record.attempt + 1, doubtful_since=first)


def _done(record: Record, *, changed: bool) -> str:
    when = f" {show_time(record.settled_at)}" if record.settled_at else ""
    ids = f" as {', '.join(record.message_ids)}" if record.message_ids else ""
    if record.is_foreign:
        return f"another ledger's message{ids} has its deduplication id"
    return f"{_DONE[record.state]}{when}{ids}" + ("; changed since published" if changed else "")


_DONE = {State.PUBLISHED: "published", State.PARTIAL: "partly published", State.DEDUPLICATED: "deduplicated"}
