"""Changes of a world -> the rows that hold them, complete as they are now: nothing of the world is looked at later."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from qstash_jobs.local.kept.plain import write_plain
from qstash_jobs.local.kept.records import (
    KeptAccount,
    KeptAnswer,
    KeptFlow,
    KeptGroup,
    KeptLetter,
    KeptMessage,
    KeptQueue,
    KeptSchedule,
)
from qstash_jobs.local.world.account import Account
from qstash_jobs.local.world.changes import Changes
from qstash_jobs.local.world.message import Answer, Event, Message, Stage
from qstash_jobs.local.world.schedule import Schedule
from qstash_jobs.local.world.world import World

Row = tuple[Any, ...]


@dataclass(slots=True, kw_only=True)
class Batch:
    """Rows that are written together."""

    position: str
    messages: list[Row] = field(default_factory=list)
    """New ones: number, account, what never changes, body, and what changes."""
    courses: list[Row] = field(default_factory=list)
    """What changes of known ones, and their numbers."""
    gone: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    things: list[Row] = field(default_factory=list)
    lost_things: list[Row] = field(default_factory=list)
    dedup: list[Row] = field(default_factory=list)
    dedup_before_ms: int
    """What was remembered before is out of its window."""


@lru_cache(maxsize=1024)
def write_account_id(token: str) -> str:
    """Write which account a row is of; the token cannot be told from it."""
    return hashlib.blake2b(token.encode("utf-8", "surrogateescape"), digest_size=9).hexdigest()


def write_batch(world: World, changes: Changes, written: set[int]) -> Batch:
    """Write changes down; `written` are the numbers of the messages that have rows, and is brought up to date."""
    batch = Batch(position=write_plain(world.position), dedup_before_ms=world.steady_ms - world.window_ms)
    for message in changes.messages:
        _write_message(batch, message, written)
    batch.events = [_write_event(event) for event in changes.events if event.message.number in written]
    for account, kind, name in changes.things:
        _write_thing(batch, account, kind, name)
    for account in _find_touched(changes):
        _write_thing(batch, account, "account", "")
    batch.dedup = [
        (write_account_id(account.token), key, number, at_ms) for account, key, number, at_ms in changes.dedup
    ]
    return batch


def _find_touched(changes: Changes) -> Iterable[Account]:
    """Find whose counters may have changed: none does by itself."""
    return dict.fromkeys(
        (
            *(message.account for message in changes.messages),
            *(account for account, _, _ in changes.things),
            *(account for account, _, _, _ in changes.dedup),
        )
    )


def _write_message(batch: Batch, message: Message, written: set[int]) -> None:
    number = message.number
    if message.id not in message.account.messages:
        if number in written:
            written.remove(number)
            batch.gone.append((number,))
    elif number in written:
        batch.courses.append((*_write_course(message), number))
    else:
        written.add(number)
        batch.messages.append(
            (
                number,
                write_account_id(message.account.token),
                write_plain(_keep_message(message)),
                message.body,
                *_write_course(message),
            )
        )


def _keep_message(message: Message) -> KeptMessage:
    return KeptMessage(
        url=message.url,
        settings=message.settings,
        created_ms=message.created_ms,
        max_retries=message.max_retries,
        retry_delay=message.retry_delay,
        kind=message.kind,
        topic=message.topic,
        endpoint=message.endpoint,
        queue=message.queue.name if message.queue is not None else None,
        schedule_id=message.schedule_id,
        caller_ip=message.caller_ip,
    )


def _write_course(message: Message) -> Row:
    return (
        message.due_ms,
        message.retried,
        message.end.value if message.end is not None and message.stage is Stage.SETTLED else None,
        message.cancel_requested,
        message.stage is Stage.ACTIVE,
        message.in_queue,
        message.dead_letter,
        message.parent.number if message.parent is not None else None,
    )


def _write_event(event: Event) -> Row:
    answer = event.answer
    return (
        event.message.number,
        event.sequence,
        event.time_ms,
        event.state.value,
        None if event.error is None else write_plain(event.error),
        event.next_ms,
        None if answer is None else write_plain(_keep_answer(answer)),
        None if answer is None else answer.body,
    )


def _keep_answer(answer: Answer) -> KeptAnswer:
    return KeptAnswer(status=answer.status, headers=answer.headers, error=answer.error)


def _write_thing(batch: Batch, account: Account, kind: str, name: str) -> None:
    kept = _KEEPERS[kind](account, name)
    owner = write_account_id(account.token)
    if kept is None:
        batch.lost_things.append((owner, kind, write_plain(name)))
    else:
        batch.things.append((owner, kind, write_plain(name), write_plain(kept)))


def _keep_account(account: Account, _: str) -> KeptAccount:
    return KeptAccount(
        current_key=account.current_key,
        next_key=account.next_key,
        today=account.today,
        today_count=account.today_count,
        events_written=account.events_written,
        letters_written=account.letters_written,
    )


def _keep_queue(account: Account, name: str) -> KeptQueue | None:
    queue = account.queues.get(name)
    if queue is None:
        return None
    return KeptQueue(
        created_ms=queue.created_ms,
        updated_ms=queue.updated_ms,
        parallelism=queue.parallelism,
        paused=queue.paused,
    )


def _keep_group(account: Account, name: str) -> KeptGroup | None:
    group = account.groups.get(name)
    if group is None:
        return None
    return KeptGroup(
        created_ms=group.created_ms,
        updated_ms=group.updated_ms,
        endpoints=tuple(group.endpoints),
        headers=group.headers,
    )


def _keep_flow(account: Account, name: str) -> KeptFlow | None:
    key = account.flows.get(name)
    if key is None:
        return None
    return KeptFlow(
        limit=key.limit,
        started=key.started,
        period_start_ms=key.period_start_ms,
        paused=key.paused,
        pinned_parallelism=key.pinned_parallelism,
        pinned_rate=key.pinned_rate,
    )


def _keep_schedule(account: Account, name: str) -> KeptSchedule | None:
    schedule: Schedule | None = account.schedules.get(name)
    if schedule is None:
        return None
    return KeptSchedule(
        destination=schedule.destination,
        cron=schedule.timetable.text,
        headers=schedule.headers,
        body=schedule.body,
        queue=schedule.queue,
        caller_ip=schedule.caller_ip,
        created_ms=schedule.created_ms,
        paused=schedule.paused,
        next_ms=schedule.next_ms,
        last_ms=schedule.last_ms,
        last_messages=tuple(message.number for message in schedule.last_messages),
        error=schedule.error,
    )


def _keep_letter(account: Account, name: str) -> KeptLetter | None:
    letter = account.dead.get(name)
    if letter is None:
        return None
    return KeptLetter(
        message=letter.message.number,
        failed_ms=letter.failed_ms,
        answer=_keep_answer(letter.answer),
        body=letter.answer.body,
    )


_KEEPERS: Mapping[str, Callable[[Account, str], Any]] = {
    "account": _keep_account,
    "queue": _keep_queue,
    "group": _keep_group,
    "flow": _keep_flow,
    "schedule": _keep_schedule,
    "dead": _keep_letter,
}
