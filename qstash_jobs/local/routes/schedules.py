"""Schedules as JSON (wire contract, section 8)."""

from qstash_jobs.local.routes.call import Reply, Visit, check_verb, not_allowed, unknown, write_json
from qstash_jobs.local.routes.destination import read_order
from qstash_jobs.local.world.refusal import Refusal
from qstash_jobs.local.world.schedule import Schedule
from qstash_jobs.local.world.schedules import pause_schedule, put_schedule, remove_schedule
from qstash_jobs.local.world.view import show_schedule

URLS = ("http://", "https://")


def schedules(visit: Visit) -> Reply:
    """Answer `/v2/schedules`, `/v2/schedules/{id}`, its pause and resume, and `POST /v2/schedules/{destination}`."""
    if visit.call.method == "POST" and (visit.rest.startswith(URLS) or len(visit.names) == 1):
        return make(visit)
    match visit.call.method, visit.names:
        case "GET", ():
            found = visit.account.schedules.values()
            return write_json([show_schedule(visit.world, one) for one in found])
        case "GET", (schedule_id,):
            return write_json(show_schedule(visit.world, _find(visit, schedule_id)))
        case "DELETE", (schedule_id,):
            remove_schedule(_find(visit, schedule_id))
            return Reply()
        case (("POST" | "PATCH"), (schedule_id, "pause" | "resume" as verb)):
            check_verb(visit)
            pause_schedule(visit.world, _find(visit, schedule_id), paused=verb == "pause")
            return Reply()
        case _, () | (_,) | (_, "pause" | "resume"):
            raise not_allowed(visit)
        case _:
            raise unknown(visit)


def make(visit: Visit) -> Reply:
    """Make a schedule of a request, or overwrite one."""
    schedule = put_schedule(visit.world, visit.account, read_order(visit, visit.rest, queue=None))
    return write_json({"scheduleId": schedule.id}, status=visit.world.switches.success_status)


def _find(visit: Visit, schedule_id: str) -> Schedule:
    schedule = visit.account.schedules.get(schedule_id)
    if schedule is None:
        raise Refusal(404, f"schedule {schedule_id[:100]} not found")
    return schedule
