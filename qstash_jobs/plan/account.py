"""What is declared, what is observed and whose it is -> every Change that makes the account as declared."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from qstash_jobs.grammar import nearest
from qstash_jobs.identity import settings_digest
from qstash_jobs.plan.changes import Change, Kind
from qstash_jobs.plan.flow_controls import plan_flow_control, plan_unpinning
from qstash_jobs.plan.groups import plan_group, plan_group_removal
from qstash_jobs.plan.ownership import Owner
from qstash_jobs.plan.queues import plan_queue, plan_queue_removal
from qstash_jobs.plan.schedule_fields import DeclaredSchedule
from qstash_jobs.plan.schedules import plan_removal, plan_schedule
from qstash_jobs.problem import Problem
from qstash_jobs.resources import Resource, Resources
from qstash_jobs.value import dataclass
from qstash_jobs.wire.resources.flow_controls import ObservedFlowControl
from qstash_jobs.wire.resources.groups import ObservedGroup
from qstash_jobs.wire.resources.queues import ObservedQueue
from qstash_jobs.wire.resources.schedules import ObservedSchedule

STRANGER = "schedule-stranger"
"""The rule id of a schedule that has an id of ours and no mark."""

PRUNED_SHARE, PRUNED_LEAST = 0.3, 3
"""More than this share of what is the project's, and more than this many, are not deleted without a second word."""

Pruning = Literal["nothing", "marked", "named"]
"""What goes of what no file declares: nothing, what carries the project's mark, or what only a name tells of too."""

