"""Whether a request comes from a page of somebody else, in a browser on this machine.

The development tokens are public, so any page on the web could use them. A browser says where a request comes from;
programs say nothing of it, and are let through.
"""

from ipaddress import ip_address

from qstash_jobs.local.routes.call import Call

OWN_SITES = ("same-origin", "none")

# RFC 6761, 6762, 8375 and ICANN's decision on .internal: nobody can buy a name below these
PRIVATE_NAMES = (".localhost", ".local", ".internal", ".test", ".home.arpa")


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
    return not _is_own(call, host)


def is_borrowed(call: Call, *, host: str) -> bool:
    """Tell whether it is addressed to a name that anybody could own.

    What a page under such a name only reads, its browser sends without a word of where it comes from.
    """
    name = _without_port(call.header("host") or "").lower().rstrip(".")
    return "." in name and not name.endswith(PRIVATE_NAMES) and not _is_own(call, host)


def is_stray(call: Call, *, host: str) -> bool:
    """Tell whether the page would be shown under a name that is not this machine's, or inside another page.

    Whoever follows a link to it, from wherever, may see it.
    """
    if not _is_own(call, host):
        return True
    is_link = call.header("sec-fetch-mode") == "navigate" and call.header("sec-fetch-dest") == "document"
    return not is_link and is_foreign(call, host=host)


def _is_own(call: Call, host: str) -> bool:
    # A page may let its own name lead to this machine; an address cannot be borrowed like that.
    name = _without_port(call.header("host") or "")
    return name in ("localhost", host) or _is_address(name)


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
