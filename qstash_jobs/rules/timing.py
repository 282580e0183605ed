"""Rules on when a message is delivered, how often it is tried, and for how long."""

import math
from collections.abc import Iterator
from datetime import timedelta

from qstash_jobs.grammar import GrammarError, read_retry_delay, show_seconds
from qstash_jobs.message import Message
from qstash_jobs.problem import Path, Severity
from qstash_jobs.rules.registry import Context, Flaw, rule

YEAR_S = 31_536_000
LONGEST_TIMEOUT_S = 7_200
LONGEST_RETRY_DELAY_MS = 86_400_000
USUAL_RETRIES = 3
"""How often QStash retries where a job does not say (upstash docs, features/retry)."""


@rule(
    "not-before-past",
    fields=("not_before",),
    title="not_before lies ahead",
    why="QStash delivers a message with a past time at once, which is seldom what the file means.",
    fix="not_before: 2030-12-24T18:00:00+01:00",
)
def past(message: Message, context: Context) -> Iterator[Flaw]:
    if message.not_before is not None and message.not_before < context.now:
        yield Flaw(
            path=("not_before",),
            message=f"{message.not_before:%Y-%m-%d %H:%M:%S} UTC is past",
            hint="take it out to deliver at once",
        )


@rule(
    "delay-long",
    fields=("delay", "not_before"),
    title="the plan limits how far ahead a message may lie",
    why="7 days on the free plan, a year pay-as-you-go (upstash.com/pricing/qstash). Beyond it the answer "
    'is 400 "quota maxDelay exceeded".',
    fix="delay: 7d    # the limit that is checked: `quota: free` in qstash-jobs.yaml",
)
def delay(message: Message, context: Context) -> Iterator[Flaw]:
    if message.delay_s is not None:
        field, ahead_s = "delay", float(message.delay_s)
    elif message.not_before is not None:
        field, ahead_s = "not_before", (message.not_before - context.now) / timedelta(seconds=1)
    else:
        return
    if context.max_delay_s is not None and ahead_s > context.max_delay_s:
        yield Flaw(path=(field,), message=f"the plan allows {show_seconds(context.max_delay_s)} at most")
    elif context.max_delay_s is None and ahead_s > YEAR_S and not context.server_is_local:
        yield Flaw(
            path=(field,),
            message="this is more than a year ahead, which few plans allow",
            severity=Severity.WARNING,
        )


@rule(
    "retries-many",
    fields=("retries", "callback", "failure_callback"),
    title="the plan limits retries",
    why='Beyond the limit the answer is 400 "quota maxRetries exceeded".',
    fix="retries: 3",
)
def retries(message: Message, context: Context) -> Iterator[Flaw]:
    for path, count in _settings(message, "retries"):
        if context.max_retries is not None and isinstance(count, int) and count > context.max_retries:
            yield Flaw(path=path, message=f"the plan allows {context.max_retries} retries at most")


@rule(
    "retry-delay",
    fields=("retry_delay", "retries", "callback", "failure_callback"),
    title="a retry delay is an expression in milliseconds",
    why="Numbers, `retried` (0 at the first retry), + - * / and parentheses, and pow exp sqrt abs floor "
    "ceil round min max (upstash docs, features/retry). It is worked out here for each retry: QStash does "
    "not document what a negative or missing value does, waits a day at most, and counts in whole seconds.",
    fix="retry_delay: min(pow(2, retried) * 1000, 300000)",
)
def retry_delay(message: Message, _: Context) -> Iterator[Flaw]:
    for path, text in _settings(message, "retry_delay"):
        try:
            delays = read_retry_delay(str(text)).delays_ms(_retries(message) or 1)
        except GrammarError as error:
            yield Flaw(path=path, message=str(error), hint=error.hint)
            continue
        yield from _judge(path, delays)


def _judge(path: Path, delays: tuple[float, ...]) -> Iterator[Flaw]:
    for number, delay_ms in enumerate(delays, 1):
        what = _strange(delay_ms)
        if what is not None:
            yield Flaw(
                path=path,
                message=f"before retry {number}, {what}",
                hint="it counts in milliseconds",
                severity=Severity.WARNING,
            )
            return


def _strange(delay_ms: float) -> str | None:
    if math.isnan(delay_ms):
        return "the delay has no value"
    if delay_ms < 0:
        return "the delay is negative"
    if delay_ms > LONGEST_RETRY_DELAY_MS:
        return "the delay is longer than a day, which is the most that QStash waits"
    if delay_ms < 1000:
        return "the delay is less than a second, which may be none at all"
    return None


@rule(
    "retry-delay-unused",
    fields=("retry_delay", "retries"),
    title="without retries there is nothing to delay",
    why="`retries: 0` turns retries off.",
    fix="retries: 3\nretry_delay: 1000 * (1 + retried)",
)
def retry_delay_unused(message: Message, _: Context) -> Iterator[Flaw]:
    if message.retry_delay is not None and message.retries == 0:
        yield Flaw(
            path=("retry_delay",),
            message="`retries: 0` leaves nothing to delay",
            severity=Severity.WARNING,
            at_key=True,
        )


@rule(
    "timeout",
    fields=("timeout", "callback", "failure_callback"),
    title="a timeout lies between a second and the plan's limit",
    why="It can only shorten the plan's own: 15 minutes on the free plan, 2 hours pay-as-you-go "
    "(upstash.com/pricing/qstash). With 0 nothing could answer in time.",
    fix="timeout: 30s",
)
def timeout(message: Message, context: Context) -> Iterator[Flaw]:
    longest_s = context.max_timeout_s or LONGEST_TIMEOUT_S
    for path, seconds in _settings(message, "timeout_s"):
        if seconds == 0:
            yield Flaw(
                path=path,
                message="with a timeout of 0 nothing can answer in time",
                hint="write `timeout: 30s`",
            )
        elif isinstance(seconds, int) and seconds > longest_s:
            yield Flaw(
                path=path,
                message=f"a timeout can only shorten the plan's own, {show_seconds(longest_s)}",
                severity=Severity.WARNING,
            )


def _settings(message: Message, name: str) -> Iterator[tuple[Path, int | str]]:
    """Yield what the message and its callbacks say of one setting."""
    field = name.removesuffix("_s")
    for base, holder in (
        ((), message),
        (("callback",), message.callback),
        (("failure_callback",), message.failure_callback),
    ):
        value = None if holder is None else getattr(holder, name)
        if value is not None:
            yield (*base, field), value


def _retries(message: Message) -> int:
    return USUAL_RETRIES if message.retries is None else message.retries
