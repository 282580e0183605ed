"""Rules on deduplication."""

from collections.abc import Iterator

from qstash_jobs.grammar import is_dedup_id
from qstash_jobs.message import DedupKind, Message
from qstash_jobs.problem import Severity
from qstash_jobs.rules.registry import Context, Flaw, rule

LONG = 512
"""Characters; QStash does not say how many it takes, and nobody is known to have sent more."""


@rule(
    "dedup-id",
    fields=("dedup",),
    title="a deduplication id: letters, digits, . _ - and ,",
    why="A colon is answered with 400 \"DeduplicationId cannot contain ':'\" (documented nowhere, met by "
    "many); blanks are reported refused too. An id is shared by everything that publishes to the account.",
    fix='dedup: {id: "order-${{ row.order_id }}"}    # {key: …} takes any text',
)
def characters(message: Message, _: Context) -> Iterator[Flaw]:
    text = message.dedup.value
    if message.dedup.kind is not DedupKind.ID or text is None:
        return
    if not is_dedup_id(text):
        what = "a `:`" if ":" in text else "a character that QStash refuses" if text else "nothing"
        yield Flaw(
            path=("dedup", "id"),
            message=f"the deduplication id holds {what}",
            hint="use letters, digits, . _ - and , or write `key` in place of `id`",
        )
    elif len(text) > LONG:
        yield Flaw(
            path=("dedup", "id"),
            message=f"the deduplication id is longer than {LONG} characters",
            hint="write `key` in place of `id`: a key is hashed",
            severity=Severity.WARNING,
        )


@rule(
    "dedup-none",
    fields=("dedup",),
    title="without a deduplication id, trying again may duplicate",
    why="When an answer is lost, nobody can tell whether the message arrived; with an id QStash recognises "
    "it.",
    fix="dedup: per_run    # the default",
)
def none(message: Message, _: Context) -> Iterator[Flaw]:
    if message.dedup.kind is DedupKind.NONE:
        yield Flaw(
            path=("dedup",),
            message="without an id, trying again after a lost answer may duplicate the message",
            severity=Severity.WARNING,
        )
