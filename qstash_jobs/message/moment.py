"""`not_before` and `timezone` -> one moment in UTC."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from qstash_jobs.message.types import UnreadableError
from qstash_jobs.problem import Finding

MILLISECONDS_FROM = 10**11
"""Unix seconds beyond this are of the year 5138: what is meant is milliseconds."""


def read_not_before(fields: Mapping[str, Any]) -> datetime:
    value = fields["not_before"]
    if isinstance(value, (int, Decimal)):
        return _from_unix_seconds(int(value))
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise _bad_time(
            f"this is not a time: {value}", "write it as 2026-12-24T18:00:00+01:00, or as Unix seconds"
        ) from error
    try:
        if moment.tzinfo is None:
            moment = _in_zone(moment, fields.get("timezone"))
        return moment.astimezone(UTC).replace(microsecond=0)
    except OverflowError as error:
        raise _bad_time(
            f"{value} is before or after all years of the calendar", "write another year"
        ) from error


def _from_unix_seconds(seconds: int) -> datetime:
    # Unix milliseconds land tens of thousands of years ahead (upstash docs, howto/delay: seconds, UTC)
    if abs(seconds) > MILLISECONDS_FROM:
        raise _bad_time(f"{seconds} is in milliseconds, and QStash reads seconds", f"write {seconds // 1000}")
    return datetime.fromtimestamp(seconds, UTC)


def _in_zone(moment: datetime, name: str | None) -> datetime:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    if name is None:
        raise _bad_time(
            "this time has no offset, so it is another moment in each time zone",
            "add an offset such as +01:00 or Z, or say `timezone: Europe/Berlin`",
        )
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnreadableError(
            Finding(
                path=("timezone",),
                rule="job-timezone",
                message=f"there is no time zone {name}",
                hint="use a name of the IANA list, such as Europe/Berlin",
            )
        ) from error
    earlier, later = moment.replace(tzinfo=zone, fold=0), moment.replace(tzinfo=zone, fold=1)
    if earlier.utcoffset() == later.utcoffset():
        return earlier
    skipped = earlier.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != moment
    what = "does not exist: the clocks skip it" if skipped else "happens twice: the clocks go back over it"
    raise _bad_time(f"{moment.isoformat(sep=' ')} in {name} {what}", "give an offset instead of a timezone")


def _bad_time(message: str, hint: str) -> UnreadableError:
    return UnreadableError(Finding(path=("not_before",), rule="job-not-before", message=message, hint=hint))
