"""What a run is about to do -> the question that is asked on a terminal, or the line that says it elsewhere."""

from qstash_jobs.api.wish import Intention
from qstash_jobs.boundary import Clock, Ledger
from qstash_jobs.record import Run, State
from qstash_jobs.report.records import shorten_run
from qstash_jobs.report.wording import count, show_age

LOOKED_BACK = 500
"""Runs among which the last one of the same jobs is looked for."""

UNFINISHED = (State.PLANNED, State.REJECTED, State.IN_DOUBT)
"""What `run --continue` would take up."""


def write_statement(intention: Intention, ledger: Ledger, clock: Clock, *, finishing: str) -> str:
    """Say what goes where. `finishing` is the run that is continued, if one is."""
    last = "" if finishing else _write_last_run(intention, ledger, clock)
    return _write_intention(intention, finishing) + (f"; {last}" if last else "")


def write_question(intention: Intention, ledger: Ledger, clock: Clock, *, finishing: str) -> str:
    """Ask whether that may go there."""
    last = "" if finishing else _write_last_run(intention, ledger, clock)
    return f"{_write_intention(intention, finishing)}?" + (f" {last}" if last else "") + " [y/N] "


def _write_intention(intention: Intention, finishing: str) -> str:
    service = intention.service
    where = [service.name]
    where += [f"account {service.account}"] if service.account else []
    where += [intention.environment] if intention.environment else []
    left = f"what run {shorten_run(finishing)} left of " if finishing else ""
    what = f"publish {left}{count(intention.messages, 'message')} of {count(intention.jobs, 'job')}"
    disabled = f", {len(intention.disabled):,} disabled" if intention.disabled else ""
    return f"{what}{disabled} to {', '.join(where)}"


def write_unfinished(intention: Intention, ledger: Ledger) -> str | None:
    """Say that the last run of these files left something undone, or None: nobody may have seen what it said."""
    earlier = _find_last_run(intention, ledger)
    if earlier is None or earlier.options.get("keys") == intention.keys:
        # under the same keys this very run takes up what was left
        return None
    totals = earlier.totals or {}
    left = sum(totals.get(state, 0) for state in UNFINISHED)
    if earlier.ended_at is not None and not left:
        return None
    what = count(left, "message") if earlier.ended_at is not None else "messages"
    run = shorten_run(earlier.id)
    return f"the run {run} of these jobs left {what} unfinished; see qstash-jobs show {run}"


def _write_last_run(intention: Intention, ledger: Ledger, clock: Clock) -> str:
    """Tell of the last run of these files: what was published a minute ago is rarely meant twice."""
    earlier = _find_last_run(intention, ledger)
    if earlier is None:
        return ""
    age = show_age(earlier.started_at, clock.now())
    age = "just now" if age == "now" else age
    return f"the last run of these jobs was {age} ({shorten_run(earlier.id)})"


def _find_last_run(intention: Intention, ledger: Ledger) -> Run | None:
    for earlier in ledger.runs(limit=LOOKED_BACK):
        files = earlier.options.get("keys")
        same_place = (earlier.project, earlier.environment, earlier.target) == (
            intention.project,
            intention.environment,
            intention.service.target,
        )
        if same_place and isinstance(files, dict) and set(files) & set(intention.keys):
            return earlier
    return None
