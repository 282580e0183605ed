"""A destination's text -> its parts, and what kind of host it names. Nothing is decoded or normalised."""

import re
from enum import Enum, auto
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_network

from qstash_jobs.grammar import show_word
from qstash_jobs.value import dataclass

# RFC 3986, appendix B, less what is no http(s)
FORM = re.compile(
    r"(?P<scheme>[Hh][Tt][Tt][Pp][Ss]?)://(?:(?P<userinfo>[^/?#]*)@)?(?P<host>\[[^]/?#]*\]|[^/?#:\[]*)"
    r"(?::(?P<port>[^/?#]*))?(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?",
    re.DOTALL,
)
# browsers and inet_aton read these as IPv4: 2130706433, 0x7f.1, 0177.0.0.1 (WHATWG URL, 3.5 "ends in a number")
NUMERIC = re.compile(r"(?:0[Xx][0-9A-Fa-f]*|[0-9]+)(?:\.(?:0[Xx][0-9A-Fa-f]*|[0-9]+))*\.?")
LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
LOOPBACK = tuple(ip_network(net) for net in ("127.0.0.0/8", "0.0.0.0/32", "::1/128", "::/128"))
# RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291 2.5.6
PRIVATE = tuple(
    ip_network(net)
    for net in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"),
        *("fc00::/7", "fe80::/10"),
    )
)
LOCAL_SUFFIXES = (".local", ".internal", ".lan", ".home.arpa")


class Host(Enum):
    """What a host is to a service on the internet."""

    PUBLIC = auto()
    LOOPBACK = auto()
    PRIVATE = auto()
    NUMERIC = auto()
    """An IPv4 address in a spelling that readers understand differently."""
    ZONED = auto()
    """An IPv6 address that names a network card of this machine."""
    ABSENT = auto()
    MALFORMED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    text: str
    is_http: bool = False
    """It begins with http:// or https://; all that follows is empty otherwise."""
    userinfo: str | None = None
    host: str = ""
    host_kind: Host = Host.ABSENT
    port: str | None = None
    path: str = ""
    query: str = ""
    fragment: str | None = None


SHOWN = 80
"""Characters of an address that a message repeats."""


def show(text: str) -> str:
    """Write a part of an address in a message: on one line, shortened."""
    return show_word(text, most=SHOWN)


def read_address(text: str) -> Address:
    """Split an address into its parts; nothing is refused here."""
    found = FORM.fullmatch(text)
    if found is None:
        return Address(text=text)
    _, userinfo, host, port, path, query, fragment = found.groups()
    return Address(
        text=text,
        is_http=True,
        userinfo=userinfo,
        host=host,
        host_kind=find_kind(host),
        port=port,
        path=path,
        query=query or "",
        fragment=fragment,
    )


@lru_cache(maxsize=1024)
def find_kind(host: str) -> Host:
    """Tell what kind of host a name or a literal is."""
    if not host:
        return Host.ABSENT
    if host.startswith("["):
        return _of_ipv6(host[1:-1])
    if NUMERIC.fullmatch(host):
        return _of_ipv4(host)
    return _of_name(host.lower().removesuffix("."))


def _of_ipv6(literal: str) -> Host:
    if "%" in literal:
        return Host.ZONED
    try:
        address = IPv6Address(literal)
    except AddressValueError:
        return Host.MALFORMED
    return _of_address(address.ipv4_mapped or address)


def _of_ipv4(text: str) -> Host:
    try:
        return _of_address(IPv4Address(text))
    except AddressValueError:
        return Host.NUMERIC


def _of_address(address: IPv4Address | IPv6Address) -> Host:
    if any(address in network for network in LOOPBACK):
        return Host.LOOPBACK
    return Host.PRIVATE if any(address in network for network in PRIVATE) else Host.PUBLIC


def _of_name(name: str) -> Host:
    labels = name.split(".")
    if len(name) > 253 or not all(LABEL.fullmatch(label) for label in labels):
        return Host.MALFORMED
    if labels[-1] == "localhost":
        return Host.LOOPBACK
    return Host.PRIVATE if len(labels) == 1 or name.endswith(LOCAL_SUFFIXES) else Host.PUBLIC