NOT_OURS = "not this project's"
"""The note on a schedule that somebody else made."""
UNDECLARED = "no file that was read declares it"
"""The note on what may be anybody's: groups, queues and flow-control keys hold no mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What the files want of the account."""

    owner: Owner
    schedules: tuple[DeclaredSchedule, ...] = ()
    resources: Resources = Resources()
    is_part: bool = False
    """Somebody chose among what the files declare: of what else the account has, nothing can be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What the account holds."""

    schedules: tuple[ObservedSchedule, ...] = ()
    groups: tuple[ObservedGroup, ...] = ()
    queues: tuple[ObservedQueue, ...] = ()
    flow_controls: tuple[ObservedFlowControl, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPlan:
    """Every change, in the order in which they are applied, and what is left alone."""

    changes: tuple[Change, ...]
    problems: tuple[Problem, ...] = ()
    """What keeps the plan from being applied at all."""

    @property
    def waiting(self) -> tuple[Change, ...]:
        """The changes that change something."""
        return tuple(change for change in self.changes if change.is_waiting)

    @property
    def sent(self) -> tuple[Change, ...]:
        """What an apply sends: what is waiting, and what the account does not show, set again."""
        return tuple(change for change in self.changes if change.is_sent)

    @property
    def checksum(self) -> str:
        """Digest all that would change and how; equal where the same would be done to the same account."""
        return settings_digest(*(repr(_essence(change)) for change in self.sent))

    def refusals(self) -> tuple[str, ...]:
        """Say why the deletions among the changes need a second word."""
        deletions = [change for change in self.changes if change.action == "delete"]
        kept = [change for change in self.changes if change.action in ("unchanged", "update")]
        whole = len(deletions) + len(kept)
        if len(deletions) > max(PRUNED_LEAST, PRUNED_SHARE * whole):
            return (f"{len(deletions):,} of {whole:,} that this project has would be deleted",)
        return ()


def _essence(change: Change) -> tuple[object, ...]:
    requests = tuple(
        (step.request.method, step.request.target, step.request.headers, step.request.body)
        for step in change.steps
    )
    fields = tuple((one.field, one.old, one.new) for one in change.fields)
    return change.kind, change.name, change.action, fields, requests


def plan_account(declared: Declared, account: Account, *, prunes: Pruning) -> AccountPlan:
    """Plan all changes: what schedules deliver to first, then schedules, then what goes, schedules first.

    What is not declared goes as far as `prunes` says; else it is listed.
    """
    problems = list(_find_unknown_groups(declared, account))
    changes = [
        *_plan_groups(declared, account),
        *_plan_queues(declared, account),
        *_plan_flow_controls(declared, account),
        *_plan_schedules(declared, account, problems),
        *(() if declared.is_part else _plan_rest(declared, account, prunes=prunes)),
    ]
    return AccountPlan(changes=tuple(changes), problems=tuple(problems))


def plan_unknown(declared: Declared) -> AccountPlan:
    """List what is declared, where the account cannot be asked."""
    changes = [
        *(_unknown(one.kind, one.key, one.name, one) for one in declared.resources.resources),
        *(_unknown("schedule", one.key, one.id, one) for one in declared.schedules),
    ]
    return AccountPlan(changes=tuple(changes))


def _unknown(kind: Kind, key: str, name: str, declared: Resource | DeclaredSchedule) -> Change:
    return Change(kind=kind, key=key, name=name, action="unknown", location=declared.location)


def _plan_groups(declared: Declared, account: Account) -> Iterator[Change]:
    known = {group.name: group for group in account.groups}
    return (plan_group(one, known.get(one.name)) for one in declared.resources.of("url_group"))


def _plan_queues(declared: Declared, account: Account) -> Iterator[Change]:
    known = {queue.name: queue for queue in account.queues}
    return (plan_queue(one, known.get(one.name)) for one in declared.resources.of("queue"))


def _plan_flow_controls(declared: Declared, account: Account) -> Iterator[Change]:
    known = {key.key: key for key in account.flow_controls}
    return (plan_flow_control(one, known.get(one.name)) for one in declared.resources.of("flow_control"))


def _plan_schedules(declared: Declared, account: Account, problems: list[Problem]) -> Iterator[Change]:
    known = {schedule.id: schedule for schedule in account.schedules}
    for schedule in declared.schedules:
        observed = known.get(schedule.id)
        marked = observed is None or declared.owner.read_digest(observed.labels) is not None
        if marked or schedule.is_adopted:
            yield plan_schedule(schedule, observed, declared.owner)
        else:
            problems.append(_refuse_stranger(schedule))


def _find_unknown_groups(declared: Declared, account: Account) -> Iterator[Problem]:
    """Refuse schedules of groups that there are none of: QStash would take the name for a broken URL."""
    known = {group.name for group in account.groups} | {
        one.name for one in declared.resources.of("url_group")
    }
    for schedule in declared.schedules:
        group = schedule.message.url_group
        if group is not None and group not in known:
            likely = nearest(group, sorted(known))
            yield Problem(
                location=schedule.location,
                rule="url-group-unknown",
                message=f"neither the account nor these files have a URL group {group}",
                hint=f"did you mean {likely}?" if likely else "declare it under `url_groups`",
                path=("schedules", schedule.key, "url_group"),
            )


def _refuse_stranger(schedule: DeclaredSchedule) -> Problem:
    return Problem(
        location=schedule.location,
        rule=STRANGER,
        message=f"the account has a schedule {schedule.id} that this project did not make",
        hint=f"give this one another key, or take that one over with `schedule_id: {schedule.id}`",
        path=("schedules", schedule.key),
    )


def is_others(change: Change) -> bool:
    """Say whether what is left alone is not known to be this project's."""
    return change.notes == (UNDECLARED,) or any(note.startswith(NOT_OURS) for note in change.notes)


def _plan_rest(declared: Declared, account: Account, *, prunes: Pruning) -> Iterator[Change]:
    """Yield what no file declares: deletions of what is the project's own, and everybody else's, left alone."""
    rest = _Rest(declared, account)
    for change, is_own in rest.removals():
        if is_own and (prunes == "named" or (prunes == "marked" and change.needs_force is None)):
            yield change
        else:
            yield Change(
                kind=change.kind,
                key=change.key,
                name=change.name,
                action="unmanaged",
                notes=(_say_why(change, declared.owner, is_own=is_own),),
                needs_force=change.needs_force if is_own else None,
            )


def _say_why(change: Change, owner: Owner, *, is_own: bool) -> str:
    """Say why a thing is left alone, and how it would go."""
    if not is_own and change.kind == "schedule":
        return f"{NOT_OURS} in {owner.environment}" if owner.environment else NOT_OURS
    if not is_own:
        return UNDECLARED
    if change.needs_force is None:
        return f"{UNDECLARED}; `apply --prune` deletes it"
    return f"{UNDECLARED}; `apply --prune --force` deletes it: {change.needs_force}"


class _Rest:
    """What no file declares."""

    def __init__(self, declared: Declared, account: Account) -> None:
        self._owner = declared.owner
        self._account = account
        self._ids = {one.id for one in declared.schedules}
        self._names = {(one.kind, one.name) for one in declared.resources.resources}
        self._declared = declared

    def removals(self) -> Iterator[tuple[Change, bool]]:
        """Yield each as a deletion, and whether it is the project's own; schedules first, as they use the others."""
        for schedule in self._undeclared():
            yield plan_removal(schedule), self._owner.owns_schedule(schedule.id, schedule.labels)
        why = "only its name says that it is this project's"
        for group in self._account.groups:
            if ("url_group", group.name) not in self._names:
                change = plan_group_removal(group, why_force=why)
                yield change, self._has_freely(group.name, self._targets())
        for queue in self._account.queues:
            if ("queue", queue.name) not in self._names:
                change = plan_queue_removal(queue, why_force=why)
                yield change, self._has_freely(queue.name, self._queues())
        for key in self._account.flow_controls:
            is_pinned = key.parallelism is not None or key.rate is not None
            if is_pinned and ("flow_control", key.key) not in self._names:
                yield plan_unpinning(key, why_force=why), self._owner.has_named(key.key)

    def _undeclared(self) -> Iterator[ObservedSchedule]:
        return (one for one in self._account.schedules if one.id not in self._ids)

    def _has_freely(self, name: str, used: Iterable[str | None]) -> bool:
        """Say whether a name is the project's, and nothing that stays uses it."""
        return self._owner.has_named(name) and name not in used

    def _targets(self) -> Sequence[str | None]:
        return [one.destination for one in self._staying()] + [
            one.message.url_group for one in self._declared.schedules
        ]

    def _queues(self) -> Sequence[str | None]:
        return [one.queue for one in self._staying()] + [
            one.message.queue for one in self._declared.schedules
        ]

    def _staying(self) -> list[ObservedSchedule]:
        """The schedules of the account that no file declares and that stay all the same."""
        return [one for one in self._undeclared() if not self._owner.owns_schedule(one.id, one.labels)]
