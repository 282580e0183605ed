"""Rows of a file -> the world that they were written of, with everything ready to go on.

What was under way when it ended is delivered again: nobody knows what became of it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from qstash_jobs.local.kept.plain import read_plain
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
from qstash_jobs.local.kept.rows import Row, write_account_id
from qstash_jobs.local.world.account import Account
from qstash_jobs.local.world.deliver import give_up_if_cancelled, resume
from qstash_jobs.local.world.flow import FlowKey
from qstash_jobs.local.world.groups import Group
from qstash_jobs.local.world.message import Answer, DeadLetter, Event, Message, Stage, State
from qstash_jobs.local.world.queues import Queue
from qstash_jobs.local.world.schedule import Schedule
from qstash_jobs.local.world.timetable import read_timetable
from qstash_jobs.local.world.turns import let_in
from qstash_jobs.local.world.world import Position, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a file holds; rows in the order in which they were made."""

    position: str | None = None
    """None: nothing yet."""
    messages: Iterable[Row] = ()
    events: Iterable[Row] = ()
    things: Iterable[Row] = ()
    dedup: Iterable[Row] = ()


@dataclass(slots=True, kw_only=True)
class _Found:
    """What is restored so far."""

    world: World
    accounts: Mapping[str, Account]
    messages: dict[int, Message] = field(default_factory=dict)
    active: list[Message] = field(default_factory=list)
    parents: list[tuple[Message, int]] = field(default_factory=list)
    removed_queues: dict[tuple[str, str], Queue] = field(default_factory=dict)


def restore(world: World, kept: Kept) -> set[int]:
    """Fill a new world, and return the numbers of its messages; accounts it does not know stay where they are."""
    world.changes.wanted = True
    if kept.position is None:
        return set()
    world.go_on_from(read_plain(Position, kept.position))
    found = _Found(world=world, accounts={write_account_id(one.token): one for one in world.accounts})
    things = [row for row in kept.things if row[0] in found.accounts]
    _read_things(found, things, _BEFORE_MESSAGES)
    for row in kept.messages:
        _read_message(found, row)
    for row in kept.events:
        _read_event(found, row)
    _read_things(found, things, _AFTER_MESSAGES)
    for owner, key, number, at_ms in kept.dedup:
        if (account := found.accounts.get(owner)) is not None:
            account.dedup.put(key, number, now_ms=at_ms)
    _go_on(found)
    return set(found.messages)


def _read_things(found: _Found, rows: Iterable[Row], readers: Mapping[str, "_Reader"]) -> None:
    for owner, kind, name, text in rows:
        if kind in readers:
            readers[kind](found, found.accounts[owner], read_plain(str, name), text)


def _go_on(found: _Found) -> None:
    for message, number in found.parents:
        parent = found.messages.get(number)
        if parent is not None:
            message.parent = parent
            parent.callbacks_open += 1
    for account in found.world.accounts:
        log = sorted((e for m in account.messages.values() for e in m.events), key=lambda e: e.sequence)
        account.log.extend(log[-4 * account.retention.messages :])
    over = [one for one in found.messages.values() if one.stage is Stage.SETTLED]
    for message in sorted(over, key=lambda one: one.events[-1].sequence if one.events else 0):
        message.account.settle(message)
    for message in found.messages.values():
        resume(found.world, message)
    for message in found.active:
        give_up_if_cancelled(found.world, message)
    for account in found.world.accounts:
        for queue in account.queues.values():
            let_in(found.world, queue)


def _read_account(_found: _Found, account: Account, _: str, text: str) -> None:
    kept = read_plain(KeptAccount, text)
    account.current_key, account.next_key = kept.current_key, kept.next_key
    account.today, account.today_count = kept.today, kept.today_count
    account.events_written, account.letters_written = kept.events_written, kept.letters_written


def _read_queue(_found: _Found, account: Account, name: str, text: str) -> None:
    kept = read_plain(KeptQueue, text)
    account.queues[name] = Queue(
        name=name,
        created_ms=kept.created_ms,
        updated_ms=kept.updated_ms,
        parallelism=kept.parallelism,
        paused=kept.paused,
    )


