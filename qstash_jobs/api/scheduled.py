"""Schedules that are in order -> what the account should have of them, or the Problems why not."""

from collections.abc import Iterator, Sequence

from qstash_jobs.api.tasks import Task
from qstash_jobs.grammar import is_wire_name
from qstash_jobs.message import Message
from qstash_jobs.plan.ownership import Owner
from qstash_jobs.plan.schedule_fields import DeclaredSchedule
from qstash_jobs.problem import Location, Problem
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """A schedule, and the message that it publishes each time."""

    task: Task
    message: Message

    @property
    def location(self) -> Location:
        return self.task.job.place((), key=True)


def find_repeated(scheduled: Sequence[Scheduled]) -> Iterator[Problem]:
    """Find schedules that would have one id, whatever files they stand in."""
    first: dict[tuple[str, bool], Location] = {}
    for one in scheduled:
        id_ = one.message.schedule_id or one.task.job.id
        earlier = first.setdefault((id_, one.message.schedule_id is not None), one.location)
        if earlier != one.location:
            yield _refuse_repeated(one, id_, earlier)


def _refuse_repeated(one: Scheduled, id_: str, earlier: Location) -> Problem:
    return Problem(
        location=one.location,
        rule="schedule-repeated",
        message=f"there are two schedules {id_}: the first in {earlier.file}:{earlier.line}",
        hint="keep one of them, or give one another key",
        path=("schedules", one.task.job.id),
    )


def declare_schedules(
    scheduled: Sequence[Scheduled], owner: Owner, *, missing_secrets: frozenset[str]
) -> tuple[tuple[DeclaredSchedule, ...], list[Problem]]:
    """Give each schedule its id in the account; a Problem where there is none that QStash takes."""
    declared: list[DeclaredSchedule] = []
    problems: list[Problem] = []
    first: dict[str, Location] = {}
    for one in scheduled:
        id_ = one.message.schedule_id or owner.schedule_id(one.task.job.id)
        earlier = first.setdefault(id_, one.location)
        problem = _find_fault(one, id_, owner)
        if earlier != one.location:
            problem = _refuse_repeated(one, id_, earlier)
        if problem is not None:
            problems.append(problem)
            continue
        declared.append(
            DeclaredSchedule(
                key=one.task.job.id,
                id=id_,
                is_adopted=one.message.schedule_id is not None,
                message=one.message,
                paused=not one.task.is_enabled if one.task.says_enabled else None,
                location=one.location,
                missing_secrets=missing_secrets,
            )
        )
    return tuple(declared), problems


def _find_fault(one: Scheduled, id_: str, owner: Owner) -> Problem | None:
    hint = "name the project in qstash-jobs.yaml: `project: billing`"
    if not is_wire_name(id_):
        message = f"the account cannot have a schedule {id_}: an id is letters, digits, `.`, `_` and `-`"
        hint = hint if one.message.schedule_id is None else "write the id as the account has it"
    elif not owner.project:
        message = "this schedule's project has no name, so nothing would tell it from another project's"
    else:
        return None
    return Problem(
        location=one.location,
        rule="schedule-id",
        message=message,
        hint=hint,
        path=("schedules", one.task.job.id),
    )
