"""A cron text of five fields -> the Cron that it stands for, or a CronError that says where it does not."""

import re
from collections.abc import Mapping
from typing import NoReturn

from qstash_jobs.cron.expression import Cron, Values
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
LONGEST = 1_000
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
