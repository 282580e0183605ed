"""What became of messages -> a line for each, totals, and what to type next.

Nothing is counted here: whoever hears of the messages keeps the numbers and asks for the lines.
"""

from collections.abc import Iterator, Mapping, Sequence

from qstash_jobs.outcome import Endpoint
from qstash_jobs.report.escape import escape, write_json
from qstash_jobs.report.layout import Style, paint
from qstash_jobs.report.wording import count, join, name_state, write_totals
from qstash_jobs.value import dataclass

STATE_STYLES: Mapping[str, Style] = {
    "published": "good",
    "deduplicated": "good",
    "partial": "bad",
    "rejected": "bad",
    "in_doubt": "warn",
    "sending": "warn",
    "waiting": "warn",
    "planned": "warn",
    "skipped": "dim",
    "abandoned": "dim",
}

RUN_ID_SHOWN = 8
"""Digits of a run's id that are shown: any beginning that no other run has is taken for it."""

ORPHANS_SHOWN = 5
"""Names in a sentence about messages that no file holds any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultLine:
    """What a run says of one message that it is done with."""

    id: str
    name: str
    file: str
    line: int
    run: str
    state: str
    """`published`, `deduplicated`, `partial`, `rejected`, `in_doubt`, `planned` or `skipped`."""
    reason: str | None = None
    endpoints: tuple[Endpoint, ...] = ()
    """Those of the earlier publication where the message was skipped for it."""
    dedup_id: str | None = None
    status: int | None = None
    error: str | None = None
    attempts: int = 0
    elapsed_ms: int | None = None
    evidence: str | None = None
    """`log` where QStash's log knew what became of it, and not an answer."""
    row: int = 0
    """A row's number from 1; 0 for a job without rows."""

    @property
    def message_ids(self) -> tuple[str, ...]:
        """QStash's ids, in the order of the answer."""
        return tuple(endpoint.message_id for endpoint in self.endpoints if endpoint.message_id)


def write_result_json(result: ResultLine) -> str:
    """Write one line of `run --format jsonl`."""
    return write_json(
        {
            "id": result.id,
            "name": result.name,
            "file": result.file,
            "line": result.line,
            "run": result.run,
            "state": result.state,
            "reason": result.reason,
            "message_ids": list(result.message_ids),
            "endpoints": collect_endpoints(result.endpoints),
            "dedup_id": result.dedup_id,
            "status": result.status,
            "error": result.error,
            "attempts": result.attempts,
            "elapsed_ms": result.elapsed_ms,
            "evidence": result.evidence,
        }
    )


def collect_endpoints(endpoints: tuple[Endpoint, ...]) -> list[dict[str, object]]:
    """Give the endpoints as machines read them; one that was refused has no message id."""
    return [
        {
            "url": endpoint.url,
            "message_id": endpoint.message_id or None,
            "deduplicated": endpoint.deduplicated,
        }
        for endpoint in endpoints
    ]


def is_told_with_its_job(state: str) -> bool:
    """Say whether a row that ended so has no line of its own, but is counted in its job's."""
    return state in ("published", "skipped")


def write_result(result: ResultLine, *, colour: bool = False) -> str | None:
    """Write a message's line; None for a row that went well, whose job has a line for all of them."""
    if result.row and is_told_with_its_job(result.state):
        return None
    ids = ", ".join(map(escape, result.message_ids))
    state = paint(name_state(result.state), STATE_STYLES.get(result.state, "plain"), colour=colour)
    facts = [state, escape(result.name)]
    match result.state:
        case "published":
            facts.append(ids)
        case "skipped":
            facts.append(escape(result.reason or "published before"))
        case _:
            facts += [
                ids,
                _explain(result),
                paint(f"{escape(result.file)}:{result.line}", "bold", colour=colour),
            ]
    return " ".join(filter(None, facts))


