"""Schedules: made, overwritten, paused, removed, and fired when their time has come."""

from dataclasses import replace

from qstash_jobs.local.world.accept import Order, commit, prepare
from qstash_jobs.local.world.account import Account
from qstash_jobs.local.world.refusal import Refusal
from qstash_jobs.local.world.resources import is_name
from qstash_jobs.local.world.schedule import Schedule
from qstash_jobs.local.world.settings import Pairs
from qstash_jobs.local.world.timetable import Timetable, read_timetable
from qstash_jobs.local.world.world import World

# The schedule's own, not its messages'. wire contract 3: there is no absolute time in a schedule.
OWN = frozenset({"upstash-cron", "upstash-schedule-id", "upstash-queue-name", "upstash-not-before"})
# What a message keeps; other headers count where all of them are forwarded. The token never does.
KEPT = ("upstash-", "content-type")


def put_schedule(world: World, account: Account, order: Order) -> Schedule:
    """Make a schedule from a request, or overwrite the one with its id; raises Refusal."""
    timetable = read_timetable(_find(order.headers, "upstash-cron") or "")
    given_id = (_find(order.headers, "upstash-schedule-id") or "").strip()
    known = account.schedules.get(given_id)
    _check(world, account, given_id, known)
    queue = (_find(order.headers, "upstash-queue-name") or "").strip() or None
    order = replace(order, headers=_keep(order.headers), queue=queue)
    prepare(world, account, order)
    schedule = known or Schedule(
        id=given_id or world.schedule_id(),
        account=account,
        created_ms=world.calendar_ms,
        destination=order.destination,
        timetable=timetable,
        headers=order.headers,
        body=order.body,
        queue=order.queue,
        caller_ip=order.caller_ip,
    )
    if known:
        _overwrite(known, timetable, order)
        known.paused = known.paused and world.switches.overwrite == "keeps_pause"
    account.schedules[schedule.id] = schedule
    _plan(world, schedule)
    return schedule


def pause_schedule(world: World, schedule: Schedule, *, paused: bool) -> None:
    """Let a schedule rest, or go on: what it missed meanwhile is not made up for."""
    schedule.paused = paused
    _plan(world, schedule)


def remove_schedule(schedule: Schedule) -> None:
    """Remove a schedule; what it has published stays."""
    schedule.next_ms = None
    schedule.account.changes.note_thing(schedule.account, "schedule", schedule.id)
    del schedule.account.schedules[schedule.id]


def fire_due(world: World) -> None:
    """Publish what the schedules that are due publish."""
    while (schedule := world.calendar.take(world.calendar_ms)) is not None:
        _fire(world, schedule)


def _fire(world: World, schedule: Schedule) -> None:
    account = schedule.account
    schedule.last_ms, schedule.error = schedule.next_ms, None
    schedule.last_messages = ()
    order = Order(
        destination=schedule.destination,
        headers=schedule.headers,
        body=schedule.body,
        queue=schedule.queue,
        schedule_id=schedule.id,
        caller_ip=schedule.caller_ip,
    )
    try:
        (receipts,) = commit(world, account, [prepare(world, account, order)])
        schedule.last_messages = tuple(
            account.messages[one.message_id] for one in receipts if one.message_id in account.messages
        )
    except Refusal as refusal:
        schedule.error = refusal.text
    # A machine that slept catches up with one time, not with all that it missed.
    _plan(world, schedule)


def _plan(world: World, schedule: Schedule) -> None:
    schedule.next_ms = None if schedule.paused else schedule.timetable.next_ms(world.calendar_ms)
    world.calendar.put(schedule)
    world.changes.note_thing(schedule.account, "schedule", schedule.id)


def _overwrite(schedule: Schedule, timetable: Timetable, order: Order) -> None:
    """Replace what a schedule publishes and when."""
    schedule.timetable = timetable
    schedule.destination, schedule.queue = order.destination, order.queue
    schedule.headers, schedule.body = order.headers, order.body
    schedule.caller_ip = order.caller_ip


def _check(world: World, account: Account, given_id: str, known: Schedule | None) -> None:
    if given_id and not is_name(given_id):
        raise Refusal(
            400, f"invalid schedule id: {given_id[:100]!r}: use letters, digits, hyphen, underscore, period"
        )
    if known is None and len(account.schedules) >= world.quota.schedules:
        raise Refusal(412, f"quota maxSchedules exceeded, current limit: {world.quota.schedules}")


def _keep(headers: Pairs) -> Pairs:
    forwarding = (_find(headers, "upstash-header-forward") or "").strip().lower() == "true"
    return tuple(
        (name, value)
        for name, value in headers
        if name.lower() not in OWN
        and (name.lower().startswith(KEPT) or (forwarding and name.lower() != "authorization"))
    )


def _find(headers: Pairs, name: str) -> str | None:
    return next((value for key, value in headers if key.lower() == name), None)
