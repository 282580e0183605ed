"""Flow-control keys and signing keys (wire contract, section 14)."""

from dataclasses import replace

from qstash_jobs.local.routes.call import Reply, Visit, not_allowed, unknown, write_json
from qstash_jobs.local.world.filters import read_number
from qstash_jobs.local.world.flow import LONGEST_PERIOD_S, FlowKey
from qstash_jobs.local.world.refusal import Refusal
from qstash_jobs.local.world.signature import make_signing_key
from qstash_jobs.local.world.turns import open_flow
from qstash_jobs.local.world.view import show_flow, show_keys

OK = Reply()


def flow_control(visit: Visit) -> Reply:
    """Answer `/v2/flowControl`, `/v2/flowControl/{key}` and what can be done with a key."""
    match visit.call.method, visit.names:
        case "GET", ():
            wanted = "".join(visit.parameters.get("search", ()))
            return write_json([show_flow(k) for k in visit.account.flows.values() if wanted in k.name])
        case "GET", (name,):
            return write_json(show_flow(_find(visit, name)))
        case "POST", (name, verb) if verb in VERBS:
            # A key can be paused or pinned before its first message.
            key = visit.account.flow(name)
            VERBS[verb](visit, key)
            visit.world.changes.note_thing(visit.account, "flow", name)
            open_flow(visit.world, key)
            return OK
        case _, () | (_,):
            raise not_allowed(visit)
        case _, (_, verb) if verb in VERBS:
            raise not_allowed(visit)
        case _:
            raise unknown(visit)


def global_parallelism(visit: Visit) -> Reply:
    """Answer `GET /v2/globalParallelism`; 0 is no limit."""
    if visit.call.method != "GET" or visit.names:
        raise not_allowed(visit)
    most = visit.world.quota.parallelism
    return write_json({"parallelismMax": most, "parallelismCount": visit.account.active})


def keys(visit: Visit) -> Reply:
    """Answer `GET /v2/keys` and `POST /v2/keys/rotate`."""
    match visit.call.method, visit.names:
        case "GET", ():
            return write_json(show_keys(visit.account))
        case "POST", ("rotate",):
            account = visit.account
            new = make_signing_key(visit.world.make_secret)
            account.current_key, account.next_key = account.next_key, new
            visit.world.changes.note_thing(account, "account")
            return write_json(show_keys(account))
        case _, () | ("rotate",):
            raise not_allowed(visit)
        case _:
            raise unknown(visit)


def _find(visit: Visit, name: str) -> FlowKey:
    key = visit.account.flows.get(name)
    if key is None:
        raise Refusal(404, f"flow control key {name[:100]} not found")
    return key


def _pause(visit: Visit, key: FlowKey) -> None:
    key.paused = True


def _resume(visit: Visit, key: FlowKey) -> None:
    key.paused = False


def _pin(visit: Visit, key: FlowKey) -> None:
    """Fix a key's limits, whatever its messages say; counters begin anew (wire contract, section 14)."""
    parallelism = read_number(visit.parameters, "parallelism")
    rate = read_number(visit.parameters, "rate")
    period_s = read_number(visit.parameters, "period")
    if period_s is not None and not 0 < period_s <= LONGEST_PERIOD_S:
        raise Refusal(400, "invalid period: it is at least 1 and at most 604800 seconds")
    if parallelism is not None:
        key.limit, key.pinned_parallelism = replace(key.limit, parallelism=parallelism), True
    if rate is not None or period_s is not None:
        key.limit = replace(
            key.limit,
            rate=key.limit.rate if rate is None else rate,
            period_s=key.limit.period_s if period_s is None else period_s,
        )
        key.pinned_rate = True
    _reset_rate(visit, key)


def _unpin(visit: Visit, key: FlowKey) -> None:
    if visit.parameters.get("parallelism") == ["true"]:
        key.pinned_parallelism = False
    if visit.parameters.get("rate") == ["true"]:
        key.pinned_rate = False


def _reset_rate(visit: Visit, key: FlowKey) -> None:
    key.period_start_ms, key.started = visit.world.now_ms, 0


VERBS = {
    "pause": _pause,
    "resume": _resume,
    "pin": _pin,
    "unpin": _unpin,
    "resetRate": _reset_rate,
    # wire contract 14: the changelog's name for it
    "reset": _reset_rate,
}
