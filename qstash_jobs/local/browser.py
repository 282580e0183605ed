"""Whether a request comes from a page of somebody else, in a browser on this machine.

The development tokens are public, so any page on the web could use them. A browser says where a request comes from;
programs say nothing of it, and are let through.
"""

from ipaddress import ip_address

from qstash_jobs.local.routes.call import Call

OWN_SITES = ("same-origin", "none")


def is_foreign(call: Call, *, host: str) -> bool:
    """Tell whether a browser sends it for a page that this server did not give; `host` is what it listens on."""
    origin, site = call.header("origin"), call.header("sec-fetch-site")
    if origin is None and site is None:
        return False
    place = call.header("host") or ""
    if origin is not None and origin != f"http://{place}":
        return True
    if site is not None and site.lower() not in OWN_SITES:
        return True
    # A page may let its own name lead to this machine; an address cannot be borrowed like that.
    name = _without_port(place)
    return name not in ("localhost", host) and not _is_address(name)


def _without_port(place: str) -> str:
    if place.startswith("["):
        return place[1:].partition("]")[0]
    return place.partition(":")[0]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
