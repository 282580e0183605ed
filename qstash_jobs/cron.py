"""A cron text in the dialect of robfig/cron v3, which QStash speaks -> the times at which it fires.

Five fields: minute, hour, day of month, month, day of week. The local wall clock is matched: a time that a clock
change skips does not fire, one that it repeats fires twice. cronsim finds the local times; it would mix the day
fields and treat clock changes otherwise, so it gets lists of values and no zone, and the rest is done here.
"""

import heapq
import re
from collections.abc import Iterator, Mapping
from datetime import MAXYEAR, UTC, datetime, timedelta
from typing import NoReturn
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from qstash_jobs.grammar import GrammarError, nearest
from qstash_jobs.value import dataclass


class CronError(GrammarError):
    """the cron expression cannot be read"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What may stand in a field."""

    name: str
    least: int
    most: int
    names: Mapping[str, int]


MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
MONTHS = {name: number for number, name in enumerate(MONTH_NAMES, 1)}
WEEKDAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))}

# robfig/cron bc59245 spec.go: the bounds of the fields; a weekday of 7 is refused
FIELDS = (
    Bounds(name="minute", least=0, most=59, names={}),
    Bounds(name="hour", least=0, most=23, names={}),
    Bounds(name="day of month", least=1, most=31, names={}),
    Bounds(name="month", least=1, most=12, names=MONTHS),
    Bounds(name="day of week", least=0, most=6, names=WEEKDAYS),
)
LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
LONGEST = 1_000
A_YEAR_OF_RULES = datetime(2026, 1, 1, tzinfo=UTC)
"""Zones that change their clocks do so by rules, so that one year stands for the next."""
SHAPE = "the five fields are minute, hour, day of month, month and day of week, as in 0 4 * * *"

