"""Counts, moments and spans -> the words that people read."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import ceil

MINUTE_S = 60
HOUR_S = 3_600
DAY_S = 86_400

STATE_ORDER = (
    "published",
    "deduplicated",
    "partial",
    "rejected",
    "in_doubt",
    "sending",
    "waiting",
    "planned",
    "skipped",
    "abandoned",
)

STATE_WORDS = {"in_doubt": "in doubt", "sending": "in doubt", "abandoned": "left out"}
"""Where the word for people is another one. Whatever was being sent when a run died may have arrived."""


def count(number: int, noun: str) -> str:
    """Write a number and its noun: `1 message`, `1,000 messages`, `2 deliveries`."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun[:-1]}ies" if re.search("[^aeiou]y$", noun) else f"{number:,} {noun}s"


def join(words: Sequence[str]) -> str:
    """Write a list as a sentence has it: `a, b and c`."""
    *start, last = words or ("",)
    return f"{', '.join(start)} and {last}" if start else last


def name_state(state: str) -> str:
    """Name a message's state for people."""
    return STATE_WORDS.get(state, state)


def write_totals(totals: Mapping[str, int]) -> str:
    """Write how many messages are in which state, the zeros left out: `published 12, rejected 1`."""
    known = [state for state in STATE_ORDER if totals.get(state)]
    others = sorted(state for state in totals if totals[state] and state not in STATE_ORDER)
    summed: dict[str, int] = {}
    for state in (*known, *others):
        summed[name_state(state)] = summed.get(name_state(state), 0) + totals[state]
    return ", ".join(f"{word} {number:,}" for word, number in summed.items()) or "no messages"


def show_moment(moment: datetime) -> str:
    """Write a moment to the minute."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def write_moment(moment: datetime | None) -> str | None:
    """Write a moment for machines: RFC 3339, in UTC."""
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def write_unix_moment(seconds: float) -> str | None:
    """Write Unix seconds as a moment for machines; None where no calendar reaches that far."""
    try:
        return write_moment(datetime.fromtimestamp(seconds, UTC))
    except (OverflowError, ValueError, OSError):
        return None


def show_age(moment: datetime, now: datetime) -> str:
    """Write how long ago a moment was, or how far ahead it is."""
    seconds = (now - moment).total_seconds()
    if abs(seconds) < 1:
        return "now"
    if seconds > 0:
        return f"{_show_span(seconds)} ago"
    # what is ten minutes ahead is ten minutes ahead a moment later too
    return f"in {_show_span(ceil(-seconds))}"


def show_when(moment: datetime, now: datetime | None) -> str:
    """Write a moment, and how long ago it was where `now` is known."""
    return show_moment(moment) if now is None else f"{show_moment(moment)}, {show_age(moment, now)}"


def show_duration(seconds: float) -> str:
    """Write how long something took, in as many digits as matter."""
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < 10 and seconds != int(seconds):
        return f"{seconds:.1f} s"
    if seconds < MINUTE_S:
        return f"{int(seconds)} s"
    minutes, rest = divmod(int(seconds), MINUTE_S)
    if minutes < MINUTE_S:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, MINUTE_S)
    return f"{hours:,} h {minutes} min" if minutes else f"{hours:,} h"


def _show_span(seconds: float) -> str:
    if seconds < MINUTE_S:
        return f"{int(seconds)} s"
    if seconds < HOUR_S:
        return f"{int(seconds // MINUTE_S)} min"
    if seconds < 2 * DAY_S:
        return f"{int(seconds // HOUR_S)} h"
    return count(int(seconds // DAY_S), "day")
