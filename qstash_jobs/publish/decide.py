"""What the ledger knows of a message -> whether to send it, skip it, or leave it in doubt."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby

from qstash_jobs.boundary import Ledger
from qstash_jobs.envelope import QSTASH_WINDOW_S, Envelope
from qstash_jobs.identity import message_label
from qstash_jobs.record import Instant, Listed, Record, State, Window
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
class Recall:
    """QStash's log listed it when its run key was new to this ledger: it is published, and not written down yet."""

    listed: Listed
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """It may have been accepted, and sending it again could publish it twice: QStash's log has to be asked first."""

    record: Record
    reason: str
    may_resend: bool = False
    """QStash remembers its id, if this machine's clock is right; it was started anew since, so that has to be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Another runner has claimed it, and is about to say what becomes of it."""

    reason: str = "another runner is sending it"


Decision = Send | Skip | Recall | Ask | Wait


def look_up(envelopes: Sequence[Envelope], ledger: Ledger) -> list[Record | Listed | None]:
    """Find what the ledger knows of messages, in their order; those of one run key stand together.

    What is known of an earlier generation says nothing: `--again` asks for one more. What QStash's log listed of a
    later one says nothing either: another ledger has asked for that one.
    """
    found: list[Record | Listed | None] = []
    for key, group in groupby(envelopes, key=lambda one: one.slot.key):
        same_key = list(group)
        records = ledger.find([one.slot for one in same_key])
        known = [
            record if record and record.slot.generation == one.slot.generation else None
            for one, record in zip(same_key, records, strict=True)
        ]
        labels = {
            index: message_label(one.id)
            for index, (one, record) in enumerate(zip(same_key, known, strict=True))
            if record is None and not one.slot.generation
        }
        listed = ledger.find_listed(key, list(labels.values())) if labels else {}
        found += known
        for index, label in labels.items() if listed else ():
            found[index - len(known)] = listed.get(label)
    return found


def decide(envelope: Envelope, known: Record | Listed | None, now: Instant) -> Decision:
    """Decide about one message of a run key; `known` is what an earlier attempt of that key left, or the log listed."""
    if known is None:
        return Send()
    if isinstance(known, Listed):
        ids = ", ".join(endpoint.message_id for endpoint in known.endpoints)
        return Recall(listed=known, reason=f"published {show_time(known.at)} as {ids}, by QStash's log")
    changed = known.fingerprint != envelope.fingerprint
    match known.state:
        case State.PUBLISHED | State.DEDUPLICATED | State.PARTIAL:
            return Skip(record=known, reason=_done(known, changed=changed))
        case State.ABANDONED:
            return Skip(record=known, reason=ABANDONED)
        case State.PLANNED | State.WAITING | State.REJECTED:
            return Send(attempt=known.attempt + 1)
        case State.SENDING if known.is_held:
            return Wait()
        case State.SENDING | State.IN_DOUBT:
            return _decide_doubt(envelope, known, now, changed=changed)


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
        return Ask(record=record, reason="`dedup: none` lets nobody recognise a second try")
    if changed:
        return Ask(record=record, reason="its content was changed since it was attempted")
    if first is None or not may_resend(first, now):
        return Ask(record=record, reason="QStash has forgotten its id since")
    if first.boot_id and first.boot_id == now.boot_id:
        return Send(attempt=record.attempt + 1, doubtful_since=first)
    return Ask(record=record, reason="only the wall clock tells how long ago that was", may_resend=True)


def _done(record: Record, *, changed: bool) -> str:
    when = f" {show_time(record.settled_at)}" if record.settled_at else ""
    ids = f" as {', '.join(record.message_ids)}" if record.message_ids else ""
    if record.is_foreign:
        whose = (
            "another ledger's message"
            if record.attempt == 1
            else "an earlier attempt, or another ledger's message,"
        )
        return f"{whose}{ids} has its deduplication id"
    return f"{_DONE[record.state]}{when}{ids}" + ("; changed since published" if changed else "")


_DONE = {State.PUBLISHED: "published", State.PARTIAL: "partly published", State.DEDUPLICATED: "deduplicated"}
