"""Schedules as files declare them -> when each fires next, and what all of them ask of the plan."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Literal
from zoneinfo import ZoneInfo

from qstash_jobs.api.inputs import Inputs
from qstash_jobs.api.session import Session
from qstash_jobs.api.validate import keys_of, look_at
from qstash_jobs.api.workspace import is_chosen, load
from qstash_jobs.cron import is_repeated, read_cron
from qstash_jobs.errors import UsageError
from qstash_jobs.message import Message
from qstash_jobs.problem import Problem
from qstash_jobs.report.upcoming import Burden, Firing
from qstash_jobs.rules import Demand
from qstash_jobs.settings import Secrets
from qstash_jobs.value import dataclass

DAYS = 31
"""How far ahead messages are counted: no month is longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upcoming:
    """What is ahead of the schedules of some files, or the problems why nobody can say."""

    problems: Sequence[Problem]
    files: int
    disabled: int
    has_errors: bool
    firings: tuple[Firing, ...] = ()
    burden: Burden | None = None
    """None where no message is published within the days that are counted."""


def look_ahead(inputs: Inputs, env: Mapping[str, str], *, count: int, now: datetime) -> Upcoming:
    """Find the next times of every schedule, or of those that `inputs.jobs` chooses, in the order of the files."""
    workspace = load(replace(inputs, jobs=()))
    idle = [
        one for one in inputs.jobs if not any(is_chosen(schedule, (one,)) for schedule in workspace.schedules)
    ]
    if idle and not workspace.has_errors:
        raise UsageError(f"no schedule matches {' or '.join(idle)}")
    session = look_at(workspace, env, Secrets(env, inputs.secrets_dir), keys=keys_of(workspace))
    problems = session.check()
    if session.has_errors:
        return Upcoming(problems=problems, files=workspace.files_read, disabled=0, has_errors=True)
    chosen = sum(is_chosen(schedule, inputs.jobs) for schedule in workspace.schedules)
    messages = [one for one in session.enabled_schedules() if is_chosen(one.job, inputs.jobs)]
    return Upcoming(
        problems=problems,
        files=workspace.files_read,
        disabled=chosen - len(messages),
        has_errors=False,
        firings=tuple(firing for one in messages for firing in _find_firings(one, count, now)),
        burden=_weigh(messages, session, now),
    )


def _find_firings(message: Message, count: int, now: datetime) -> Iterator[Firing]:
    cron, zone = read_cron(message.cron or ""), _zone(message)
    times = list(islice(cron.next_times(now, zone), count))
    if not times:
        return
    found = [
        _firing(message, zone, moment, "repeated" if is_repeated(moment, zone) else "fires")
        for moment in times
    ]
    # a moment in a gap is taken with the offset from before it, as if nobody had set the clock
    found += [
        _firing(message, zone, local.replace(tzinfo=zone), "skipped")
        for local in cron.skipped_times(now, times[-1], zone)
    ]
    yield from sorted(found, key=lambda one: (one.moment.timestamp(), one.state))


def _firing(
    message: Message, zone: ZoneInfo, moment: datetime, state: Literal["fires", "repeated", "skipped"]
) -> Firing:
    return Firing(
        name=message.name,
        file=message.job.file,
        line=message.job.line,
        cron=message.cron or "",
        timezone=zone.key,
        moment=moment,
        state=state,
    )


def _weigh(messages: Sequence[Message], session: Session, now: datetime) -> Burden | None:
    """Count what is published in the days ahead."""
    firings: dict[date, list[Message]] = {}
    for message in messages:
        for day in _find_days(message, now):
            firings.setdefault(day, []).append(message)
    by_day = {day: _count(published, session) for day, published in firings.items()}
    if not by_day:
        return None
    busiest = max(by_day, key=lambda day: (by_day[day].attempts, -day.toordinal()))
    total: Counter[str] = Counter()
    for demand in by_day.values():
        total.update(deliveries=demand.deliveries, attempts=demand.attempts)
    return Burden(
        days=DAYS,
        deliveries=total["deliveries"],
        attempts=total["attempts"],
        busiest=busiest,
        busiest_deliveries=by_day[busiest].deliveries,
        busiest_attempts=by_day[busiest].attempts,
        messages_per_day=session.workspace.project.quota.get("messages_per_day"),
        unknown_groups=tuple(sorted(set[str]().union(*(one.unknown_groups for one in by_day.values())))),
    )


def _find_days(message: Message, now: datetime) -> Iterator[date]:
    """Find the days of its zone on which a schedule fires; not today, of which part is over."""
    zone = _zone(message)
    today = now.astimezone(zone).date()
    for day in read_cron(message.cron or "").dates(now, zone):
        if day > today + timedelta(days=DAYS):
            return
        if day > today:
            yield day


def _count(messages: Sequence[Message], session: Session) -> Demand:
    demand = session.new_demand()
    for message in messages:
        demand.note(message, read_cron(message.cron or "").times_a_day)
    return demand


def _zone(message: Message) -> ZoneInfo:
    return ZoneInfo(message.timezone or "UTC")
