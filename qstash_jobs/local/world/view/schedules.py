"""Schedules -> the fields that the service shows (wire contract, section 8)."""

from qstash_jobs.local.world.headers import read_settings
from qstash_jobs.local.world.message import Message, State
from qstash_jobs.local.world.schedule import Schedule
from qstash_jobs.local.world.view.settings import Fields, show_body, show_headers, show_settings
from qstash_jobs.local.world.world import World


def show_schedule(world: World, schedule: Schedule) -> Fields:
    """Show a schedule."""
    settings = read_settings(schedule.headers)
    fields: Fields = {
        "scheduleId": schedule.id,
        "destination": schedule.destination,
        "cron": schedule.timetable.text,
        "createdAt": schedule.created_ms,
        "method": settings.method,
        "header": show_headers(settings, settings.headers),
        "retries": world.switches.default_retries if settings.retries is None else settings.retries,
        "isPaused": schedule.paused,
        # wire contract D18: both spellings
        "callerIP": schedule.caller_ip,
        "callerIp": schedule.caller_ip,
        **show_body(settings, schedule.body),
        **show_settings(settings),
        **_show_times(schedule),
    }
    # In seconds, as its delay is known to be.
    for name, seconds in (("delay", settings.delay_s), ("timeout", settings.timeout_s)):
        if seconds is not None:
            fields[name] = seconds
    if schedule.queue is not None:
        fields["queueName"] = schedule.queue
    if schedule.error is not None:
        fields["error"] = schedule.error
    return fields


def _show_times(schedule: Schedule) -> Fields:
    fields: Fields = {}
    if schedule.next_ms is not None:
        fields["nextScheduleTime"] = schedule.next_ms
    if schedule.last_ms is not None:
        fields["lastScheduleTime"] = schedule.last_ms
        fields["lastScheduleStates"] = {one.id: _state(one) for one in schedule.last_messages}
    return fields


def _state(message: Message) -> str:
    if message.end is None:
        return "IN_PROGRESS"
    return "SUCCESS" if message.end is State.DELIVERED else "FAIL"
