"""When schedules fire next -> text, JSON lines, Markdown; and what they ask of the plan in a few sentences."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Literal

from qstash_jobs.report.escape import escape_line, write_json
from qstash_jobs.report.markdown import write_code, write_table
from qstash_jobs.report.wording import count, write_moment
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """One time of a schedule."""

    name: str
    file: str
    line: int
    cron: str
    timezone: str
    moment: datetime
    """In the schedule's zone; of a skipped time, what the clock would have shown."""
    state: Literal["fires", "repeated", "skipped"]
    """A repeated time comes twice, because the clock is set back over it; a skipped one does not come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Burden:
    """What schedules publish in the days ahead."""

    days: int
    deliveries: int
    attempts: int
    """Deliveries with every retry."""
    busiest: date
    busiest_deliveries: int
    busiest_attempts: int
    messages_per_day: int | None
    unknown_groups: tuple[str, ...]
    """Groups that no file declares; they count as one endpoint."""


_REMARKS = {
    "fires": "",
    "repeated": "the clock shows this time twice, and it fires both times",
    "skipped": "does not fire: the clock skips this time",
}


def write_firings(firings: Sequence[Firing]) -> Iterator[str]:
    """Write a line for each time."""
    for one in firings:
        utc = "" if one.state == "skipped" else f" {_write_utc(one)}"
        remark = f" ({_REMARKS[one.state]})" if _REMARKS[one.state] else ""
        yield escape_line(f"{one.name} {_write_local(one)} {one.timezone}{utc}{remark}")


def write_firings_jsonl(firings: Sequence[Firing]) -> Iterator[str]:
    """Write a JSON object for each time."""
    for one in firings:
        yield write_json(
            {
                "name": one.name,
                "file": one.file,
                "line": one.line,
                "cron": one.cron,
                "timezone": one.timezone,
                "local": _write_local(one),
                "utc": None if one.state == "skipped" else _write_utc(one),
                "state": one.state,
            }
        )


def write_firings_markdown(firings: Sequence[Firing]) -> Iterator[str]:
    """Write a table with a row for each time."""
    return write_table(
        ("schedule", "cron", "in its zone", "zone", "UTC", "remark"),
        (
            (
                write_code(one.name),
                write_code(one.cron),
                _write_local(one),
                write_code(one.timezone),
                "" if one.state == "skipped" else _write_utc(one),
                _REMARKS[one.state],
            )
            for one in firings
        ),
    )


def summarise_burden(burden: Burden) -> Iterator[str]:
    """Say what the days ahead ask of the plan; the last sentence is a warning where a day asks too much."""
    yield f"in the {burden.days} days after today: {_write_load(burden.deliveries, burden.attempts)}"
    yield (
        f"on the busiest day, {burden.busiest}: "
        f"{_write_load(burden.busiest_deliveries, burden.busiest_attempts)}{_write_limit(burden)}"
    )
    if burden.unknown_groups:
        yield f"counted as one endpoint, because no file declares them: {', '.join(burden.unknown_groups)}"


def is_too_much(burden: Burden) -> bool:
    """Say whether a day asks more than the plan has."""
    return burden.messages_per_day is not None and burden.busiest_attempts > burden.messages_per_day


def _write_limit(burden: Burden) -> str:
    if burden.messages_per_day is None:
        return ""
    too_much = "warning: " if is_too_much(burden) else ""
    return f"; {too_much}the plan allows {burden.messages_per_day:,} messages a day"


def _write_load(deliveries: int, attempts: int) -> str:
    retries = f", {attempts:,} with every retry" if attempts > deliveries else ""
    return count(deliveries, "message") + retries


def _write_local(firing: Firing) -> str:
    """Write the wall clock's time; a skipped one has no offset."""
    if firing.state == "skipped":
        return firing.moment.strftime("%Y-%m-%dT%H:%M")
    return firing.moment.isoformat(timespec="minutes")


def _write_utc(firing: Firing) -> str:
    return write_moment(firing.moment.astimezone(UTC)) or ""
