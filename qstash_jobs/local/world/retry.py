"""A failed attempt -> when the next one is due, or that there is none."""

import math
import re
from email.utils import parsedate_to_datetime

from qstash_jobs.local.world.message import Answer, Message

DAY_MS = 86_400_000

# wire contract 17, in this order
HINTS = ("retry-after", "x-ratelimit-reset", "x-ratelimit-reset-requests", "x-ratelimit-reset-tokens")
GO_UNITS_MS = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
GO_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)")


def is_retryable(message: Message, answer: Answer) -> bool:
    """Say whether there is another attempt."""
    if message.retried >= message.max_retries:
        return False
    # wire contract 17: 489 with its header fails at once
    return not (answer.status == 489 and _find(answer, "upstash-nonretryable-error") == "true")


def retry_delay_ms(message: Message, answer: Answer, *, real_ms: int) -> int:
    """Work out the wait before the next attempt: as the answer asks, else the expression, else the back-off."""
    asked = _read_hints(answer, real_ms=real_ms)
    if asked is not None:
        return asked
    if message.retry_delay is not None:
        wanted = message.retry_delay.delays_ms(message.retried + 1)[-1]
        if not math.isnan(wanted):
            return round(min(max(wanted, 0), DAY_MS))
    return back_off_ms(message.retried + 1)


def back_off_ms(retry: int) -> int:
    """Return the default wait before retry 1, 2, … (wire contract 4.3: min(86400, e^(2.5 n)) seconds)."""
    return DAY_MS if retry > 4 else round(1000 * math.exp(2.5 * retry))


def _read_hints(answer: Answer, *, real_ms: int) -> int | None:
    for name in HINTS:
        text = _find(answer, name)
        wait = _read_hint(text, real_ms=real_ms) if text else None
        # wire contract 17: above one day, the default back-off is used
        if wait is not None and 0 <= wait <= DAY_MS:
            return math.ceil(wait)
    return None


def _read_hint(text: str, *, real_ms: int) -> float | None:
    if re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,9})?", text):
        return float(text) * 1000
    parts = GO_PART.findall(text[:100])
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * GO_UNITS_MS[unit] for number, unit in parts)
    try:
        return max(0, parsedate_to_datetime(text).timestamp() * 1000 - real_ms)
    except (ValueError, OverflowError):
        return None


def _find(answer: Answer, name: str) -> str | None:
    return next((value.strip() for key, value in answer.headers if key.lower() == name), None)
