"""A zone and instants or local times -> when its clocks show what, and when they are set."""

from collections.abc import Iterator
from datetime import MAXYEAR, UTC, datetime, timedelta
from zoneinfo import ZoneInfo


def place(local: datetime, zone: ZoneInfo) -> list[datetime]:
    """Return the instants, in UTC, at which a zone's clocks show a time: none in a gap, two where it is repeated."""
    instants = {local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(instant for instant in instants if instant.astimezone(zone).replace(tzinfo=None) == local)


def is_repeated(moment: datetime, zone: ZoneInfo) -> bool:
    """Say whether the zone's clocks show this moment's time once more, before it or after."""
    return len(place(moment.astimezone(zone).replace(tzinfo=None), zone)) > 1


def find_changes(zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
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


def is_steady(instant: datetime, zone: ZoneInfo) -> bool:
    """Tell whether a zone's clocks are not set within a day of an instant."""
    if instant.year == MAXYEAR:
        return False  # there may be no day after it
    day = timedelta(days=1)
    return _offset(instant - day, zone) == _offset(instant, zone) == _offset(instant + day, zone)


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta | None:
    return instant.astimezone(zone).utcoffset()


def read_wall_clock(instant: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return what the clocks would have shown at a change without it, and what they show."""
    since = instant.astimezone(zone)
    before = (instant - timedelta(seconds=1)).astimezone(zone) + timedelta(seconds=1)
    return before.replace(tzinfo=None), since.replace(tzinfo=None)