def _read_group(_found: _Found, account: Account, name: str, text: str) -> None:
    kept = read_plain(KeptGroup, text)
    account.groups[name] = Group(
        name=name,
        created_ms=kept.created_ms,
        updated_ms=kept.updated_ms,
        endpoints=list(kept.endpoints),
        headers=kept.headers,
    )


def _read_flow(_found: _Found, account: Account, name: str, text: str) -> None:
    kept = read_plain(KeptFlow, text)
    account.flows[name] = FlowKey(
        name=name,
        limit=kept.limit,
        started=kept.started,
        period_start_ms=kept.period_start_ms,
        paused=kept.paused,
        pinned_parallelism=kept.pinned_parallelism,
        pinned_rate=kept.pinned_rate,
    )


def _read_message(found: _Found, row: Row) -> None:
    number, owner, text, body, due_ms, retried, end, cancelled, active, in_queue, letter, parent = row
    account = found.accounts.get(owner)
    if account is None:
        return
    kept = read_plain(KeptMessage, text)
    message = Message(
        number=number,
        id=found.world.message_id(number),
        account=account,
        url=kept.url,
        settings=kept.settings,
        body=body,
        created_ms=kept.created_ms,
        due_ms=due_ms,
        max_retries=kept.max_retries,
        retry_delay=kept.retry_delay,
        kind=kept.kind,
        topic=kept.topic,
        endpoint=kept.endpoint,
        queue=_find_queue(found, account, kept),
        schedule_id=kept.schedule_id,
        caller_ip=kept.caller_ip,
        stage=Stage.WAITING if end is None else Stage.SETTLED,
        end=None if end is None else State(end),
        retried=retried,
        in_queue=bool(in_queue),
        cancel_requested=bool(cancelled),
        dead_letter=letter,
    )
    account.messages[message.id] = found.messages[number] = message
    if active:
        found.active.append(message)
    if parent is not None:
        found.parents.append((message, parent))


def _find_queue(found: _Found, account: Account, kept: KeptMessage) -> Queue | None:
    name = kept.queue
    if name is None:
        return None
    queue = account.queues.get(name)
    if queue is not None and queue.created_ms <= kept.created_ms:
        return queue
    # It was removed while some of its messages were under way, and perhaps made anew since.
    gone = Queue(name=name, created_ms=found.world.now_ms, updated_ms=found.world.now_ms)
    return found.removed_queues.setdefault((account.token, name), gone)


def _read_event(found: _Found, row: Row) -> None:
    number, sequence, time_ms, state, error, next_ms, answer, body = row
    message = found.messages.get(number)
    if message is not None:
        given = None if answer is None else _read_answer(read_plain(KeptAnswer, answer), body)
        reason = None if error is None else read_plain(str, error)
        message.events.append(Event(sequence, time_ms, message, State(state), reason, next_ms, given))


def _read_answer(kept: KeptAnswer, body: bytes) -> Answer:
    return Answer(kept.status, kept.headers, body, kept.error)


def _read_letter(found: _Found, account: Account, name: str, text: str) -> None:
    kept = read_plain(KeptLetter, text)
    message = found.messages.get(kept.message)
    if message is not None:
        answer = _read_answer(kept.answer, kept.body)
        account.dead[name] = DeadLetter(id=name, message=message, failed_ms=kept.failed_ms, answer=answer)


def _read_schedule(found: _Found, account: Account, name: str, text: str) -> None:
    kept = read_plain(KeptSchedule, text)
    schedule = Schedule(
        id=name,
        account=account,
        destination=kept.destination,
        timetable=read_timetable(kept.cron),
        headers=kept.headers,
        body=kept.body,
        queue=kept.queue,
        caller_ip=kept.caller_ip,
        created_ms=kept.created_ms,
        paused=kept.paused,
        next_ms=kept.next_ms,
        last_ms=kept.last_ms,
        last_messages=tuple(found.messages[one] for one in kept.last_messages if one in found.messages),
        error=kept.error,
    )
    account.schedules[name] = schedule
    found.world.calendar.put(schedule)


_Reader = Callable[[_Found, Account, str, str], None]
_BEFORE_MESSAGES: Mapping[str, _Reader] = {
    "account": _read_account,
    "queue": _read_queue,
    "group": _read_group,
    "flow": _read_flow,
}
# These hold messages.
_AFTER_MESSAGES: Mapping[str, _Reader] = {"schedule": _read_schedule, "dead": _read_letter}
