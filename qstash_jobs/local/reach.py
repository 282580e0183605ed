"""Where deliveries may go: a host -> its addresses, none of them link-local or a cloud's metadata service.

Every address of a name is looked at, and the connection is made to one of these: a name that resolves otherwise
a moment later leads nowhere else.
"""

import asyncio
import contextlib
import socket
import threading
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from aiohttp.abc import AbstractResolver, ResolveResult

# RFC 6052, 8215, 2765 and 4291 (2.5.5.1): an IPv4 address at the end of an IPv6 one
WITH_IPV4 = tuple(ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96"))
# Metadata services beside 169.254.0.0/16 and fe80::/10: AWS and Google by IPv6, Alibaba, Azure, Oracle
METADATA = frozenset(
    ip_address(text)
    for text in ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
)


class ClosedAddressError(OSError):
    """the destination's address is link-local or a metadata service; --allow-link-local lets it through"""

    def __init__(self, host: str, address: str) -> None:
        super().__init__(f"{host} is at {address}, which is link-local or a metadata service")


def check_address(host: str, address: str) -> None:
    """Raise ClosedAddressError for an address that no delivery goes to."""
    found = ip_address(address.partition("%")[0])
    if any(one.is_link_local or one in METADATA for one in _unwrap(found)):
        raise ClosedAddressError(host, address)


def read_address(host: str) -> str | None:
    """Return a host that is an address already, in whatever spelling, or None where it is a name."""
    try:
        return str(ip_address(host.partition("%")[0]))
    except ValueError:
        pass
    try:
        # 2852039166, 0xa9fea9fe and 0251.0376.43518 are addresses to whoever connects
        return socket.inet_ntoa(socket.inet_aton(host.rstrip(".")))
    except (OSError, UnicodeError):
        return None


class Resolver(AbstractResolver):
    """Looks names up in threads of its own, and lets only addresses through that may be reached."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Look a name up; raises OSError."""
        found = await self._ask(host, port, family)
        for _, address in found:
            check_address(host, address)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=kind,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, address in found
        ]

    async def close(self) -> None:
        """Wait for no look-up."""

    async def _ask(self, host: str, port: int, family: int) -> list[tuple[int, str]]:
        """Ask in a thread of its own, that nobody waits for: deliveries are limited, their look-ups need not be.

        A pool's threads would let silent name servers keep others waiting, and the program from ending.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[tuple[int, str]]] = loop.create_future()

        def tell(found: list[tuple[int, str]] | OSError | UnicodeError) -> None:
            if answer.done():
                return
            if isinstance(found, Exception):
                answer.set_exception(found)
            else:
                answer.set_result(found)

        def run() -> None:
            found: list[tuple[int, str]] | OSError | UnicodeError
            try:
                found = _look_up(host, port, family)
            except (OSError, UnicodeError) as error:
                found = error
            # The loop may have ended meanwhile.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(tell, found)

        threading.Thread(target=run, name="qstash-jobs name look-up", daemon=True).start()
        return await answer


def _look_up(host: str, port: int, family: int) -> list[tuple[int, str]]:
    found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
    return [(kind, str(address[0])) for kind, _, _, _, address in found]


def _unwrap(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """List an address, and the IPv4 addresses that it stands for."""
    if isinstance(address, IPv4Address):
        return [address]
    inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in WITH_IPV4):
        inner.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [address, *(one for one in inner if one is not None)]
