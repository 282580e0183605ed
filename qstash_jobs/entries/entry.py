"""One cron entry, translated or left out with the reason; and what all readers of entries share."""

from qstash_jobs.cron import CronError, read_cron
from qstash_jobs.value import dataclass


class UnreadableEntriesError(Exception):
    """the file cannot be read as what it is said to be"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A cron entry that a schedule can take over."""

    name: str
    """What its key is made of."""
    source: str
    """As it was written."""
    line: int
    """From 1; 0 where it is not known."""
    cron: str
    """In QStash's dialect."""
    url: str
    method: str
    timezone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A cron entry that no schedule can stand for."""

    source: str
    line: int
    """From 1; 0 where it is not known."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a file held, in its order."""

    entries: tuple[Entry | LeftOut, ...]
    remarks: tuple[str, ...] = ()
    """What holds for the file as a whole."""


def explain_cron(cron: str) -> str | None:
    """Say why QStash does not take an expression; None where it does."""
    try:
        read = read_cron(cron)
    except CronError as error:
        return f"{error}; {error.hint}" if error.hint else str(error)
    return None if read.fires() else "it never fires: there is no such day"
