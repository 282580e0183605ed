"""A crontab -> its entries, in the dialect of Vixie's cron and cronie, crontab(5), translated into QStash's.

Where the two mean different times, an entry is left out: a schedule that fires at other times than its crontab did
would be found out late.
"""

import re
from collections.abc import Iterator
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from qstash_jobs.cron import DESCRIPTORS
from qstash_jobs.entries.command import Call, read_call
from qstash_jobs.entries.entry import Entry, LeftOut, Reading, explain_cron
from qstash_jobs.value import dataclass

_SETTING = re.compile(r"\s*[\"']?(?P<name>[A-Za-z_]\w*)[\"']?\s*=\s*(?P<value>.*?)\s*")
_ENTRY = re.compile(r"\s*-?(?P<cron>@\w+|\S+(?:\s+\S+){4})\s+(?P<command>\S.*?)\s*")
_TERM = re.compile(r"(?P<low>[0-7])(?:-(?P<high>[0-7])(?:/(?P<step>[1-9]))?)?")
_NO_ZONE = (
    "the crontab names no zone: its times are taken as UTC, and on a machine whose clock shows another zone they were "
    "others; say which with --timezone"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Zone:
    """The zone that holds from some line on."""

    name: str | None
    is_known: bool = True


def read_crontab(text: str, *, url: str | None, timezone: str | None) -> Reading:
    """Read a crontab. `url` is for commands that call none, `timezone` for entries before any CRON_TZ."""
    found = list(_read_lines(text, url, timezone))
    is_silent = timezone is None and any(isinstance(one, Entry) and one.timezone is None for one in found)
    return Reading(entries=tuple(found), remarks=(_NO_ZONE,) if is_silent else ())


def _read_lines(text: str, url: str | None, timezone: str | None) -> Iterator[Entry | LeftOut]:
    zone = _Zone(name=timezone)
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        setting = _SETTING.fullmatch(line)
        if setting is not None:
            # cronie, crontab(5): CRON_TZ alone moves the times; TZ is the command's
            if setting["name"] == "CRON_TZ":
                name = setting["value"].strip("\"'")
                zone = _read_zone(name) if name else _Zone(name=timezone)
            continue
        entry = _read_entry(line, zone, url)
        if isinstance(entry, str):
            yield LeftOut(source=line.strip(), line=number, reason=entry)
            continue
        cron, call, name = entry
        yield Entry(
            name=name,
            source=line.strip(),
            line=number,
            cron=cron,
            url=call.url,
            method=call.method,
            timezone=zone.name,
        )


def _read_zone(name: str) -> _Zone:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return _Zone(name=name, is_known=False)
    return _Zone(name=name)


def _read_entry(line: str, zone: _Zone, url: str | None) -> tuple[str, Call, str] | str:
    entry = _ENTRY.fullmatch(line)
    if entry is None:
        return "it is no crontab entry: five fields or an @name, and a command"
    cron = _translate(entry["cron"])
    if cron is None:
        return _explain_untranslated(entry["cron"])
    fault = explain_cron(cron)
    if fault is not None:
        return fault
    if not zone.is_known:
        return f"there is no time zone {zone.name}"
    call = _find_call(entry["command"], url)
    return call if isinstance(call, str) else (cron, call, _name(entry["command"], call))


def _translate(cron: str) -> str | None:
    """Write an expression in QStash's dialect; None where it has none that means the same."""
    if cron.startswith("@"):
        return DESCRIPTORS.get(cron.lower())
    minute, hour, day, month, weekday = cron.split()
    # Vixie's entry.c: a day field that begins with a star counts as one, a step behind it or not; robfig/cron v3,
    # getRange: with a step it does not
    stars = [field.startswith("*") for field in (day, weekday)]
    stepped = [field.startswith("*") and field != "*" for field in (day, weekday)]
    if any(stepped) and "*" not in (day, weekday) and any(stars):
        return None
    return " ".join((minute, hour, day, month, _without_seven(weekday)))


def _without_seven(weekday: str) -> str:
    """Write Sunday as 0: crontab(5) takes 7 too."""
    terms = [_TERM.fullmatch(term) for term in weekday.split(",")]
    if "7" not in weekday or any(term is None for term in terms):
        return weekday
    days: set[int] = set()
    for term in terms:
        if term is not None:
            low = int(term["low"])
            days.update(range(low, int(term["high"] or low) + 1, int(term["step"] or 1)))
    return ",".join(map(str, sorted({day % 7 for day in days}))) if days else weekday


def _explain_untranslated(cron: str) -> str:
    if cron.lower() == "@reboot":
        return "@reboot is no time: QStash has nothing that starts with a machine"
    if cron.startswith("@"):
        return f"{cron} is not known; there are {', '.join(DESCRIPTORS)}"
    return (
        "with a stepped star in one day field and days in the other, a crontab wants both to match, and QStash either: "
        "list the days instead of stepping"
    )


def _find_call(command: str, url: str | None) -> Call | str:
    call: Call | str
    if re.search(r"(?<!\\)%", command):
        call = "what stands behind % is the command's standard input, and QStash has none: say which URL with --url"
    else:
        call = read_call(command.replace("\\%", "%"))
    return Call(url=url, method="POST") if isinstance(call, str) and url is not None else call


def _name(command: str, call: Call) -> str:
    if call.url in command:
        return call.url.partition("?")[0].rstrip("/").rpartition("/")[2]
    program = command.split()[0]
    return program.rpartition("/")[2].partition(".")[0]
