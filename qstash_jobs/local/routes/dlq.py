"""The dead-letter queue as JSON (wire contract, section 13)."""

from typing import Any

from qstash_jobs.local.routes.call import Reply, Visit, not_allowed, unknown, write_json
from qstash_jobs.local.world.dlq import read_letters, remove_letters, retry_letter
from qstash_jobs.local.world.filters import Query
from qstash_jobs.local.world.message import DeadLetter
from qstash_jobs.local.world.refusal import Refusal
from qstash_jobs.local.world.view import show_dead_letter


def dlq(visit: Visit) -> Reply:
    """Answer `/v2/dlq`, `/v2/dlq/{id}`, `/v2/dlq/retry` and `/v2/dlq/retry/{id}`."""
    match visit.call.method, visit.names:
        case "GET", ():
            return _list(visit)
        case "DELETE", ():
            return _remove_many(visit)
        case "POST", ("retry",):
            return _retry_many(visit)
        case "POST", ("retry", letter_id):
            return _retry(visit, _find(visit, letter_id))
        case "GET", (letter_id,):
            return write_json(show_dead_letter(_find(visit, letter_id)))
        case "DELETE", (letter_id,):
            remove_letters(visit.account, [_find(visit, letter_id)])
            return Reply()
        case _, () | (_,) | ("retry", _):
            raise not_allowed(visit)
        case _:
            raise unknown(visit)


def _find(visit: Visit, letter_id: str) -> DeadLetter:
    letter = visit.account.dead.get(letter_id)
    if letter is None:
        raise Refusal(404, f"dlq message {letter_id[:100]} not found")
    return letter


def _select(visit: Visit) -> Query:
    """Put the query and, as the Python SDK sends them, the ids in the body together."""
    ids = visit.read_object().get("dlqIds") or []
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        raise Refusal(400, "invalid body: dlqIds is a list of strings")
    return {**visit.parameters, "dlqIds": [*visit.parameters.get("dlqIds", ()), *ids]}


def _list(visit: Visit) -> Reply:
    letters, cursor = read_letters(visit.account, visit.parameters)
    return write_json({"messages": [show_dead_letter(one) for one in letters]} | _show_cursor(cursor))


def _remove_many(visit: Visit) -> Reply:
    letters, cursor = read_letters(visit.account, _select(visit))
    return write_json({"deleted": remove_letters(visit.account, letters)} | _show_cursor(cursor))


def _retry(visit: Visit, letter: DeadLetter) -> Reply:
    message_id = retry_letter(visit.world, letter, visit.call.headers)
    return write_json({"messageId": message_id}, status=201)


def _retry_many(visit: Visit) -> Reply:
    letters, cursor = read_letters(visit.account, _select(visit))
    responses = [{"messageId": retry_letter(visit.world, one, visit.call.headers)} for one in letters]
    return write_json({"cursor": cursor or "", "responses": responses}, status=201)


def _show_cursor(cursor: str | None) -> dict[str, Any]:
    return {} if cursor is None else {"cursor": cursor}
