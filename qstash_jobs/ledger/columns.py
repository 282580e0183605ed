"""Records, results, windows, runs and testimony -> the columns of their tables, and back."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from qstash_jobs.outcome import Endpoint
from qstash_jobs.record import (
    Evidence,
    Instant,
    Listed,
    OpenKey,
    Record,
    Result,
    Run,
    RunKey,
    Slot,
    State,
    Verdict,
    Window,
    Witness,
)

MESSAGE = (
    "key, job, row, row_key, generation, id, dedup_id, fingerprint, state, attempt, run, file, line, target, "
    "maybe_wall, maybe_boot, maybe_boot_s, settled_at, endpoints, status, error"
)
"""A message's columns, in the order that `write_record` gives and `read_record` takes."""

Number = Callable[[str], int]
"""Names -> their numbers."""

Text = Callable[[int], str]
"""Numbers -> their names."""

_START = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_STATES = {str(state): state for state in State}


def write_time(at: datetime) -> int:
    return (at - _START) // _MICROSECOND


def read_time(stored: int) -> datetime:
    return _START + timedelta(microseconds=stored)


def write_record(record: Record, number: Number) -> tuple[Any, ...]:
    # CPython 3.11 _sqlite/statement.c, need_adapt: bytes and None take a slow way that bytearray, str and int do not
    maybe = record.first_maybe_sent
    return (
        *write_slot(record.slot, number),
        bytearray.fromhex(record.id[3:]),
        "" if record.dedup_id == record.id else record.dedup_id,
        bytearray(record.fingerprint),
        record.state.value,
        record.attempt,
        number(record.run),
        number(record.file),
        record.line,
        record.target,
        *((write_time(maybe.wall), number(maybe.boot_id), maybe.boot_s) if maybe else (None, None, None)),
        write_time(record.settled_at) if record.settled_at else 0,
        write_endpoints(record.endpoints),
        record.status or 0,
        record.error or "",
    )


def read_record(columns: Sequence[Any], text: Text, *, is_held: bool = False) -> Record:
    (
        key,
        job,
        row,
        row_key,
        generation,
        id_,
        dedup_id,
        fingerprint,
        state,
        attempt,
        run,
        file,
        line,
        target,
    ) = columns[:14]
    maybe_wall, maybe_boot, maybe_boot_s, settled_at, endpoints, status, error = columns[14:]
    shown_id = "qj-" + id_.hex()
    return Record(
        slot=Slot(key=key, job=text(job), row=row, row_key=row_key or None, generation=generation),
        id=shown_id,
        dedup_id=shown_id if dedup_id == "" else dedup_id,
        fingerprint=fingerprint,
        state=_STATES[state],
        attempt=attempt,
        run=text(run),
        file=text(file),
        line=line,
        target=target,
        first_maybe_sent=None
        if maybe_wall is None
        else Instant(wall=read_time(maybe_wall), boot_id=text(maybe_boot), boot_s=maybe_boot_s),
        settled_at=read_time(settled_at) if settled_at else None,
        endpoints=read_endpoints(endpoints),
        status=status or None,
        error=error or None,
        is_held=is_held,
    )


def write_slot(slot: Slot, number: Number) -> tuple[int, int, int, str, int]:
    return (slot.key, number(slot.job), slot.row, slot.row_key or "", slot.generation)


def write_result(result: Result, number: Number) -> tuple[Any, ...]:
    """Return a result's new values, then the slot and the attempt that it holds for."""
    return (
        result.state.value,
        write_time(result.settled_at),
        write_endpoints(result.endpoints),
        result.status or 0,
        result.error or "",
        *write_slot(result.slot, number),
        result.attempt,
    )


def write_endpoints(endpoints: Sequence[Endpoint]) -> str:
    """Write one plain message id as it is, and anything more as JSON."""
    if not endpoints:
        return ""
    if len(endpoints) == 1 and _is_plain(endpoints[0]):
        return endpoints[0].message_id
    return json.dumps(
        [[one.message_id, one.url, int(one.deduplicated), one.error] for one in endpoints],
        ensure_ascii=False,
        separators=(",", ":"),
    )


def _is_plain(endpoint: Endpoint) -> bool:
    if endpoint.url is not None or endpoint.error is not None or endpoint.deduplicated:
        return False
    return bool(endpoint.message_id) and endpoint.message_id[0] != "["


def read_endpoints(stored: str) -> tuple[Endpoint, ...]:
    if not stored:
        return ()
    if stored[0] != "[":
        return (Endpoint(message_id=stored),)
    return tuple(
        Endpoint(message_id=message_id, url=url, deduplicated=bool(deduplicated), error=error)
        for message_id, url, deduplicated, error in json.loads(stored)
    )


def write_window(window: Window, number: Number) -> tuple[Any, ...]:
    return (
        write_dedup_id(window.dedup_id),
        window.until,
        number(window.job),
        *write_slot(window.slot, number),
    )


def read_window(columns: Sequence[Any], dedup_id: str, text: Text) -> Window:
    until, owner, key, job, row, row_key, generation = columns
    slot = Slot(key=key, job=text(job), row=row, row_key=row_key or None, generation=generation)
    return Window(dedup_id=dedup_id, job=text(owner), until=until, slot=slot)


def write_dedup_id(dedup_id: str) -> bytes | str:
    """Write a derived id as its 20 bytes, and any other as it is."""
    digits = dedup_id[3:]
    if dedup_id.startswith("qj-") and len(digits) == 40 and not set(digits) - set("0123456789abcdef"):
        return bytes.fromhex(digits)
    return dedup_id


def read_dedup_id(stored: bytes | str) -> str:
    return stored if isinstance(stored, str) else "qj-" + stored.hex()


def write_evidence(evidence: Evidence, number: Number) -> tuple[Any, ...]:
    """Return the slot that it is about, then what was found out."""
    return (
        *write_slot(evidence.slot, number),
        write_time(evidence.at),
        evidence.witness.value,
        evidence.verdict.value,
        evidence.who or "",
    )


def read_evidence(columns: Sequence[Any], slot: Slot) -> Evidence:
    at, witness, verdict, who = columns
    return Evidence(
        slot=slot, at=read_time(at), witness=Witness(witness), verdict=Verdict(verdict), who=who or None
    )


def read_listed(label: str, at: int, endpoints: str) -> Listed:
    return Listed(label=label, at=read_time(at), endpoints=read_endpoints(endpoints))


def write_run(run: Run, number: Number) -> tuple[Any, ...]:
    return (
        number(run.id),
        write_time(run.started_at),
        run.project,
        run.environment,
        run.target,
        json.dumps(run.paths),
        json.dumps(run.options),
        run.expected,
        write_time(run.ended_at) if run.ended_at else None,
        run.exit_code,
        json.dumps(run.totals) if run.totals is not None else None,
    )


def read_run(columns: Sequence[Any], keys: Sequence[str], text: Text) -> Run:
    number, started_at, project, environment, target, paths, options, expected = columns[:8]
    ended_at, exit_code, totals = columns[8:]
    return Run(
        id=text(number),
        started_at=read_time(started_at),
        project=project,
        environment=environment,
        target=target,
        paths=tuple(json.loads(paths)),
        options=json.loads(options),
        expected=expected,
        keys=tuple(keys),
        ended_at=None if ended_at is None else read_time(ended_at),
        exit_code=exit_code,
        totals=None if totals is None else json.loads(totals),
    )


def read_key(columns: Sequence[Any], key: RunKey, text: Text) -> OpenKey:
    number, first_run, started_at = columns
    return OpenKey(number=number, key=key, first_run=text(first_run), started_at=read_time(started_at))
