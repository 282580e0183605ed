"""What the page shows of messages: `/local/messages` and `/local/messages/{id}`."""

from qstash_jobs.local.routes.call import Reply, Visit, not_allowed, unknown, write_json
from qstash_jobs.local.world.refusal import Refusal
from qstash_jobs.local.world.survey import is_unchanged, survey_messages
from qstash_jobs.local.world.view.survey import show_line, show_whole


def survey(visit: Visit) -> Reply:
    """Answer either; the list is empty but for `now` if it is the one that the caller has seen."""
    if visit.call.method != "GET":
        raise not_allowed(visit)
    match visit.names:
        case ():
            return _list(visit)
        case (message_id,):
            message = visit.account.messages.get(message_id)
            if message is None:
                raise Refusal(404, f"message {message_id[:100]} is not remembered any more")
            return write_json(show_whole(message) | {"now": visit.world.now_ms})
        case _:
            raise unknown(visit)


def _list(visit: Visit) -> Reply:
    account, query = visit.account, visit.parameters
    if is_unchanged(account, query):
        return write_json({"now": visit.world.now_ms})
    found = survey_messages(account, query)
    return write_json(
        {
            "now": visit.world.now_ms,
            "seen": account.events_written,
            "total": found.total,
            "counts": found.counts,
            "deadLetters": len(account.dead),
            "newer": found.newer,
            "beforeNewer": found.before_newer,
            "beforeOlder": found.messages[-1].number if found.messages else None,
            "messages": [show_line(message) for message in found.messages],
        }
    )
