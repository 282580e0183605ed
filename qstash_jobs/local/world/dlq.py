"""The dead-letter queue: read by pages, emptied, and delivered again."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from qstash_jobs.local.world.accept import check_plan
from qstash_jobs.local.world.account import Account
from qstash_jobs.local.world.deliver import enter
from qstash_jobs.local.world.filters import Query, read_count, read_filter, read_number
from qstash_jobs.local.world.headers import read_given
from qstash_jobs.local.world.message import DeadLetter, Message
from qstash_jobs.local.world.refusal import Refusal
from qstash_jobs.local.world.resources import find_or_make_queue
from qstash_jobs.local.world.settings import Pairs, due_ms
from qstash_jobs.local.world.world import World

# wire contract 13
PAGE = 100
# wire contract 13: JS says that these are refused here
NOT_HERE = frozenset({"host", "path"})


def read_letters(account: Account, query: Query) -> tuple[list[DeadLetter], str | None]:
    """Select a page of dead letters, newest first, and where the next one begins."""
    wanted = read_filter(query)
    if wanted.wanted.keys() & NOT_HERE:
        raise Refusal(400, f"the dlq has no filter {min(wanted.wanted.keys() & NOT_HERE)}")
    ids = _read_ids(query)
    status = read_number(query, "responseStatus")
    count = read_count(query, default=PAGE, most=PAGE)
    cursor = next((value for value in query.get("cursor", ()) if value), None)
    before = None if cursor is None else _order(cursor)
    found = (
        letter
        for letter in reversed(list(account.dead.values()))
        if (before is None or _order(letter.id) < before)
        and (ids is None or letter.id in ids)
        and (status is None or letter.answer.status == status)
        and wanted.admits(letter.message, at_ms=letter.failed_ms)
    )
    page = list(islice(found, count))
    more = next(found, None) is not None
    return page, page[-1].id if more else None


def remove_letters(account: Account, letters: Sequence[DeadLetter]) -> int:
    """Remove dead letters; returns how many were there."""
    for letter in letters:
        account.changes.note_thing(account, "dead", letter.id)
    return sum(1 for letter in letters if account.dead.pop(letter.id, None) is not None)


def retry_letter(world: World, letter: DeadLetter, headers: Pairs) -> str:
    """Deliver a dead letter's message again as a new one; returns its id.

    Configuration headers of the request override the original's (wire contract, section 13), but for its delay,
    which is over.
    """
    old, account = letter.message, letter.message.account
    given = read_given(pair for pair in headers if pair[0].lower().startswith("upstash-"))
    if not given["headers"]:
        del given["headers"]
    settings = replace(replace(old.settings, delay_s=None, not_before_s=None), **given)
    check_plan(world, settings)
    number = world.next_number()
    message = Message(
        number=number,
        id=world.message_id(number),
        account=account,
        url=old.url,
        settings=settings,
        body=old.body,
        created_ms=world.now_ms,
        due_ms=due_ms(settings, world.now_ms),
        max_retries=given.get("retries", old.max_retries),
        retry_delay=given.get("retry_delay", old.retry_delay),
        kind=old.kind,
        topic=old.topic,
        endpoint=old.endpoint,
        queue=find_or_make_queue(world, account, old.queue.name) if old.queue is not None else None,
        schedule_id=old.schedule_id,
        caller_ip=old.caller_ip,
    )
    remove_letters(account, [letter])
    enter(world, message)
    return message.id


def _read_ids(query: Query) -> frozenset[str] | None:
    ids = frozenset(one for value in query.get("dlqIds", ()) for one in value.split(",") if one)
    return ids or None


def _order(letter_id: str) -> int:
    number = letter_id.rpartition("-")[2]
    if not (number.isascii() and number.isdigit()) or len(number) > 18:
        raise Refusal(400, "invalid cursor")
    return int(number)
