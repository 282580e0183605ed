"""What was looked at of a machine and its settings -> a line for each, with what to do; or one JSON document."""

from collections.abc import Iterator, Sequence
from typing import Literal

from qstash_jobs.report.escape import escape, write_json
from qstash_jobs.report.layout import Style, paint
from qstash_jobs.report.wording import count, join
from qstash_jobs.value import dataclass

Verdict = Literal["good", "warning", "wrong", "unknown"]

_STYLES: dict[Verdict, Style] = {"good": "good", "warning": "warn", "wrong": "bad", "unknown": "warn"}

_CONCERNS = (6, 4, 2, 5)
"""Exit codes, the highest concern first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    verdict: Verdict
    found: str
    advice: str | None = None
    """What to do about it."""
    exit_code: int = 0
    """What a run would end with because of it."""


def write_checks(checks: Sequence[Check], *, colour: bool = False) -> Iterator[str]:
    """Write each check on a line, and below it what to do about it."""
    for check in checks:
        verdict = paint(check.verdict, _STYLES[check.verdict], colour=colour)
        yield f"{verdict} {paint(check.name, 'bold', colour=colour)}: {escape(check.found)}"
        if check.advice is not None:
            yield f"  {paint('hint', 'bold', colour=colour)}: {escape(check.advice)}"


def write_checks_json(checks: Sequence[Check]) -> str:
    """Write all checks as one JSON document on one line."""
    return write_json(
        {
            "exit_code": exit_code_of_checks(checks),
            "checks": [
                {
                    "name": check.name,
                    "verdict": check.verdict,
                    "found": check.found,
                    "advice": check.advice,
                    "exit_code": check.exit_code,
                }
                for check in checks
            ],
        }
    )


def summarise_checks(checks: Sequence[Check]) -> str:
    """Say how much is not in order."""
    wrong, warnings, unknown = (
        sum(check.verdict == verdict for check in checks) for verdict in ("wrong", "warning", "unknown")
    )
    parts = [f"{count(wrong, 'thing')} wrong"] if wrong else []
    parts += [count(warnings, "warning")] if warnings else []
    parts += [f"{unknown:,} that could not be told"] if unknown else []
    return f"looked at {count(len(checks), 'thing')}: {join(parts) if parts else 'all is well'}"


def exit_code_of_checks(checks: Sequence[Check]) -> int:
    """Name what a run would end with: the highest concern wins."""
    codes = {check.exit_code for check in checks}
    return next((code for code in _CONCERNS if code in codes), 0)
