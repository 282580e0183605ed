"""An account -> what it holds; and what was applied -> whether it is to be seen there."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from qstash_jobs.plan.account import STRANGER, Account, AccountPlan
from qstash_jobs.plan.changes import Kind
from qstash_jobs.plan.verdict import Verdict
from qstash_jobs.reconcile.asking import Asking, Failed
from qstash_jobs.wire.http import Answer, Request
from qstash_jobs.wire.refusal import Failure
from qstash_jobs.wire.resources import flow_controls, groups, lists, queues, schedules

T = TypeVar("T")

ALL_KINDS: tuple[Kind, ...] = ("url_group", "queue", "flow_control", "schedule")

READ_BACK_PAUSES_S = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
"""upstash/docs: what was changed may take a while to show; after a quarter of a minute it is told as it is."""


def observe(kinds: Collection[Kind], asking: Asking) -> Account | Failed:
    """Ask the account for all that it holds of some kinds."""
    held: dict[str, Any] = {}
    questions: Sequence[tuple[Kind, str, Request, Callable[[dict[str, Any]], object | None]]] = (
        ("schedule", "schedules", lists.ask_schedules(), schedules.read_schedule),
        ("url_group", "groups", lists.ask_groups(), groups.read_group),
        ("queue", "queues", lists.ask_queues(), queues.read_queue),
        ("flow_control", "flow_controls", lists.ask_flow_controls(), flow_controls.read_flow_control),
    )
    for kind, field, question, read in questions:
        if kind in kinds:
            found = asking.ask(question, partial(_read, read, asking))
            if isinstance(found, Failed):
                return found
            held[field] = found
    held["groups"] = groups.settle_headers(held.get("groups", ()))
    return Account(**held)


def _read(
    read: Callable[[dict[str, Any]], T | None], asking: Asking, answer: Answer
) -> tuple[T, ...] | Failure:
    return lists.read_list(answer, read, now=asking.clock.now())


def read_back(
    verdicts: Sequence[Verdict], plan: Callable[[Account], AccountPlan], asking: Asking
) -> list[Verdict] | Failed:
    """Look whether the account holds what was applied, for a while; and settle what was uncertain by what it holds."""
    sent = {_name(one) for one in verdicts if one.state in ("applied", "uncertain")}
    if not sent:
        return list(verdicts)
    kinds: set[Kind] = {"schedule", *(one.change.kind for one in verdicts)}
    waiting: dict[tuple[str, str], tuple[str, ...]] = {}
    for pause_s in READ_BACK_PAUSES_S:
        asking.clock.sleep(pause_s)
        account = observe(kinds, asking)
        if isinstance(account, Failed):
            return account
        now = plan(account)
        waiting = {
            (change.kind, change.name): tuple(one.field for one in change.fields) for change in now.waiting
        } | _find_unmarked(verdicts, now)
        if not sent & waiting.keys() or asking.stopping():
            break
    return [_settle(one, waiting) for one in verdicts]


def _find_unmarked(verdicts: Sequence[Verdict], now: AccountPlan) -> dict[tuple[str, str], tuple[str, ...]]:
    """Find what was written and came back without the project's mark: the next apply would take it for a stranger's."""
    keys = {problem.path[1] for problem in now.problems if problem.rule == STRANGER}
    return {
        _name(one): ("labels",)
        for one in verdicts
        if one.change.kind == "schedule" and one.change.action != "delete" and one.change.key in keys
    }


def _name(verdict: Verdict) -> tuple[str, str]:
    return verdict.change.kind, verdict.change.name


def _settle(verdict: Verdict, waiting: dict[tuple[str, str], tuple[str, ...]]) -> Verdict:
    fields = waiting.get(_name(verdict))
    if verdict.state == "uncertain" and fields is None:
        return replace(verdict, state="applied", reason=None, exit_code=0)
    if verdict.state != "applied" or fields is None:
        return verdict
    is_gone = verdict.change.action == "delete"
    what = f": {', '.join(fields)}" if fields and not is_gone else ""
    seen = "still shows it" if is_gone else f"does not show it{what}"
    reason = (
        f"QStash took it, and {seen}; a plan in a minute tells whether it {'went' if is_gone else 'came'}"
    )
    return replace(verdict, state="unstuck", reason=reason, exit_code=1)
