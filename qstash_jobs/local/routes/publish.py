"""Publish, enqueue, batch: requests -> orders, and their receipts as JSON."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from qstash_jobs.local.routes import schedules
from qstash_jobs.local.routes.call import Reply, Visit, not_allowed, read_json, write_json
from qstash_jobs.local.routes.destination import read_order
from qstash_jobs.local.world.accept import Order, Prepared, Receipt, commit, prepare
from qstash_jobs.local.world.refusal import Refusal

# wire contract 21: how many the service takes is not known; more than these would keep everybody else waiting
BATCH_MESSAGES = 10_000


def publish(visit: Visit) -> Reply:
    """Answer `POST /v2/publish/{destination}`; with a cron expression, it makes a schedule."""
    # wire contract 3: the legacy way to a schedule
    if visit.call.method == "POST" and visit.call.header("upstash-cron"):
        return schedules.make(visit)
    return _take_one(visit, destination=visit.rest, queue=None)


def enqueue(visit: Visit) -> Reply:
    """Answer `POST /v2/enqueue/{queue}/{destination}`."""
    queue, _, destination = visit.rest.partition("/")
    return _take_one(visit, destination=destination, queue=unquote(queue))


def batch(visit: Visit) -> Reply:
    """Answer `POST /v2/batch`."""
    if visit.call.method != "POST":
        raise not_allowed(visit)
    items = read_json(visit.call.body)
    if not isinstance(items, list):
        raise Refusal(400, "invalid body: a batch is a JSON array of messages")
    if len(items) > BATCH_MESSAGES:
        raise _TOO_MANY
    world, account = visit.world, visit.account
    prepared: list[Prepared | Refusal] = []
    for number, item in enumerate(items):
        if number in visit.refused_items:
            prepared.append(visit.refused_items[number])
            continue
        try:
            prepared.append(prepare(world, account, _read_item(visit, item, number)))
        except Refusal as refusal:
            if world.switches.batch_failure == "whole":
                raise
            prepared.append(refusal)
    accepted = [one for one in prepared if isinstance(one, Prepared)]
    if sum(len(one.endpoints) for one in accepted) > BATCH_MESSAGES:
        raise _TOO_MANY
    receipts = iter(commit(world, account, accepted))
    return write_json(
        [
            _show(visit, one, next(receipts)) if isinstance(one, Prepared) else _show_refusal(one)
            for one in prepared
        ]
    )


_TOO_MANY = Refusal(400, f"invalid body: a batch of more than {BATCH_MESSAGES} messages")


def _take_one(visit: Visit, *, destination: str, queue: str | None) -> Reply:
    if visit.call.method != "POST":
        raise not_allowed(visit)
    order = read_order(visit, destination, queue=queue)
    prepared = prepare(visit.world, visit.account, order)
    (receipts,) = commit(visit.world, visit.account, [prepared])
    switches = visit.world.switches
    duplicate = bool(receipts) and all(receipt.deduplicated for receipt in receipts)
    status = 202 if duplicate and switches.duplicate != "flag" else switches.success_status
    return write_json(_show(visit, prepared, receipts), status=status)


def _show_refusal(refusal: Refusal) -> dict[str, Any]:
    # wire contract 7b: the shape of an item's error is not documented
    return {"error": refusal.text, "status": refusal.status}


def _show(visit: Visit, prepared: Prepared, receipts: Sequence[Receipt]) -> Any:
    if prepared.group is None:
        return _show_receipt(visit, receipts[0])
    shown = [_show_receipt(visit, receipt) | {"url": receipt.url} for receipt in receipts]
    return shown if visit.world.switches.group_answer == "array" else {"messages": shown}


def _show_receipt(visit: Visit, receipt: Receipt) -> dict[str, Any]:
    if receipt.deduplicated and visit.world.switches.duplicate != "status":
        return {"messageId": receipt.message_id, "deduplicated": True}
    return {"messageId": receipt.message_id}


def _read_item(visit: Visit, item: Any, number: int) -> Order:
    """Read one item of a batch (wire contract, section 7); the Python SDK writes null for what is not set."""
    if not isinstance(item, dict):
        raise Refusal(400, f"invalid body: message {number} of the batch is not an object")
    destination, body, queue = item.get("destination"), item.get("body"), item.get("queue")
    if not isinstance(destination, str) or not destination:
        raise Refusal(400, f"invalid body: message {number} of the batch has no destination")
    if not isinstance(body, str | None) or not isinstance(queue, str | None):
        raise Refusal(400, f"invalid body: body and queue of message {number} of the batch are strings")
    headers = item.get("headers")
    if headers is not None and not _is_header_map(headers):
        raise Refusal(400, f"invalid body: headers of message {number} of the batch are a map of strings")
    return Order(
        destination=destination,
        headers=tuple((headers or {}).items()),
        body=(body or "").encode("utf-8", "surrogatepass"),
        queue=queue or None,
        caller_ip=visit.call.caller_ip,
    )


def _is_header_map(headers: Any) -> bool:
    return isinstance(headers, dict) and all(isinstance(value, str) for value in headers.values())