def write_job(name: str, totals: Mapping[str, int], *, colour: bool = False) -> str:
    """Write the line of a job with rows, at its end: what became of all of them.

    `totals` are its messages by state. Where all share one, the line reads `published receipts 1,000 messages`.
    """
    states = [state for state, number in totals.items() if number]
    if len(states) == 1:
        (state,) = states
        word = paint(name_state(state), STATE_STYLES.get(state, "plain"), colour=colour)
        return f"{word} {escape(name)} {count(totals[state], 'message')}"
    return f"done {escape(name)} {count(sum(totals.values()), 'message')}: {write_totals(totals)}"


def suggest_next(
    totals: Mapping[str, int], *, run: str, waited: bool = False, asked_in_vain: int = 0
) -> Iterator[str]:
    """Say what to type next, a line for each thing that is left to do.

    `totals` are a run's messages by state; `waited` says that their delivery has been seen already. Of those in doubt
    so many were asked about in vain: only a person can settle them.
    """
    again = f"qstash-jobs run --continue {shorten_run(run)}"
    rejected, planned, doubtful = (totals.get(state, 0) for state in ("rejected", "planned", "in_doubt"))
    doubtful -= asked_in_vain
    if asked_in_vain:
        yield (
            f"{count(asked_in_vain, 'message')} may have been accepted, and QStash's log does not tell; look whether "
            f"{_they(asked_in_vain)} arrived, then: qstash-jobs resolve MESSAGE --as published, or --as not-published; "
            f"or send {_it(asked_in_vain)} again, perhaps twice: {again} --in-doubt resend"
        )
    if doubtful:
        yield (
            f"{count(doubtful, 'message')} may have been accepted; to settle {_it(doubtful)}: "
            f"{again} (offers {_it(doubtful)} again under the id by which QStash knows what it has, "
            "or asks its log where that is not safe any more)"
        )
    if totals.get("partial"):
        yield (
            f"{count(totals['partial'], 'message')} reached only some of the endpoints; "
            f"which: qstash-jobs show {shorten_run(run)}"
        )
    if rejected or planned:
        yield _suggest_continuing(rejected, planned, again)
    if totals.get("published") and not waited:
        question = "has it arrived" if totals["published"] == 1 else "have they arrived"
        yield f"{question}? qstash-jobs status --wait 2m"


def suggest_for_orphans(names: Sequence[str]) -> str:
    """Say what to do about messages in doubt that the files publish no more."""
    shown = ", ".join(escape(name) for name in names[:ORPHANS_SHOWN])
    more = f" and {len(names) - ORPHANS_SHOWN:,} more" if len(names) > ORPHANS_SHOWN else ""
    return (
        f"{count(len(names), 'message')} of earlier runs may have been accepted, and these files publish "
        f"{_it(len(names))} no more: {shown}{more}; put {_it(len(names))} back and run again, "
        "or say what you know: qstash-jobs resolve MESSAGE --as published, or --as not-published"
    )


def shorten_run(run: str) -> str:
    """Shorten a run's id to what people read and type."""
    return escape(run[:RUN_ID_SHOWN])


def _suggest_continuing(rejected: int, planned: int, again: str) -> str:
    parts = []
    if rejected:
        parts.append(f"the {rejected:,} that {_be(rejected)} rejected")
    if planned:
        parts.append(f"the {planned:,} that {_be(planned)} not sent")
    start = f"fix {_it(rejected)}, then" if rejected else "to go on"
    return f"{start}: {again} (sends {join(parts)})"


def _it(number: int) -> str:
    return "it" if number == 1 else "them"


def _they(number: int) -> str:
    return "it has" if number == 1 else "they have"


def _be(number: int) -> str:
    return "was" if number == 1 else "were"


def _explain(result: ResultLine) -> str:
    """Say why, in the service's words where a message was refused, and in ours everywhere else."""
    if result.state == "rejected":
        return escape(f"{result.status or ''} {result.error or ''}".strip())
    if result.state == "partial":
        return escape(result.error or "")
    return escape(result.reason or result.error or "")
