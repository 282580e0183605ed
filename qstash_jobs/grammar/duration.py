"""A duration as people write it (`1d10h30m`, `3s`, 90) -> whole seconds, and back."""

import math
import re

from qstash_jobs.grammar.error import GrammarError, quote

# wire contract 4.1: units s m h d, compound forms accepted, sub-second units undocumented
UNITS_S = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}

LONGEST_S = 100 * 31_557_600
"""A hundred years: what is longer is a slip of the pen, milliseconds most of all."""

FORM = re.compile(r"(?:([0-9]{1,12})d)?(?:([0-9]{1,12})h)?(?:([0-9]{1,12})m)?(?:([0-9]{1,12})s)?")
EXAMPLE = "write it like 3s, 10m or 1d10h30m"


def read_seconds(value: str | int) -> int:
    """Read a duration into whole seconds; an integer is seconds already.

    In a text, each of the units d, h, m and s stands once at most, in that order. Raises GrammarError.
    """
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise GrammarError("this is not a duration", hint=EXAMPLE)
    seconds = _read_text(value) if isinstance(value, str) else value
    if seconds < 0:
        raise GrammarError("a duration cannot be negative", hint=EXAMPLE)
    if seconds > LONGEST_S:
        raise GrammarError(
            "a duration of more than 100 years cannot be meant", hint="a number without a unit is in seconds"
        )
    return seconds


def read_window(value: str | int) -> float:
    """Read a duration in seconds, or `forever` as infinity; raises GrammarError."""
    return math.inf if value == "forever" else float(read_seconds(value))


def write_seconds(seconds: int) -> str:
    """Write a duration as QStash always accepts it: `<n>s`."""
    # wire contract 4.1: a bare number is refused ("missing unit in duration")
    return f"{seconds}s"


def show_seconds(seconds: int) -> str:
    """Write a duration for people: `1d10h30m`."""
    parts = []
    rest = abs(seconds)
    for unit, size in UNITS_S.items():
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return ("-" if seconds < 0 else "") + ("".join(parts) or "0s")


def _read_text(text: str) -> int:
    form = FORM.fullmatch(text)
    if not text or form is None:
        raise GrammarError(f"{quote(text)} is not a duration", hint=_advise(text))
    return sum(int(n) * size for n, size in zip(form.groups(), UNITS_S.values(), strict=True) if n)


HINTS = (
    (r"[0-9]+", "add a unit, as in 90s; or take the quotes away: a plain number is in seconds"),
    (r"-.*", "a duration cannot be negative"),
    (r"[0-9]+ *(ms|us|µs|ns|millis.*)", "QStash counts in whole seconds: the units are s, m, h and d"),
    (r"(?=.*\s)(\s*[0-9]+\s*[dhms]\s*)+", "take the blanks out"),
    (r"(?=.*[DHMS])([0-9]+[DHMSdhms])+", "write the unit in lower case"),
    (r"[0-9]*\.[0-9]+[dhms]", "write whole numbers, as in 1h30m instead of 1.5h"),
    (r"[0-9]+w.*", "there is no unit for weeks: write days, as in 7d"),
    (r"P.*", "ISO 8601 durations are not read: write it like 1d10h30m"),
    (r"([0-9]+[dhms])+", "write each unit once, the longest first, as in 1d10h30m"),
)


def _advise(text: str) -> str:
    if len(text) > 100:
        return EXAMPLE
    return next((hint for form, hint in HINTS if re.fullmatch(form, text)), EXAMPLE)
