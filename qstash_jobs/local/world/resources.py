"""Queues and URL groups: made, changed and removed within the quota."""

from collections.abc import Sequence

from qstash_jobs.grammar import is_wire_name
from qstash_jobs.local.world.account import Account
from qstash_jobs.local.world.deliver import cancel
from qstash_jobs.local.world.groups import Endpoint, Group
from qstash_jobs.local.world.queues import Queue
from qstash_jobs.local.world.refusal import Refusal
from qstash_jobs.local.world.turns import let_in
from qstash_jobs.local.world.world import World

LONGEST_NAME = 256


def is_name(text: str) -> bool:
    """Tell whether the service takes it as a name (wire contract, 4.10)."""
    return is_wire_name(text) and len(text) <= LONGEST_NAME


def find_or_make_queue(world: World, account: Account, name: str) -> Queue:
    """Return a queue; it is made on first use with parallelism 1."""
    queue = account.queues.get(name)
    if queue is None:
        queue = Queue(name=name, created_ms=world.now_ms, updated_ms=world.now_ms)
        account.queues[name] = queue
        world.changes.note_thing(account, "queue", name)
    return queue


def put_queue(
    world: World, account: Account, name: str, *, parallelism: int | None, paused: bool | None
) -> Queue:
    """Make or change a queue; what is not said of an existing one stays."""
    if not is_name(name):
        raise Refusal(
            400, f"invalid queue name: {name[:100]!r}: use letters, digits, hyphen, underscore, period"
        )
    quota = world.quota
    if parallelism is not None and parallelism < 1:
        raise Refusal(400, "parallelism must be at least 1")
    if parallelism is not None and parallelism > quota.queue_parallelism:
        raise Refusal(412, f"quota maxQueueParallelism exceeded, current limit: {quota.queue_parallelism}")
    if name not in account.queues and len(account.queues) >= quota.queues:
        raise Refusal(412, f"quota maxQueues exceeded, current limit: {quota.queues}")
    queue = find_or_make_queue(world, account, name)
    queue.parallelism = queue.parallelism if parallelism is None else parallelism
    queue.paused = queue.paused if paused is None else paused
    queue.updated_ms = world.now_ms
    world.changes.note_thing(account, "queue", name)
    let_in(world, queue)
    return queue


def remove_queue(world: World, account: Account, queue: Queue) -> None:
    """Remove a queue, and cancel what waits in it."""
    del account.queues[queue.name]
    world.changes.note_thing(account, "queue", queue.name)
    for message in list(queue.waiting):
        cancel(world, message)


def put_endpoints(world: World, account: Account, name: str, endpoints: Sequence[Endpoint]) -> None:
    """Add endpoints to a URL group, which is made if it does not exist."""
    if not is_name(name):
        raise Refusal(
            400, f"invalid url group name: {name[:100]!r}: use letters, digits, hyphen, underscore, period"
        )
    group = account.groups.get(name)
    if group is None:
        if len(account.groups) >= world.quota.groups:
            raise Refusal(412, f"quota maxTopics exceeded, current limit: {world.quota.groups}")
        group = Group(name=name, created_ms=world.now_ms, updated_ms=world.now_ms)
    changed = Group(
        name=name,
        created_ms=group.created_ms,
        updated_ms=world.now_ms,
        endpoints=list(group.endpoints),
        headers=group.headers,
    )
    changed.put(endpoints, by_url=world.switches.endpoint_identity == "url")
    if len(changed.endpoints) > world.quota.endpoints:
        raise Refusal(412, f"quota maxEndpointsPerTopic exceeded, current limit: {world.quota.endpoints}")
    if changed.endpoints:
        account.groups[name] = changed
        world.changes.note_thing(account, "group", name)


def remove_endpoints(world: World, account: Account, group: Group, endpoints: Sequence[Endpoint]) -> None:
    """Remove endpoints; the last one takes the group with it."""
    group.remove(endpoints)
    group.updated_ms = world.now_ms
    world.changes.note_thing(account, "group", group.name)
    if not group.endpoints:
        del account.groups[group.name]
