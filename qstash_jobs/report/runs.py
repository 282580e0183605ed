"""The ledger's runs and messages -> a list of runs, one run with its messages, one message; for people and programs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from qstash_jobs.identity import message_label
from qstash_jobs.record import Evidence, Record, Run, Verdict, Witness
from qstash_jobs.report.escape import escape, write_json
from qstash_jobs.report.layout import Style, align, pad, paint
from qstash_jobs.report.records import STATE_STYLES, collect_endpoints, shorten_run
from qstash_jobs.report.wording import (
    count,
    name_state,
    show_age,
    show_duration,
    show_moment,
    write_moment,
    write_totals,
)

LABEL_WIDTH = 13
STATE_WIDTH = 13

EXIT_CODES: Mapping[int, str] = {
    0: "all went well",
    1: "something was rejected",
    2: "the command line, the settings or the job files were wrong",
    3: "something may have been accepted",
    4: "QStash did not accept the token",
    5: "stopped early by a limit, or because QStash could not be reached",
    6: "the ledger could not be read or written",
    7: "another run held the lock",
    9: "time ran out before everything was delivered",
    70: "a fault of qstash-jobs",
    130: "interrupted",
    143: "terminated",
}
"""What a run's exit code means, as its history tells it."""


def write_runs(
    runs: Iterable[Run], *, now: datetime, width: int | None = None, colour: bool = False
) -> Iterator[str]:
    """Write a table of runs, a line for each."""
    table = [
        (
            shorten_run(run.id),
            show_age(run.started_at, now),
            _show_exit(run),
            _show_messages(run),
            escape(_name_place(run)),
        )
        for run in runs
    ]
    if not table:
        return
    header, *lines = align([("run", "started", "exit", "messages", "project"), *table], width=width)
    yield paint(header, "bold", colour=colour)
    yield from lines


def write_runs_jsonl(runs: Iterable[Run]) -> Iterator[str]:
    """Write a JSON line for each run."""
    for run in runs:
        yield write_json(_collect_run(run))


def write_run(run: Run, records: Iterable[Record], *, now: datetime, colour: bool = False) -> Iterator[str]:
    """Write a run's facts, and a line for each of its messages."""
    yield f"{paint('run', 'bold', colour=colour)} {escape(run.id)}"
    for label, value in _describe_run(run, now):
        yield f"  {pad(label, LABEL_WIDTH)} {escape(value)}"
    for number, record in enumerate(records):
        if not number:
            yield ""
        yield _write_record_line(record, colour=colour)


Known = tuple[Record, Sequence[Evidence]]
"""A message as the ledger knows it, and what others said of it."""


def write_run_json(run: Run, known: Iterable[Known]) -> str:
    """Write a run and its messages as one JSON document."""
    return write_json({**_collect_run(run), "messages": [_collect_known(*one) for one in known]})


def write_records_jsonl(known: Iterable[Known]) -> Iterator[str]:
    """Write a JSON line for each message."""
    for record, evidence in known:
        yield write_record_json(record, evidence)


def write_record(
    record: Record, evidence: Sequence[Evidence] = (), *, now: datetime, colour: bool = False
) -> Iterator[str]:
    """Write all that the ledger knows of one message."""
    yield f"{paint('message', 'bold', colour=colour)} {escape(record.name)}"
    for label, value in (*_describe_record(record, now), *_describe_evidence(evidence)):
        style: Style = STATE_STYLES.get(record.state, "plain") if label == "state" else "plain"
        yield f"  {pad(label, LABEL_WIDTH)} {paint(escape(value), style, colour=colour)}"


def write_record_json(record: Record, evidence: Sequence[Evidence] = ()) -> str:
    """Write one message as a JSON document on one line."""
    return write_json(_collect_known(record, evidence))


def _name_place(run: Run) -> str:
    return ", ".join(filter(None, (run.project, run.environment)))


def _show_exit(run: Run) -> str:
    return "not ended" if run.exit_code is None else str(run.exit_code)


def _show_messages(run: Run) -> str:
    if run.totals is None:
        return count(run.expected, "message")
    return write_totals(run.totals)


def _describe_run(run: Run, now: datetime) -> Iterator[tuple[str, str]]:
    yield "project", run.project
    if run.environment:
        yield "environment", run.environment
    yield "to", run.target
    for key in run.keys:
        if key != run.id:
            yield "run key", key
    for path in run.paths:
        yield "path", path
    yield "started", f"{show_moment(run.started_at)}, {show_age(run.started_at, now)}"
    if run.ended_at is None or run.exit_code is None:
        yield "ended", "not yet, or it was killed"
    else:
        took = show_duration((run.ended_at - run.started_at).total_seconds())
        yield "ended", f"{show_moment(run.ended_at)}, after {took}"
        meaning = EXIT_CODES.get(run.exit_code)
        yield "exit code", f"{run.exit_code}: {meaning}" if meaning else str(run.exit_code)
    yield "messages", _show_messages(run)


def _write_record_line(record: Record, *, colour: bool) -> str:
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


def _describe_record(record: Record, now: datetime) -> Iterator[tuple[str, str]]:
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
        sent_at = record.first_maybe_sent.wall
        yield "first sent", f"{show_moment(sent_at)}, {show_age(sent_at, now)}"
    if record.settled_at is not None:
        yield "settled", f"{show_moment(record.settled_at)}, {show_age(record.settled_at, now)}"
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


def _describe_evidence(evidence: Sequence[Evidence]) -> Iterator[tuple[str, str]]:
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


def _collect_run(run: Run) -> dict[str, object]:
    return {
        "id": run.id,
        "project": run.project,
        "environment": run.environment,
        "target": run.target,
        "keys": list(run.keys),
        "paths": list(run.paths),
        "started_at": write_moment(run.started_at),
        "ended_at": write_moment(run.ended_at),
        "exit_code": run.exit_code,
        "expected": run.expected,
        "totals": run.totals,
    }


def _collect_known(record: Record, evidence: Sequence[Evidence]) -> dict[str, object]:
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
        "target": record.target,
        "first_maybe_sent_at": None if first is None else write_moment(first.wall),
        "settled_at": write_moment(record.settled_at),
        "evidence": [_collect_evidence(one) for one in evidence],
    }
