"""The messages that the ledger knows -> all that is known of each, for people and programs."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from qstash_jobs.identity import message_label
from qstash_jobs.record import Evidence, Record, Verdict, Witness
from qstash_jobs.report.escape import escape, write_json
from qstash_jobs.report.layout import Style, pad, paint
from qstash_jobs.report.records import STATE_STYLES, collect_endpoints
from qstash_jobs.report.wording import count, name_state, show_moment, show_when, write_moment

LABEL_WIDTH = 13
STATE_WIDTH = 13

Known = tuple[Record, Sequence[Evidence]]
"""A message as the ledger knows it, and what others said of it."""


def write_records_jsonl(known: Iterable[Known]) -> Iterator[str]:
    """Write a JSON line for each message."""
    for record, evidence in known:
        yield write_record_json(record, evidence)


def write_record(
    record: Record, evidence: Sequence[Evidence] = (), *, now: datetime, colour: bool = False
) -> Iterator[str]:
    """Write all that the ledger knows of one message."""
    yield f"{paint('message', 'bold', colour=colour)} {escape(record.name)}"
    for label, value in describe_known(record, evidence, now):
        style: Style = STATE_STYLES.get(record.state, "plain") if label == "state" else "plain"
        yield f"  {pad(label, LABEL_WIDTH)} {paint(escape(value), style, colour=colour)}"


def write_records(known: Iterable[Known], *, now: datetime, colour: bool = False) -> Iterator[str]:
    """Write messages one under the other, with all that the ledger knows of each."""
    for number, (record, evidence) in enumerate(known):
        if number:
            yield ""
        yield from write_record(record, evidence, now=now, colour=colour)


def write_records_json(known: Iterable[Known]) -> str:
    """Write messages as one JSON document."""
    return write_json({"messages": [collect_known(*one) for one in known]})


def write_record_json(record: Record, evidence: Sequence[Evidence] = ()) -> str:
    """Write one message as a JSON document on one line."""
    return write_json(collect_known(record, evidence))


def write_record_line(record: Record, *, colour: bool) -> str:
    """Write a message's line in the history of its run."""
    word = name_state(record.state)
    state = paint(word, STATE_STYLES.get(record.state, "plain"), colour=colour) + " " * (
        STATE_WIDTH - len(word)
    )
    facts = [escape(record.name), ", ".join(map(escape, record.message_ids))]
    if record.error is not None:
        facts += [
            f"{record.status or ''} {escape(record.error)}".strip(),
            f"{escape(record.file)}:{record.line}",
        ]
    return state + "  ".join(filter(None, facts))


def describe_known(
    record: Record, evidence: Sequence[Evidence], now: datetime | None
) -> Iterator[tuple[str, str]]:
    """Say what is known of a message, as labels and values; how long ago something was only where `now` is known."""
    yield from _describe_record(record, now)
    yield from describe_evidence(evidence)


def _describe_record(record: Record, now: datetime | None) -> Iterator[tuple[str, str]]:
    yield "state", name_state(record.state)
    yield "id", record.id
    yield "label", message_label(record.id)
    if record.dedup_id not in (None, record.id):
        yield "dedup id", record.dedup_id or ""
    yield "to", record.target
    yield "file", f"{record.file}:{record.line}"
    yield "run", record.run
    yield "attempts", f"{record.attempt:,}"
    if record.slot.generation:
        yield "published", f"{count(record.slot.generation, 'more time')}, by --again"
    if record.first_maybe_sent is not None:
        yield "first sent", show_when(record.first_maybe_sent.wall, now)
    if record.settled_at is not None:
        yield "settled", show_when(record.settled_at, now)
    if record.status is not None:
        yield "status", str(record.status)
    if record.error is not None:
        yield "error", record.error
    for endpoint in record.endpoints:
        facts = (
            endpoint.message_id or "refused",
            endpoint.url,
            "deduplicated" if endpoint.deduplicated else None,
            endpoint.error,
        )
        yield "message", " ".join(filter(None, facts))


def describe_evidence(evidence: Sequence[Evidence]) -> Iterator[tuple[str, str]]:
    """Say what others than QStash's answers said of a message, as labels and values."""
    for one in evidence:
        what = _VERDICTS[one.witness, one.verdict]
        by = f", by the word of {one.who}" if one.who else ""
        yield "evidence", f"{show_moment(one.at)}: {what}{by}"


_VERDICTS = {
    (Witness.LOG, Verdict.PUBLISHED): "QStash's log lists it",
    (Witness.LOG, Verdict.ABSENT): "QStash's log did not list it",
    (Witness.PERSON, Verdict.PUBLISHED): "published",
    (Witness.PERSON, Verdict.NOT_PUBLISHED): "not published",
}


def _collect_evidence(evidence: Evidence) -> dict[str, object]:
    return {
        "at": write_moment(evidence.at),
        "witness": evidence.witness.value,
        "verdict": evidence.verdict.value,
        "who": evidence.who,
    }


def collect_known(record: Record, evidence: Sequence[Evidence]) -> dict[str, object]:
    """Give a message as machines read it."""
    first = record.first_maybe_sent
    return {
        "id": record.id,
        "name": record.name,
        "file": record.file,
        "line": record.line,
        "run": record.run,
        "state": record.state.value,
        "message_ids": list(record.message_ids),
        "endpoints": collect_endpoints(record.endpoints),
        "dedup_id": record.dedup_id,
        "status": record.status,
        "error": record.error,
        "attempts": record.attempt,
        "generation": record.slot.generation,
        "target": record.target,
        "first_maybe_sent_at": None if first is None else write_moment(first.wall),
        "settled_at": write_moment(record.settled_at),
        "evidence": [_collect_evidence(one) for one in evidence],
    }
