"""Rules on schedules: when they fire, in which zone, and what they refuse."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from qstash_jobs.message import DedupKind, Message
from qstash_jobs.problem import Severity
from qstash_jobs.rules.registry import Context, Flaw, rule

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from qstash_jobs.cron import Cron


@rule(
    "cron-syntax",
    fields=("cron",),
    title="cron has five fields: minute, hour, day of month, month, day of week",
    why="QStash reads robfig/cron's dialect: 0-6 or SUN-SAT (no 7), no seconds, no L, W or #, ranges that "
    "rise. A zone goes into `timezone`, which is sent as CRON_TZ.",
    fix='cron: "0 4 * * 1-5"\ntimezone: Europe/Berlin',
)
def syntax(message: Message, _: Context) -> Iterator[Flaw]:
    if message.cron is None:
        return
    from qstash_jobs.cron import CronError, read_cron

    try:
        read_cron(message.cron)
    except CronError as error:
        yield Flaw(path=("cron",), message=str(error), hint=error.hint)


@rule(
    "cron-never",
    fields=("cron",),
    title="a schedule that never fires",
    why="QStash takes an expression such as 31 February and never delivers anything (robfig/cron v3 gives "
    "up after five years).",
    fix='cron: "0 4 28 2 *"',
)
def never(message: Message, _: Context) -> Iterator[Flaw]:
    cron = _read(message)
    if cron is not None and not cron.fires():
        yield Flaw(path=("cron",), message="this schedule never fires: there is no such day")


@rule(
    "cron-meaning",
    fields=("cron",),
    title="a schedule that fires at other times than it seems",
    why="Where day of month and day of week are both restricted, either one is enough, and a stepped star "
    "(*/2) counts as a restriction (robfig/cron v3, spec.go).",
    fix='cron: "0 4 * * MON"    # one of the two day fields is *',
)
def meaning(message: Message, _: Context) -> Iterator[Flaw]:
    cron = _read(message)
    for warning in cron.warnings() if cron is not None else ():
        yield Flaw(path=("cron",), message=warning, severity=Severity.WARNING)


@rule(
    "cron-clock-change",
    fields=("cron", "timezone"),
    title="a schedule in an hour that a clock change skips or repeats",
    why="The clock on the wall decides: on one day of the year the hour does not exist and nothing fires, "
    "on another it comes twice (robfig/cron v3, spec.go).",
    fix='cron: "30 4 * * *"    # outside the hours of the change, or without a timezone (UTC)',
)
def clock_change(message: Message, context: Context) -> Iterator[Flaw]:
    cron, zone = _read(message), _zone(message)
    what = None if cron is None or zone is None else cron.dst_sensitive(zone, after=context.now)
    if what is not None:
        yield Flaw(
            path=("cron",),
            message=what,
            hint="choose an hour that no clock change touches",
            severity=Severity.WARNING,
        )


@rule(
    "cron-timezone",
    fields=("timezone",),
    title="a time zone has a name of the IANA list",
    why="It is sent as CRON_TZ; an unknown one is refused.",
    fix="timezone: Europe/Berlin",
)
def timezone(message: Message, _: Context) -> Iterator[Flaw]:
    if message.timezone is not None and _zone(message) is None:
        yield Flaw(
            path=("timezone",),
            message="there is no such time zone",
            hint="use a name of the IANA list, such as Europe/Berlin",
        )


@rule(
    "schedule-dedup",
    fields=("dedup", "not_before"),
    title="a schedule has no deduplication and no moment of its own",
    why="A repeated deduplication id on a schedule was answered with the id of a deleted schedule, and "
    "nothing was made (upstash/qstash-js issue 39); not_before is no setting of a schedule (openapi.yaml).",
    fix="take `dedup` and `not_before` out of the schedule",
)
def dedup(message: Message, _: Context) -> Iterator[Flaw]:
    if message.job.kind != "schedule":
        return
    if message.dedup.kind is not DedupKind.PER_RUN:
        yield Flaw(path=("dedup",), message="a schedule has no `dedup`", hint="take it out", at_key=True)
    if message.not_before is not None:
        yield Flaw(
            path=("not_before",), message="a schedule has no `not_before`", hint="take it out", at_key=True
        )


def _read(message: Message) -> "Cron | None":
    if message.cron is None:
        return None
    from qstash_jobs.cron import CronError, read_cron

    try:
        return read_cron(message.cron)
    except CronError:
        return None


def _zone(message: Message) -> "ZoneInfo | None":
    if message.timezone is None:
        return None
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(message.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
