"""Rules on labels and flow control."""

from collections.abc import Iterator

from qstash_jobs.grammar import is_label, is_wire_name
from qstash_jobs.message import Message
from qstash_jobs.problem import Severity
from qstash_jobs.rules.registry import Context, Flaw, rule

WEEK_S = 604_800


@rule(
    "label",
    fields=("labels",),
    title="a label is one word of plain text, without a comma",
    why="Labels travel in one header, separated by commas (both SDKs join them so), so a comma makes two "
    "of one.",
    fix="labels: [billing, nightly]",
)
def label(message: Message, _: Context) -> Iterator[Flaw]:
    for index, text in enumerate(message.labels):
        if is_label(text) and text.isascii():
            continue
        if "," in text:
            what, hint = "a comma makes two labels of one", "write two items: [one, two]"
        elif not text.strip():
            what, hint = "a label is empty", None
        elif not text.isascii():
            what, hint = "a label cannot hold letters beyond ASCII", "labels travel in a header"
        else:
            what, hint = "a label cannot hold blanks at its ends, nor control characters", "add `| trim`"
        yield Flaw(path=("labels", index), message=what, hint=hint)


@rule(
    "flow-control-key",
    fields=("flow_control",),
    title="a flow-control key: letters, digits, . _ and -",
    why="QStash's management API takes the key in a path, so another character could never be looked up or "
    "pinned.",
    fix="flow_control: {key: partner-api, rate: 10}",
)
def key(message: Message, _: Context) -> Iterator[Flaw]:
    if message.flow_control is not None and (flaw := check_flow_key(message.flow_control.key)) is not None:
        yield Flaw(path=("flow_control", "key"), message=flaw.message, hint=flaw.hint)


@rule(
    "flow-control-period",
    fields=("flow_control",),
    title="a period lasts from a second to a week, and belongs to a rate",
    why="The default is a second, the most a week (upstash docs, features/flowcontrol); parallelism has no "
    "period.",
    fix="flow_control: {key: partner-api, rate: 10, period: 1m}",
)
def period(message: Message, _: Context) -> Iterator[Flaw]:
    if message.flow_control is None:
        return
    flaw = check_period(message.flow_control.rate, message.flow_control.period_s)
    if flaw is not None:
        yield Flaw(
            path=("flow_control", *flaw.path), message=flaw.message, hint=flaw.hint, severity=flaw.severity
        )


def check_flow_key(text: str) -> Flaw | None:
    """Say what is wrong with a flow-control key."""
    if is_wire_name(text):
        return None
    return Flaw(message="a flow-control key cannot be this", hint="use letters, digits, `.`, `_` and `-`")


def check_period(rate: int | None, period_s: int | None) -> Flaw | None:
    """Say what is wrong with the period of a flow control."""
    if period_s is None:
        return None
    if not 1 <= period_s <= WEEK_S:
        return Flaw(path=("period",), message="a period lasts from a second to a week")
    if rate is None:
        return Flaw(
            path=("period",),
            message="a period without a `rate` says nothing",
            hint="add `rate: …`, or take the period out",
            severity=Severity.WARNING,
        )
    return None
