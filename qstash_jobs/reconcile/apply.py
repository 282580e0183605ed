"""Changes -> requests, in their order, and a Verdict on each: what was done, what was not, what may have been."""

from collections.abc import Iterable, Iterator
from functools import partial

from qstash_jobs.outcome import Misconfigured, NotSent, Rejected, Throttled
from qstash_jobs.plan.changes import Change, Step
from qstash_jobs.plan.verdict import Verdict
from qstash_jobs.reconcile.asking import Asking, Failed
from qstash_jobs.wire.resources.answers import read_done

DOUBTS = 2
"""Changes in a row that may or may not have worked: then the service is not well, and the rest waits."""


def apply_changes(changes: Iterable[Change], asking: Asking) -> Iterator[Verdict]:
    """Apply changes one by one.

    One that QStash refuses is told, and the next is tried. Where no other would fare better (token, limit of the day,
    no connection), or the program is asked to stop, the rest is pending.
    """
    ended: str | None = None
    doubts = exit_code = 0
    for change in changes:
        if ended is None and asking.stopping():
            ended, exit_code = "stopped before it", 0
        if ended is not None:
            yield Verdict(change=change, state="pending", reason=ended, exit_code=exit_code)
            continue
        verdict, failed = _apply(change, asking)
        yield verdict
        doubts = doubts + 1 if verdict.state == "uncertain" else 0
        if failed is not None and _is_final(failed):
            ended, exit_code = "not begun, after what went wrong before", verdict.exit_code
        elif doubts == DOUBTS:
            ended, exit_code = "not begun, since the service is not well", 5


def _apply(change: Change, asking: Asking) -> tuple[Verdict, Failed | None]:
    for number, step in enumerate(change.steps):
        if number and asking.stopping():
            return Verdict(
                change=change, state="partial", reason=f"stopped before it could {step.does}"
            ), None
        failed = _take(step, asking)
        if failed is not None:
            return _judge(change, step, number, failed), failed
    return Verdict(change=change, state="applied"), None


def _take(step: Step, asking: Asking) -> Failed | None:
    read = partial(read_done, now=asking.clock.now())
    failed = asking.ask(step.request, read)
    if isinstance(failed, Failed) and step.otherwise is not None and _status(failed) in (404, 405):
        failed = asking.ask(step.otherwise, read)
    if isinstance(failed, Failed) and step.may_be_gone and _status(failed) == 404:
        return None
    return failed


def _judge(change: Change, step: Step, number: int, failed: Failed) -> Verdict:
    reason = f"could not {step.does}: {failed.reason}"
    if failed.may_have_worked:
        return Verdict(change=change, state="uncertain", reason=reason, exit_code=3)
    return Verdict(
        change=change, state="partial" if number else "failed", reason=reason, exit_code=_exit_code(failed)
    )


def _status(failed: Failed) -> int | None:
    return failed.failure.status if isinstance(failed.failure, Rejected) else None


def _is_final(failed: Failed) -> bool:
    return isinstance(failed.failure, Misconfigured | Throttled | NotSent)


def _exit_code(failed: Failed) -> int:
    match failed.failure:
        case Misconfigured(exit_code=4):
            return 4
        # a redirect too, in the middle of an apply: 2 would say that nothing was changed
        case Misconfigured() | Throttled() | NotSent():
            return 5
        case _:
            return 1
