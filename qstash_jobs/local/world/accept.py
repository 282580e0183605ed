"""Orders (publish, enqueue, the items of a batch) -> messages, each with its receipt; or a Refusal.

An order is prepared first, which changes nothing, and committed then: a batch is accepted or refused as a whole.
"""

from collections.abc import Sequence

from qstash_jobs.local.world.account import Account
from qstash_jobs.local.world.allowance import check_allowance, use_allowance
from qstash_jobs.local.world.dedup import write_dedup_key
from qstash_jobs.local.world.deliver import enter
from qstash_jobs.local.world.groups import Endpoint
from qstash_jobs.local.world.headers import read_settings
from qstash_jobs.local.world.message import Message
from qstash_jobs.local.world.refusal import Refusal
from qstash_jobs.local.world.resources import find_or_make_queue, is_name
from qstash_jobs.local.world.settings import Pairs, Settings, due_ms
from qstash_jobs.local.world.values import read_url
from qstash_jobs.local.world.world import World
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A request to deliver something, not yet looked into."""

    destination: str
    """A URL, or the name of a URL group."""
    headers: Pairs
    body: bytes
    queue: str | None = None
    caller_ip: str = "127.0.0.1"
    schedule_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An order that can be accepted."""

    order: Order
    settings: Settings
    endpoints: Sequence[Endpoint]
    group: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the sender is told of one message."""

    message_id: str
    url: str
    deduplicated: bool


def prepare(world: World, account: Account, order: Order) -> Prepared:
    """Look into an order; raises Refusal."""
    group = account.groups.get(order.destination)
    if group is None:
        endpoints: Sequence[Endpoint] = (Endpoint(url=read_url(order.destination, name="destination")),)
        settings = read_settings(order.headers)
    else:
        endpoints = tuple(group.endpoints)
        settings = read_settings((*order.headers, *group.headers))
    _check(world, account, order, settings)
    return Prepared(
        order=order, settings=settings, endpoints=endpoints, group=group.name if group is not None else None
    )


def commit(world: World, account: Account, orders: Sequence[Prepared]) -> list[list[Receipt]]:
    """Accept orders, all of them: one message, or a duplicate of an earlier one, for each endpoint of each."""
    check_allowance(world, account, (len(one.endpoints) for one in orders))
    return [[_accept(world, account, one, endpoint) for endpoint in one.endpoints] for one in orders]


def check_plan(world: World, settings: Settings) -> None:
    """Refuse settings that go beyond the plan; raises Refusal."""
    quota = world.quota
    for one in (settings, settings.callback, settings.failure_callback):
        if one is not None and one.retries is not None and one.retries > quota.retries:
            raise Refusal(400, f"quota maxRetries exceeded, current limit: {quota.retries}")
    if due_ms(settings, world.now_ms) - world.now_ms > quota.delay_s * 1000:
        raise Refusal(400, f"quota maxDelay exceeded, current limit: {quota.delay_s}")


def _accept(world: World, account: Account, prepared: Prepared, endpoint: Endpoint) -> Receipt:
    order, settings = prepared.order, prepared.settings
    in_group = prepared.group is not None
    key = write_dedup_key(
        settings,
        destination=order.destination,
        endpoint=endpoint.url if in_group else None,
        body=order.body,
    )
    if key is not None:
        known = account.dedup.find(key, now_ms=world.steady_ms, window_ms=world.window_ms)
        if known is not None:
            return Receipt(message_id=world.message_id(known), url=endpoint.url, deduplicated=True)
    number = world.next_number()
    if key is not None:
        account.dedup.put(key, number, now_ms=world.steady_ms)
        world.changes.note_dedup(account, key, number, world.steady_ms)
    use_allowance(world, account)
    message = _make(world, account, prepared, endpoint, number)
    enter(world, message)
    return Receipt(message_id=message.id, url=endpoint.url, deduplicated=False)


def _make(world: World, account: Account, prepared: Prepared, endpoint: Endpoint, number: int) -> Message:
    settings = prepared.settings
    queue = prepared.order.queue
    return Message(
        number=number,
        id=world.message_id(number),
        account=account,
        url=endpoint.url,
        settings=settings,
        body=prepared.order.body,
        created_ms=world.now_ms,
        due_ms=due_ms(settings, world.now_ms),
        max_retries=_max_retries(world, settings),
        retry_delay=settings.retry_delay,
        topic=prepared.group,
        endpoint=endpoint.name,
        queue=find_or_make_queue(world, account, queue) if queue is not None else None,
        schedule_id=prepared.order.schedule_id,
        caller_ip=prepared.order.caller_ip,
    )


def _max_retries(world: World, settings: Settings) -> int:
    return world.switches.default_retries if settings.retries is None else settings.retries


def _check(world: World, account: Account, order: Order, settings: Settings) -> None:
    quota = world.quota
    if settings.cron is not None:
        # wire contract 3: on publish alone it is the legacy way to a schedule
        raise Refusal(400, "a schedule cannot be made here: use /v2/schedules")
    if order.queue is not None:
        _check_queue(world, account, order, settings)
    if len(order.body) > quota.message_bytes:
        raise Refusal(400, f"quota maxMessageSize exceeded, current limit: {quota.message_bytes}")
    check_plan(world, settings)


def _check_queue(world: World, account: Account, order: Order, settings: Settings) -> None:
    name = order.queue or ""
    if not is_name(name):
        raise Refusal(
            400, f"invalid queue name: {name[:100]!r}: use letters, digits, hyphen, underscore, period"
        )
    if settings.delay_s is not None or settings.not_before_s is not None:
        # wire contract 6: refused by the server with an immediate error; its words are not documented
        raise Refusal(400, "delay is not supported for queues")
    if name in account.queues:
        return
    if world.switches.unknown_queue == "refuse":
        raise Refusal(404, f"queue {name} not found")
    if len(account.queues) >= world.quota.queues:
        raise Refusal(412, f"quota maxQueues exceeded, current limit: {world.quota.queues}")
