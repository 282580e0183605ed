"""What no QStash has: `/local/…`, where a test asks for faults, turns switches, lets time pass, and the page looks."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from qstash_jobs.local.routes.call import Reply, Visit, not_allowed, unknown, write_json
from qstash_jobs.local.routes.survey import survey
from qstash_jobs.local.world.fault import Fault
from qstash_jobs.local.world.faults import add_fault
from qstash_jobs.local.world.refusal import Refusal
from qstash_jobs.local.world.switches import change_switches
from qstash_jobs.local.world.world import LONGEST_S


def faults(visit: Visit) -> Reply:
    """Answer `/local/faults` and `/local/faults/{id}`."""
    known = visit.account.faults
    match visit.call.method, visit.names:
        case "GET", ():
            return write_json([_show(one) for one in known])
        case "POST", ():
            fault = add_fault(visit.world, visit.account, visit.read_object())
            return write_json(_show(fault), status=201)
        case "DELETE", ():
            known.clear()
            return Reply()
        case "DELETE", (fault_id,):
            known.remove(_find(visit, fault_id))
            return Reply()
        case _, () | (_,):
            raise not_allowed(visit)
        case _:
            raise unknown(visit)


def switches(visit: Visit) -> Reply:
    """Answer `/local/switches`."""
    if visit.names:
        raise unknown(visit)
    if visit.call.method == "PATCH":
        visit.world.switches = change_switches(visit.world.switches, visit.read_object())
    elif visit.call.method != "GET":
        raise not_allowed(visit)
    return write_json(asdict(visit.world.switches))


def advance(visit: Visit) -> Reply:
    """Answer `POST /local/advance`."""
    if visit.names:
        raise unknown(visit)
    if visit.call.method != "POST":
        raise not_allowed(visit)
    seconds = visit.read_object().get("seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= LONGEST_S:
        raise Refusal(400, f"invalid body: seconds is a number up to {LONGEST_S}")
    visit.world.advance(round(seconds * 1000))
    return Reply()


def clock(visit: Visit) -> Reply:
    """Answer `GET /local/clock`: the time that schedules go by, in milliseconds since 1970."""
    if visit.names:
        raise unknown(visit)
    if visit.call.method != "GET":
        raise not_allowed(visit)
    return write_json({"now": visit.world.calendar_ms})


def _find(visit: Visit, fault_id: str) -> Fault:
    found = next((one for one in visit.account.faults if one.id == fault_id), None)
    if found is None:
        raise Refusal(404, f"fault {fault_id[:100]} not found")
    return found


def _show(fault: Fault) -> dict[str, Any]:
    return asdict(fault) | {"on": sorted(fault.on), "times": "always" if fault.times is None else fault.times}


OWN_ROUTES: dict[str, Callable[[Visit], Reply]] = {
    "faults": faults,
    "switches": switches,
    "advance": advance,
    "clock": clock,
    "messages": survey,
}
