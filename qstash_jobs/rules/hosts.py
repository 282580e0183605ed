"""Rules on the host that an address names: whether QStash, which is on the internet, can reach it."""

from qstash_jobs.problem import Severity
from qstash_jobs.rules.address import Address, Host, show
from qstash_jobs.rules.registry import Context, Flaw, address_rule


@address_rule(
    "url-host",
    title="a url names a host",
    why="QStash looks the host up when it takes the message, and refuses one that it cannot find "
    '(400 "unable to resolve host").',
    fix="url: https://api.example.com/hello",
)
def host(address: Address, _: Context) -> Flaw | None:
    if address.host_kind is Host.ABSENT:
        return Flaw(message="the url names no host", hint="write it like https://api.example.com/hello")
    if address.host_kind is Host.MALFORMED:
        return Flaw(message=f"{show(address.host)} is not the name of a host")
    return None


@address_rule(
    "url-loopback",
    title="QStash cannot reach this machine",
    why='A host that means "this machine" is refused by the service: 400 "resolves to a loopback address".',
    fix="run: qstash-jobs run --local --deliver jobs/    # or use a public address, such as a tunnel's",
)
def loopback(address: Address, context: Context) -> Flaw | None:
    if context.server_is_local or address.host_kind is not Host.LOOPBACK:
        return None
    return Flaw(
        message=f"QStash cannot reach {show(address.host)}: it means the machine itself",
        hint="use a public address, or `run --local --deliver`",
    )


@address_rule(
    "url-private",
    title="QStash is on the internet, and this address is not",
    why="Private ranges (RFC 1918, RFC 4193, link-local) and names without a dot, .local or .internal "
    "resolve inside your network only.",
    fix="url: https://hooks.example.com/hello    # a public address, such as a tunnel's",
)
def private(address: Address, context: Context) -> Flaw | None:
    if context.server_is_local or address.host_kind is not Host.PRIVATE:
        return None
    return Flaw(
        message=f"{show(address.host)} is an address of a private network, where QStash has no way in",
        hint="use a public address, such as a tunnel's",
        severity=Severity.WARNING,
    )


@address_rule(
    "url-number",
    title="an IPv4 address has four decimal parts",
    why="0x7f.1, 0177.0.0.1 and 2130706433 are 127.0.0.1 to some readers and a host name or another "
    "address to others (WHATWG URL and inet_aton against RFC 3986).",
    fix="url: https://203.0.113.7/hello",
)
def number(address: Address, _: Context) -> Flaw | None:
    if address.host_kind is not Host.NUMERIC:
        return None
    return Flaw(
        message=f"{show(address.host)} means different addresses to different readers",
        hint="write four decimal numbers, as in 203.0.113.7",
    )


@address_rule(
    "url-zone",
    title="an IPv6 address has no zone",
    why="A zone (fe80::1%eth0) names a network card of this machine, which says nothing to QStash (RFC "
    "6874).",
    fix="url: https://[2001:db8::1]/hello",
)
def zone(address: Address, _: Context) -> Flaw | None:
    if address.host_kind is not Host.ZONED:
        return None
    return Flaw(
        message="an IPv6 address with a zone means something on this machine only",
        hint="use a public address",
    )


@address_rule(
    "url-qstash",
    title="the destination is the end of the way, not QStash",
    why="The part /v2/publish/ of a copied curl command is put in front by qstash-jobs; with it, the "
    "message would be published to QStash itself, without a token.",
    fix="url: https://api.example.com/hello    # not https://qstash.upstash.io/v2/publish/https://…",
)
def qstash(address: Address, _: Context) -> Flaw | None:
    host_name = address.host.lower()
    if not (host_name.startswith("qstash") and host_name.endswith(".upstash.io")):
        return None
    return Flaw(
        message="this is QStash's own address",
        hint="write the destination alone, without /v2/publish/ in front",
        severity=Severity.WARNING,
    )