# robfig/cron bc59245 parser.go, parseDescriptor
DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """The values that a field stands for."""

    values: frozenset[int]
    star: bool
    """It has a `*` or `?` without a step: then the day fields are joined by "and"."""

    def __str__(self) -> str:
        """Write it for cronsim, whose own reading of a star is the same once it has no step."""
        return "*" if self.star else ",".join(map(str, sorted(self.values)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """A cron expression that was read."""

    text: str
    minutes: Values
    hours: Values
    days: Values
    months: Values
    weekdays: Values

    def fires(self) -> bool:
        """Tell whether there is any day for it: there is none for 31 February."""
        if self.days.star or not self.weekdays.star:
            return True
        return any(min(self.days.values) <= LONGEST_MONTH[month - 1] for month in self.months.values)

    def warnings(self) -> tuple[str, ...]:
        """Say what may surprise, whatever the zone."""
        if self.days.star or self.weekdays.star:
            return ()
        return ("both day fields are given, so it fires on every day that matches either of them",)

    def dst_sensitive(self, zone: ZoneInfo, *, after: datetime = A_YEAR_OF_RULES) -> str | None:
        """Say which clock change of the year after a moment skips or repeats one of its times, if one does.

        What fires in every hour is not asked about: there a change costs nothing that anybody counts on.
        """
        if len(self.hours.values) == 24:
            return None
        for instant in _find_changes(zone, after):
            before, since = _wall_clock(instant, zone)
            start, end = min(before, since), max(before, since)
            local = next(self._local_times(start - timedelta(seconds=1)), None)
            if local is not None and local < end:
                what = "skips" if before < since else "repeats"
                return f"on {local:%Y-%m-%d} a clock change {what} {local:%H:%M} in {zone.key}"
        return None

    def next_times(self, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        """Yield the times after an aware one, in order, aware and in the zone; without end if it fires at all."""
        start = after.astimezone(zone).replace(tzinfo=None)
        if not _is_steady(after, zone):
            # A clock set back repeats local times: those of the day before may still come. No clock goes back
            # further.
            start -= timedelta(days=1)
        again: list[datetime] = []
        for local in self._local_times(start):
            first, *second = _place(local, zone) or (None,)
            if first is None:
                continue
            while again and again[0] < first:
                yield heapq.heappop(again).astimezone(zone)
            if first > after:
                yield first.astimezone(zone)
            for instant in second:
                if instant > after:
                    heapq.heappush(again, instant)
        yield from (instant.astimezone(zone) for instant in sorted(again))

    def _local_times(self, start: datetime) -> Iterator[datetime]:
        if not self.fires():
            return
        fields = (self.minutes, self.hours, self.days, self.months, self.weekdays)
        try:
            yield from CronSim(" ".join(map(str, fields)), start)
        except (CronSimError, OverflowError):
            return  # past the last year that a datetime can hold


def read_cron(text: str) -> Cron:
    """Read an expression; raises CronError with the offset of the fault."""
    if len(text) > LONGEST:
        raise CronError(f"a cron expression of more than {LONGEST:,} characters is not read")
    _refuse_dialects(text)
    fields = [(found[0], found.start()) for found in re.finditer(r"[^ \t]+", text)]
    if len(fields) != len(FIELDS):
        message = f"a cron expression has five fields, and this has {len(fields)}"
        hint = (
            f"QStash's finest step is a minute: leave the seconds out; {SHAPE}" if len(fields) == 6 else SHAPE
        )
        raise CronError(message, hint=hint)
    read = [
        _read_field(field, offset, bounds) for (field, offset), bounds in zip(fields, FIELDS, strict=True)
    ]
    minutes, hours, days, months, weekdays = read
    return Cron(text=text, minutes=minutes, hours=hours, days=days, months=months, weekdays=weekdays)


def _refuse_dialects(text: str) -> None:
    start = text.strip().lower()
    if start.startswith("@"):
        same = DESCRIPTORS.get(start)
        raise CronError(
            "descriptors that begin with @ are not read: it is not documented that QStash knows them",
            hint=f"write {same}" if same else SHAPE,
        )
    if start.startswith(("tz=", "cron_tz=")):
        raise CronError(
            "the zone does not stand in the cron expression", hint="write it in the field timezone"
        )


def _read_field(field: str, offset: int, bounds: Bounds) -> Values:
    values: set[int] = set()
    star = False
    for term in field.split(","):
        more, is_star = _read_term(term, offset, bounds)
        values.update(more)
        star = star or is_star
        offset += len(term) + 1
    return Values(values=frozenset(values), star=star)


TERM = re.compile(r"(?P<low>[*?]|[0-9A-Za-z]+)(?:-(?P<high>[0-9A-Za-z]+))?(?:/(?P<step>[0-9]+))?")


def _read_term(term: str, offset: int, bounds: Bounds) -> tuple[range, bool]:
    """Read `*`, `N`, `N-M`, each with `/step` or without: the values, and whether it counts as a star."""
    found = TERM.fullmatch(term)
    if found is None or (found["low"] in "*?" and found["high"]):
        _refuse_term(term, offset, bounds)
    low, high = found["low"], found["high"]
    step = _read_number(found["step"] or "1", offset)
    if step == 0:
        raise CronError(f'the step of "{term}" is 0', hint="the smallest step is 1", offset=offset)
    # robfig/cron bc59245 parser.go, getRange: only a step beyond 1 takes the star away
    if low in "*?":
        return range(bounds.least, bounds.most + 1, step), step == 1
    start = _read_value(low, offset, bounds)
    # the same: "N/step" means "N-max/step"
    end = _read_value(high, offset, bounds) if high else bounds.most if found["step"] else start
    if start > end:
        rest = f"{bounds.least}-{high}" if bounds.least < end else f"{bounds.least}"
        hint = f"write {low}-{bounds.most},{rest}"
        raise CronError(f'the range "{term}" ends before it begins', hint=hint, offset=offset)
    return range(start, end + 1, step), False


def _read_value(text: str, offset: int, bounds: Bounds) -> int:
    if not text.isdecimal():
        value = bounds.names.get(text.upper())
        if value is None:
            _refuse_term(text, offset, bounds)
        return value
    value = _read_number(text, offset)
    if not bounds.least <= value <= bounds.most:
        sunday = bounds.names is WEEKDAYS and value == 7
        message = f"the {bounds.name} goes from {bounds.least} to {bounds.most}, and this is {value}"
        raise CronError(message, hint="Sunday is 0" if sunday else None, offset=offset)
    return value


def _read_number(text: str, offset: int) -> int:
    if len(text) > 9:
        raise CronError("a number of a cron expression has nine digits at most", offset=offset)
    return int(text)


def _refuse_term(term: str, offset: int, bounds: Bounds) -> NoReturn:
    shown = term if term.isprintable() and len(term) <= 40 else "…"
    message = (
        f'"{shown}" cannot stand for the {bounds.name}'
        if term
        else f"a value of the {bounds.name} is missing"
    )
    raise CronError(message, hint=_advise(term, bounds), offset=offset)


def _advise(term: str, bounds: Bounds) -> str:
    if re.fullmatch(r"(?i)L|LW|[0-9]*W|[0-9A-Z]+L|L-[0-9]+|.*#.*", term):
        return "L, W and # are of other crons: QStash's has none of them"
    meant = next((name for name in bounds.names if term.upper().startswith(name)), None)
    meant = meant or nearest(term, bounds.names)
    if meant:
        return f"did you mean {meant}?"
    return "write a number, a range as in 1-5, a list as in 1,3 or a step as in */5"


def _place(local: datetime, zone: ZoneInfo) -> list[datetime]:
    """Return the instants, in UTC, at which a zone's clocks show a time: none in a gap, two where it is repeated."""
    instants = {local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(instant for instant in instants if instant.astimezone(zone).replace(tzinfo=None) == local)


def _find_changes(zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """Yield the instants of the next year, in UTC and to the second, at which the zone's offset changes."""
    start = after.astimezone(UTC).replace(microsecond=0)
    for day in range(366):
        low, high = start + timedelta(days=day), start + timedelta(days=day + 1)
        if _offset(low, zone) == _offset(high, zone):
            continue
        while high - low > timedelta(seconds=1):
            middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
            low, high = (middle, high) if _offset(middle, zone) == _offset(low, zone) else (low, middle)
        yield high


def _is_steady(instant: datetime, zone: ZoneInfo) -> bool:
    """Tell whether a zone's clocks are not set within a day of an instant."""
    if instant.year == MAXYEAR:
        return False  # there may be no day after it
    day = timedelta(days=1)
    return _offset(instant - day, zone) == _offset(instant, zone) == _offset(instant + day, zone)


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta | None:
    return instant.astimezone(zone).utcoffset()


def _wall_clock(instant: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return what the clocks would have shown at a change without it, and what they show."""
    since = instant.astimezone(zone)
    before = (instant - timedelta(seconds=1)).astimezone(zone) + timedelta(seconds=1)
    return before.replace(tzinfo=None), since.replace(tzinfo=None)
