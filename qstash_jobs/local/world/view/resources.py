"""Queues, URL groups, flow-control keys and signing keys -> the fields that the service shows."""

from qstash_jobs.local.world.account import Account
from qstash_jobs.local.world.callbacks import group_headers
from qstash_jobs.local.world.flow import FlowKey
from qstash_jobs.local.world.groups import Group
from qstash_jobs.local.world.queues import Queue
from qstash_jobs.local.world.view.settings import Fields
from qstash_jobs.local.world.world import World


def show_queue(queue: Queue) -> Fields:
    """Show a queue (wire contract, section 10)."""
    return {
        "name": queue.name,
        "parallelism": queue.parallelism,
        "createdAt": queue.created_ms,
        "updatedAt": queue.updated_ms,
        "lag": queue.lag,
        "paused": queue.paused,
    }


def show_group(world: World, group: Group) -> Fields:
    """Show a URL group (wire contract, section 9)."""
    fields: Fields = {
        "name": group.name,
        "createdAt": group.created_ms,
        "updatedAt": group.updated_ms,
        "endpoints": [
            {"url": one.url} if one.name is None else {"name": one.name, "url": one.url}
            for one in group.endpoints
        ],
    }
    if group.headers and world.switches.group_headers == "shown":
        fields["headers"] = group_headers(group.headers)
    return fields


def show_flow(key: FlowKey) -> Fields:
    """Show a flow-control key (wire contract, section 14)."""
    return {
        "flowControlKey": key.name,
        "waitListSize": sum(1 for message in key.waiting if message.stage == "waiting"),
        "parallelismMax": key.limit.parallelism,
        "parallelismCount": key.active,
        "rateMax": key.limit.rate,
        "rateCount": key.started,
        "ratePeriod": key.limit.period_s,
        "ratePeriodStart": key.period_start_ms // 1000,
        "isPaused": key.paused,
        "isPinnedParallelism": key.pinned_parallelism,
        "isPinnedRate": key.pinned_rate,
    }


def show_keys(account: Account) -> Fields:
    """Show the signing keys."""
    return {"current": account.current_key, "next": account.next_key}
