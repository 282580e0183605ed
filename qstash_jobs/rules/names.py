"""Rules on names in the account: URL groups, queues, and what a queue refuses."""

from collections.abc import Iterator

from qstash_jobs.grammar import is_wire_name
from qstash_jobs.message import Message
from qstash_jobs.problem import Severity
from qstash_jobs.rules.registry import Context, Flaw, rule

ALLOWED = "letters, digits, `_`, `-` and `.`"


def check_group_name(name: str) -> Flaw | None:
    """Say what is wrong with a URL group's name."""
    if is_wire_name(name) and "://" not in name:
        return None
    if "://" in name:
        return Flaw(message="this is a URL, not the name of a URL group", hint="write `url:` instead")
    return Flaw(message="a URL group cannot have this name", hint=f"use {ALLOWED}")


def check_queue_name(name: str) -> Flaw | None:
    """Say what is wrong with a queue's name."""
    if is_wire_name(name):
        return None
    return Flaw(message="a queue cannot have this name", hint=f"use {ALLOWED}")


@rule(
    "url-group-name",
    fields=("url_group",),
    title="the name of a URL group: letters, digits, dots, dashes, underscores",
    why="Other names are refused; what is neither a group nor a URL is answered with the misleading "
    '"endpoint has invalid scheme" (upstash docs, features/url-groups; docs issue 50).',
    fix="url_group: order-placed",
)
def group_name(message: Message, _: Context) -> Iterator[Flaw]:
    flaw = None if message.url_group is None else check_group_name(message.url_group)
    if flaw is not None:
        yield Flaw(path=("url_group",), message=flaw.message, hint=flaw.hint)


@rule(
    "queue-name",
    fields=("queue",),
    title="the name of a queue: letters, digits, dots, dashes, underscores",
    why="Other names are answered with 400 (upstash changelog, September 2024; openapi.yaml).",
    fix="queue: invoices",
)
def queue_name(message: Message, _: Context) -> Iterator[Flaw]:
    flaw = None if message.queue is None else check_queue_name(message.queue)
    if flaw is not None:
        yield Flaw(path=("queue",), message=flaw.message, hint=flaw.hint)


@rule(
    "queue-delay",
    fields=("queue", "delay", "not_before"),
    title="a queue refuses delay and not_before",
    why="A queue delivers one message after the other; the service answers a delayed one with an error "
    "(upstash/docs pull requests 225 and 279). The JavaScript SDK sends it all the same.",
    fix="queue: invoices    # without delay; or a delay without a queue",
)
def queue_delay(message: Message, _: Context) -> Iterator[Flaw]:
    if message.queue is None:
        return
    for field, value in (("delay", message.delay_s), ("not_before", message.not_before)):
        if value is not None:
            yield Flaw(
                path=(field,),
                message=f"a queue refuses `{field}`",
                hint="take the delay or the queue away",
                at_key=True,
            )


@rule(
    "queue-flow-control",
    fields=("queue", "flow_control"),
    title="flow control on a queue is not documented",
    why="Only the JavaScript SDK sends flow control when it enqueues; openapi.yaml and the Python SDK do "
    "not. A queue has a parallelism of its own.",
    fix="queues: {invoices: {parallelism: 2}}",
)
def queue_flow_control(message: Message, _: Context) -> Iterator[Flaw]:
    if message.queue is not None and message.flow_control is not None and message.job.kind == "job":
        yield Flaw(
            path=("flow_control",),
            message="QStash does not document flow control for a queue, and may ignore it",
            hint="limit the queue itself: `queues: {NAME: {parallelism: 2}}`",
            severity=Severity.WARNING,
            at_key=True,
        )
