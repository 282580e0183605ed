"""Runs and messages of the ledger -> JUnit: what went well has passed."""

from collections.abc import Iterable

from qstash_jobs.record import Record, Run
from qstash_jobs.report.digest import Digest
from qstash_jobs.report.history import read_result
from qstash_jobs.report.junit import Case, Verdict, write_junit
from qstash_jobs.report.runs import EXIT_CODES, describe_run, name_place, show_messages


def write_runs_junit(runs: Iterable[Run]) -> str:
    """Write a test case for each run."""
    return write_junit([_judge(run) for run in runs], name="qstash-jobs runs")


def write_run_junit(run: Run, records: Iterable[Record]) -> str:
    """Write a test case for each message of a run; rows that went well have one with their job."""
    return write_junit(
        _digest(records).cases(), name=f"qstash-jobs run {run.id}", facts=describe_run(run, None)
    )


def write_messages_junit(records: Iterable[Record]) -> str:
    """Write a test case for each message."""
    return write_junit(_digest(records).cases(), name="qstash-jobs messages")


def _digest(records: Iterable[Record]) -> Digest:
    digest = Digest()
    for record in records:
        digest.add(read_result(record), job=record.slot.job, foreign=record.is_foreign)
    return digest


def _judge(run: Run) -> Case:
    took_s = None if run.ended_at is None else (run.ended_at - run.started_at).total_seconds()
    verdict = None
    if run.exit_code is None:
        verdict = Verdict(kind="error", type="unended", message="not ended yet, or it was killed")
    elif run.exit_code:
        meaning = EXIT_CODES.get(run.exit_code, "")
        message = f"exit code {run.exit_code}: {meaning}".removesuffix(": ")
        verdict = Verdict(
            kind="failure", type=str(run.exit_code), message=message, lines=(show_messages(run),)
        )
    output = (show_messages(run),) if verdict is None else ()
    return Case(group=name_place(run), name=run.id, verdict=verdict, took_s=took_s, output=output)
