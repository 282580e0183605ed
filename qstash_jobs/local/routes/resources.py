"""URL groups and queues as JSON (wire contract, sections 9 and 10)."""

from typing import Any

from qstash_jobs.local.routes.call import Reply, Visit, check_verb, not_allowed, unknown, write_json
from qstash_jobs.local.world.groups import Endpoint, Group
from qstash_jobs.local.world.headers import read_settings
from qstash_jobs.local.world.queues import Queue
from qstash_jobs.local.world.refusal import Refusal
from qstash_jobs.local.world.resources import put_endpoints, put_queue, remove_endpoints, remove_queue
from qstash_jobs.local.world.settings import Pairs
from qstash_jobs.local.world.values import read_url
from qstash_jobs.local.world.view import show_group, show_queue

OK = Reply()


def topics(visit: Visit) -> Reply:
    """Answer `/v2/topics`, `/v2/topics/{name}` and `/v2/topics/{name}/endpoints`."""
    match visit.call.method, visit.names:
        case "GET", ():
            return write_json([show_group(visit.world, group) for group in visit.account.groups.values()])
        case "GET", (name,):
            return write_json(show_group(visit.world, _find_group(visit, name)))
        case "DELETE", (name,):
            del visit.account.groups[_find_group(visit, name).name]
            visit.world.changes.note_thing(visit.account, "group", name)
            return OK
        case "PATCH", (name,):
            _find_group(visit, name).headers = _read_defaults(visit)
            visit.world.changes.note_thing(visit.account, "group", name)
            return OK
        case (("POST" | "PUT"), (name, "endpoints")):
            put_endpoints(visit.world, visit.account, name, _read_endpoints(visit, need_url=True))
            return OK
        case "DELETE", (name, "endpoints"):
            group = _find_group(visit, name)
            remove_endpoints(visit.world, visit.account, group, _read_endpoints(visit, need_url=False))
            return OK
        case _, () | (_,) | (_, "endpoints"):
            raise not_allowed(visit)
        case _:
            raise unknown(visit)


def queues(visit: Visit) -> Reply:
    """Answer `/v2/queues`, `/v2/queues/{name}`, and its pause and resume."""
    match visit.call.method, visit.names:
        case "GET", ():
            return write_json([show_queue(queue) for queue in visit.account.queues.values()])
        case "POST", ():
            return _put_queue(visit)
        case "GET", (name,):
            return write_json(show_queue(_find_queue(visit, name)))
        case "DELETE", (name,):
            remove_queue(visit.world, visit.account, _find_queue(visit, name))
            return OK
        case (("POST" | "PATCH"), (name, "pause" | "resume" as verb)):
            check_verb(visit)
            queue = _find_queue(visit, name)
            put_queue(visit.world, visit.account, queue.name, parallelism=None, paused=verb == "pause")
            return OK
        case _, () | (_,) | (_, "pause" | "resume"):
            raise not_allowed(visit)
        case _:
            raise unknown(visit)


def _find_group(visit: Visit, name: str) -> Group:
    group = visit.account.groups.get(name)
    if group is None:
        raise Refusal(404, f"topic {name[:100]} not found")
    return group


def _find_queue(visit: Visit, name: str) -> Queue:
    queue = visit.account.queues.get(name)
    if queue is None:
        raise Refusal(404, f"queue {name[:100]} not found")
    return queue


def _put_queue(visit: Visit) -> Reply:
    body = visit.read_object()
    name, parallelism, paused = body.get("queueName"), body.get("parallelism"), body.get("paused")
    if not isinstance(name, str) or not name:
        raise Refusal(400, "invalid body: queueName is missing")
    if parallelism is not None and type(parallelism) is not int:
        raise Refusal(400, "invalid body: parallelism is a whole number")
    if not isinstance(paused, bool | None):
        raise Refusal(400, "invalid body: paused is true or false")
    put_queue(visit.world, visit.account, name, parallelism=parallelism, paused=paused)
    return OK


def _read_endpoints(visit: Visit, *, need_url: bool) -> tuple[Endpoint, ...]:
    given = visit.read_object().get("endpoints")
    if not isinstance(given, list) or not given:
        raise Refusal(400, "invalid body: endpoints is a list of at least one endpoint")
    return tuple(_read_endpoint(one, need_url=need_url) for one in given)


def _read_endpoint(given: Any, *, need_url: bool) -> Endpoint:
    if not isinstance(given, dict):
        raise Refusal(400, "invalid body: an endpoint is an object with url and name")
    url, name = given.get("url") or "", given.get("name") or None
    if not isinstance(url, str) or not isinstance(name, str | None):
        raise Refusal(400, "invalid body: url and name of an endpoint are strings")
    if need_url:
        read_url(url, name="endpoint")
    elif not url and not name:
        raise Refusal(400, "invalid body: an endpoint needs url or name")
    return Endpoint(url=url, name=name)


def _read_defaults(visit: Visit) -> Pairs:
    """Read a group's default headers; each value is a string or a list of them."""
    given = visit.read_object().get("headers")
    if not isinstance(given, dict):
        raise Refusal(400, "invalid body: headers is a map")
    pairs: list[tuple[str, str]] = []
    for name, value in given.items():
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(one, str) for one in values):
            raise Refusal(400, "invalid body: the value of a header is a string or a list of strings")
        pairs += [(name, one) for one in values]
    read_settings(pairs)
    return tuple(pairs)
