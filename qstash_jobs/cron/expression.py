"""A cron expression that was read -> the times at which it fires, and what may surprise about them.

The local wall clock is matched: a time that a clock change skips does not fire, one that it repeats fires twice.
cronsim finds the local times; it would mix the day fields and treat clock changes otherwise, so it gets lists of
values and no zone, and the rest is done here.
"""

import heapq
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from qstash_jobs.cron.zone import find_changes, is_steady, place, read_wall_clock
from qstash_jobs.value import dataclass

LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
A_YEAR_OF_RULES = datetime(2026, 1, 1, tzinfo=UTC)
"""Zones that change their clocks do so by rules, so that one year stands for the next."""


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
        for instant in find_changes(zone, after):
            before, since = read_wall_clock(instant, zone)
            start, end = min(before, since), max(before, since)
            local = next(self._local_times(start - timedelta(seconds=1)), None)
            if local is not None and local < end:
                what = "skips" if before < since else "repeats"
                return f"on {local:%Y-%m-%d} a clock change {what} {local:%H:%M} in {zone.key}"
        return None

    def next_times(self, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        """Yield the times after an aware one, in order, aware and in the zone; without end if it fires at all."""
        start = after.astimezone(zone).replace(tzinfo=None)
        if not is_steady(after, zone):
            # A clock set back repeats local times: those of the day before may still come. No clock goes back
            # further.
            start -= timedelta(days=1)
        again: list[datetime] = []
        for local in self._local_times(start):
            first, *second = place(local, zone) or (None,)
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

    def skipped_times(self, after: datetime, until: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        """Yield the local times between two aware moments that the clocks never show, without a zone."""
        end = until.astimezone(zone).replace(tzinfo=None)
        for local in self._local_times(after.astimezone(zone).replace(tzinfo=None)):
            if local > end:
                return
            if not place(local, zone):
                yield local

    def dates(self, after: datetime, zone: ZoneInfo) -> Iterator[date]:
        """Yield the local dates on which it fires, from that of an aware moment on."""
        midnight = Values(values=frozenset({0}), star=False)
        # dates are dates: read as those of UTC, no clock change takes a midnight away
        start = after.astimezone(zone).replace(tzinfo=UTC, hour=0, minute=0, second=0, microsecond=0)
        daily = replace(self, minutes=midnight, hours=midnight)
        return (local.date() for local in daily.next_times(start - timedelta(minutes=1), ZoneInfo("UTC")))

    @property
    def times_a_day(self) -> int:
        """How often it fires on a day on which it does and no clock is set."""
        return len(self.minutes.values) * len(self.hours.values)

    def _local_times(self, start: datetime) -> Iterator[datetime]:
        if not self.fires():
            return
        fields = (self.minutes, self.hours, self.days, self.months, self.weekdays)
        try:
            yield from CronSim(" ".join(map(str, fields)), start)
        except (CronSimError, OverflowError):
            return  # past the last year that a datetime can hold
