"""Command-line words -> what is asked for of the ledger."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from qstash_jobs.api.history import MessageFilter
from qstash_jobs.cli.inputs import check_text
from qstash_jobs.errors import UsageError
from qstash_jobs.grammar import GrammarError, read_seconds


def read_moment(option: str, text: str | None, now: datetime) -> datetime | None:
    """Read a date, a moment (UTC where no zone is said), or how long ago it was: `2d`, `12h`."""
    check_text(option, text)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    except ValueError:
        pass
    try:
        return now - timedelta(seconds=read_seconds(text.removesuffix("ago").strip()))
    except (GrammarError, OverflowError) as error:
        raise UsageError(
            f"{option} {text} is no moment; write 2026-01-31, 2026-01-31T09:00Z, or how long ago, such as 2d"
        ) from error


def read_message_filter(given: Mapping[str, Any]) -> MessageFilter:
    """Gather what `options.choosing` was given."""
    for pattern in given["jobs"]:
        check_text("--job", pattern)
    return MessageFilter(states=given["states"], jobs=given["jobs"])
