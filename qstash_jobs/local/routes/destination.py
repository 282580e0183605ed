"""A raw target whose end is a destination -> an order.

The destination is what stands in the request line behind the fixed path: never decoded, never normalised.
"""

from urllib.parse import unquote, unquote_plus

from qstash_jobs.local.routes.call import Visit
from qstash_jobs.local.world.accept import Order
from qstash_jobs.local.world.settings import Pairs

# wire contract 2.2: these parameters are QStash's own, wherever they stand
OWN_PARAMETERS = ("upstash-", "qstash_token=")


def read_order(visit: Visit, destination: str, *, queue: str | None) -> Order:
    """Read the order of a request whose path ends with a destination."""
    kept, settings = _split_query(visit.query)
    group = unquote(destination.rstrip("/"))
    # A URL group has no query and no slash; a URL's own question mark stays, even with nothing behind it.
    if group in visit.account.groups:
        destination = group
    elif kept or (not settings and visit.call.target.endswith("?")):
        destination = f"{destination}?{kept}"
    return Order(
        destination=destination,
        headers=visit.call.headers + settings,
        body=visit.call.body,
        queue=queue,
        caller_ip=visit.call.caller_ip,
    )


def _split_query(query: str) -> tuple[str, Pairs]:
    """Divide a query into the destination's part, raw, and QStash's settings."""
    if "upstash-" not in query and "qstash_token=" not in query:
        return query, ()
    kept, settings = [], []
    for part in query.split("&"):
        if part.startswith(OWN_PARAMETERS):
            name, _, value = part.partition("=")
            settings.append((unquote(name), unquote_plus(value)))
        else:
            kept.append(part)
    return "&".join(kept), tuple(pair for pair in settings if pair[0] != "qstash_token")
