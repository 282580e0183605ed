"""One request -> its answer: authentication, then the resource that the path names. Refusals become JSON."""

from collections.abc import Callable
from urllib.parse import unquote_plus

from qstash_jobs.local.routes import control, dlq, logs, messages, publish, resources, schedules
from qstash_jobs.local.routes.call import Call, Reply, Visit, write_refusal
from qstash_jobs.local.routes.own import OWN_ROUTES
from qstash_jobs.local.routes.spoiled import spoil
from qstash_jobs.local.world.account import Account
from qstash_jobs.local.world.fault import take_fault
from qstash_jobs.local.world.refusal import Refusal
from qstash_jobs.local.world.world import World

__all__ = ["PUBLISHING", "Call", "Reply", "answer"]

Route = Callable[[Visit], Reply]

ROUTES: dict[str, Route] = {
    "publish": publish.publish,
    "enqueue": publish.enqueue,
    "batch": publish.batch,
    "messages": messages.messages,
    "topics": resources.topics,
    "queues": resources.queues,
    "events": logs.logs,
    "logs": logs.logs,
    "dlq": dlq.dlq,
    "flowControl": control.flow_control,
    "globalParallelism": control.global_parallelism,
    "keys": control.keys,
    "schedules": schedules.schedules,
}

_ROUTES_OF = {"v2": ROUTES, "local": OWN_ROUTES}

# Requests that bring messages in: time does not jump while one is handled.
PUBLISHING = ("/v2/publish/", "/v2/enqueue/", "/v2/batch", "/v2/dlq/retry")


def answer(world: World, call: Call) -> Reply:
    """Answer a request, and change the world as it asks."""
    try:
        return _route(world, call)
    except Refusal as refusal:
        return write_refusal(refusal)


def _route(world: World, call: Call) -> Reply:
    path, _, query = _strip_origin(call.target).partition("?")
    _, version, resource, rest = [*path.split("/", 3), "", "", ""][:4]
    visit = Visit(world=world, account=_authenticate(world, call, query), call=call, rest=rest, query=query)
    route = _ROUTES_OF.get(version, {}).get(resource)
    if route is None:
        raise Refusal(404, f"not found: {path[:200]}")
    fault = take_fault(visit.account.faults, resource) if version == "v2" and visit.account.faults else None
    return route(visit) if fault is None else spoil(fault, visit, _act(route))


def _act(route: Route) -> Route:
    """Answer refusals too: a fault may spoil any answer."""

    def act(visit: Visit) -> Reply:
        try:
            return route(visit)
        except Refusal as refusal:
            return write_refusal(refusal)

    return act


def _strip_origin(target: str) -> str:
    # RFC 9112, 3.2.2: a server must accept the absolute form
    for scheme in ("http://", "https://"):
        if target.startswith(scheme):
            _, slash, path = target.removeprefix(scheme).partition("/")
            return slash + path
    return target


def _authenticate(world: World, call: Call, query: str) -> Account:
    token = (call.header("authorization") or "").removeprefix("Bearer ").strip()
    if not token:
        # wire contract 1: the alternative to the header
        parameters = (part.partition("=") for part in query.split("&"))
        token = next((unquote_plus(value) for name, _, value in parameters if name == "qstash_token"), "")
    if not token:
        raise Refusal(401, "unauthorized: authorization header is missing")
    account = world.find_account(token)
    if account is None and (reader := world.find_reader(token)) is not None:
        if call.method != "GET":
            # wire contract 1: 401 or 403 is not documented
            raise Refusal(403, "forbidden: a read-only token may only read")
        return reader
    if account is None:
        raise Refusal(401, "unauthorized: unable to authenticate: invalid token")
    return account
