"""What a ledger holds, has forgotten, or is out of order in -> sentences for people, JSON lines for programs."""

from collections.abc import Iterable, Iterator
from math import isinf

from qstash_jobs.record import OpenKey, Pruned, Run, Window
from qstash_jobs.report.escape import write_json
from qstash_jobs.report.messages import Known, collect_known
from qstash_jobs.report.runs import collect_run
from qstash_jobs.report.wording import count, write_unix_moment


def write_export_run(run: Run) -> str:
    """Write a run as a line of `ledger export`."""
    return write_json({"kind": "run", **collect_run(run)})


def write_export_message(known: Known, key: OpenKey) -> str:
    """Write a message as a line of `ledger export`, with what makes it the same message for every run."""
    record, evidence = known
    slot = record.slot
    return write_json(
        {
            "kind": "message",
            **collect_known(record, evidence),
            "project": key.key.project,
            "environment": key.key.environment,
            "server": key.key.target,
            "run_key": key.key.text,
            "job": slot.job,
            "row": slot.row or None,
            "row_key": slot.row_key,
        }
    )


def write_export_window(window: Window) -> str:
    """Write what the ledger holds of a deduplication id as a line of `ledger export`."""
    return write_json(
        {
            "kind": "window",
            "dedup_id": window.dedup_id,
            "job": window.job,
            "message": window.slot.name,
            "until": None if isinf(window.until) else write_unix_moment(window.until),
        }
    )


def write_check(faults: Iterable[str], *, runs: int, messages: int, doubtful: int) -> Iterator[str]:
    """Say what is not in order, a line each; or that all is well, and what there is."""
    found = list(faults)
    yield from found
    if not found:
        doubt = f", {doubtful:,} of them in doubt" if doubtful else ""
        yield f"in order: {count(runs, 'run')}, {count(messages, 'message')}{doubt}"


def write_pruned(pruned: Pruned) -> Iterator[str]:
    """Say what was forgotten, and what was kept although it is old."""
    if pruned.runs or pruned.keys:
        windows = f", {count(pruned.windows, 'window')}" if pruned.windows else ""
        freed = f"; {_write_bytes(pruned.freed_bytes)} given back" if pruned.freed_bytes else ""
        yield f"forgot {count(pruned.runs, 'run')}, {count(pruned.messages, 'message')}{windows}{freed}"
    else:
        yield "nothing is that old"
    if pruned.doubtful:
        yield (
            f"kept the run keys of {count(pruned.doubtful, 'message')} in doubt; "
            "settle them with qstash-jobs run --continue RUN or qstash-jobs resolve MESSAGE"
        )
    if pruned.held:
        yield f"kept {count(pruned.held, 'run key')} whose deduplication ids are held by a window"


def _write_bytes(size: int) -> str:
    return f"{size / 1_000_000:,.1f} MB" if size >= 100_000 else f"{size / 1_000:,.0f} kB"
