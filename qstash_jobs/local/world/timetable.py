"""A cron text as QStash takes it (`CRON_TZ=Europe/Berlin 0 4 * * *`) -> the moments at which it fires."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from qstash_jobs.cron import DESCRIPTORS, Cron, CronError, read_cron
from qstash_jobs.local.world.refusal import Refusal

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MS = 250_000_000_000_000
"""The year 9892: behind it, times cannot be written."""

# robfig/cron bc59245 parser.go, Parse: `TZ=` is a synonym
ZONED = re.compile(r"(?:CRON_)?TZ=(?P<zone>\S*)(?:\s+(?P<cron>.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """When a schedule fires."""

    text: str
    cron: Cron
    zone: ZoneInfo

    def next_ms(self, after_ms: int) -> int | None:
        """Return the next moment after one, or None where there is none."""
        if not self.cron.fires() or after_ms > LAST_MS:
            return None
        after = EPOCH + timedelta(milliseconds=after_ms)
        found = next(self.cron.next_times(after, self.zone), None)
        return None if found is None else round((found - EPOCH).total_seconds()) * 1000


def read_timetable(text: str) -> Timetable:
    """Read a cron text, with its zone or in UTC; raises Refusal."""
    # wire contract 4.5: blanks around it are taken away
    text = text.strip()
    if not text:
        raise Refusal(400, "Invalid cron expression empty spec string")
    zoned = ZONED.fullmatch(text)
    zone = _read_zone(zoned["zone"] if zoned else "UTC")
    plain = ((zoned["cron"] or "") if zoned else text).strip()
    try:
        # robfig/cron bc59245 parser.go, parseDescriptor; whether QStash knows these is not documented
        cron = read_cron(DESCRIPTORS.get(plain, plain))
    except CronError as error:
        raise Refusal(400, f"Invalid cron expression {error}") from error
    return Timetable(text=text, cron=cron, zone=zone)


def _read_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Refusal(400, f"Invalid cron expression provided bad location {name[:100]}") from error
