"""A checked Session and the account -> what would change there."""

from collections.abc import Callable
from dataclasses import replace

from qstash_jobs.api.scheduled import declare_schedules
from qstash_jobs.api.session import Session
from qstash_jobs.api.world import Service, chance
from qstash_jobs.boundary import Clock
from qstash_jobs.errors import AuthenticationError, ServiceError, StopError, UsageError
from qstash_jobs.mask import Mask
from qstash_jobs.outcome import Misconfigured
from qstash_jobs.plan.account import Account, AccountPlan, Declared, Pruning, plan_account
from qstash_jobs.plan.changes import Kind, hide_change
from qstash_jobs.plan.ownership import Owner
from qstash_jobs.problem import Problem
from qstash_jobs.reconcile import ALL_KINDS, Asking, Failed, observe


def declare(session: Session) -> tuple[Declared, list[Problem]]:
    """Gather what the files of a checked session want of the account; of a `--job`, only the schedules it chooses."""
    workspace = session.workspace
    owner = Owner(project=workspace.project_name or "", environment=workspace.project.environment)
    schedules, problems = declare_schedules(
        session.scheduled, owner, missing_secrets=frozenset(session.totals.missing_secrets)
    )
    declared = Declared(owner=owner, schedules=schedules, resources=session.resources)
    if workspace.inputs.jobs:
        declared = replace(declared, resources=replace(session.resources, resources=()), is_part=True)
    return declared, problems


def is_anything_declared(declared: Declared) -> bool:
    """Say whether the files want anything of the account at all."""
    return bool(declared.schedules or declared.resources.resources)


def choose_pruning(*, prunes: bool, forces: bool) -> Pruning:
    """Say what goes of what no file declares, by the words that were said."""
    if not prunes:
        return "nothing"
    return "named" if forces else "marked"


def open_asking(
    service: Service, clock: Clock, *, stopping: Callable[[], bool] = lambda: False, tries: int = 4
) -> Asking:
    """Make what asks the account, one question after the other."""
    return Asking(service.open_line, clock, chance=chance, stopping=stopping, tries=tries)


def look(declared: Declared, asking: Asking, *, prunes: Pruning) -> AccountPlan:
    """Plan what would change in the account as it is now; StopError where it cannot be read."""
    account = observe(_kinds(declared, prunes=prunes), asking)
    if isinstance(account, Failed):
        raise explain_unread(account)
    return plan_account(declared, account, prunes=prunes)


def replan(declared: Declared, *, prunes: Pruning) -> Callable[[Account], AccountPlan]:
    """Make what plans anew with what is read back."""
    return lambda account: plan_account(declared, account, prunes=prunes)


def explain_unread(failed: Failed) -> StopError:
    """Say that the account cannot be read, and why."""
    text = f"the account cannot be read: {failed.reason}"
    if isinstance(failed.failure, Misconfigured):
        return AuthenticationError(text) if failed.failure.exit_code == 4 else UsageError(text)
    return ServiceError(text)


def hide_plan(plan: AccountPlan, mask: Mask) -> AccountPlan:
    """Mask a plan throughout, so that it can be shown, kept and compared."""
    return replace(plan, changes=tuple(hide_change(change, mask) for change in plan.changes))


def _kinds(declared: Declared, *, prunes: Pruning) -> tuple[Kind, ...]:
    """Name what has to be known: schedules always, since they tell which groups and queues are in use."""
    if prunes != "nothing":
        return ALL_KINDS
    kinds = {"schedule", *(one.kind for one in declared.resources.resources)}
    if any(one.message.url_group is not None for one in declared.schedules):
        kinds.add("url_group")
    return tuple(kind for kind in ALL_KINDS if kind in kinds)
