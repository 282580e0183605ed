"""The log, under both of its paths and with both of its keys (wire contract D13)."""

from qstash_jobs.local.routes.call import Reply, Visit, not_allowed, unknown
from qstash_jobs.local.world.compact import write_compact
from qstash_jobs.local.world.log import read_log
from qstash_jobs.local.world.view import show_event


def logs(visit: Visit) -> Reply:
    """Answer `GET /v2/logs` and `GET /v2/events`."""
    if visit.names:
        raise unknown(visit)
    if visit.call.method != "GET":
        raise not_allowed(visit)
    page = read_log(visit.account, visit.parameters)
    shown = [show_event(visit.world, event) for event in page.events]
    entries = write_compact(shown)
    cursor = b"" if page.cursor is None else f'"cursor":"{page.cursor}",'.encode()
    return Reply(body=b'{%b"events":%b,"logs":%b}' % (cursor, entries, entries))
