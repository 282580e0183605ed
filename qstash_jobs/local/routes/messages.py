"""Messages that are not done: read, cancelled one by one or by filter (wire contract, section 11)."""

from qstash_jobs.local.routes.call import Reply, Visit, not_allowed, unknown, write_json
from qstash_jobs.local.world.deliver import cancel
from qstash_jobs.local.world.filters import Filter, read_count, read_filter
from qstash_jobs.local.world.message import Message, Stage
from qstash_jobs.local.world.refusal import Refusal
from qstash_jobs.local.world.view import show_message


def messages(visit: Visit) -> Reply:
    """Answer `/v2/messages` and `/v2/messages/{id}`."""
    match visit.call.method, visit.names:
        case "GET", (message_id,):
            return write_json(show_message(_find(visit, message_id)))
        case "DELETE", (message_id,):
            message = _find(visit, message_id)
            # wire contract 11: the body is optional; the JavaScript SDK's types promise this one
            return write_json({"cancelled": int(cancel(visit.world, message))}, status=202)
        case "DELETE", ():
            return write_json({"cancelled": _cancel_many(visit)})
        case _, () | (_,):
            raise not_allowed(visit)
        case _:
            raise unknown(visit)


def _find(visit: Visit, message_id: str) -> Message:
    message = visit.account.messages.get(message_id)
    if message is None or message.stage is Stage.SETTLED:
        raise Refusal(404, f"message {message_id[:100]} not found")
    return message


def _cancel_many(visit: Visit) -> int:
    """Cancel what the filters select: the query's (D15), or the ids in the body; without any, everything."""
    wanted = read_filter(visit.parameters)
    # wire contract 11: 1 to 500 at once; without it, all
    count = read_count(visit.parameters, default=0, most=500)
    ids = visit.read_object().get("messageIds") or []
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        raise Refusal(400, "invalid body: messageIds is a list of strings")
    if ids:
        wanted = Filter(
            wanted={**wanted.wanted, "messageId": frozenset(ids)}, from_ms=wanted.from_ms, to_ms=wanted.to_ms
        )
    cancelled = 0
    for message in list(visit.account.messages.values()):
        if count and cancelled >= count:
            break
        if wanted.admits(message, at_ms=message.created_ms) and cancel(visit.world, message):
            cancelled += 1
    return cancelled
