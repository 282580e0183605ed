"""`postgresql://…` -> where a ledger is, and how it is called where people see it."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

SCHEMES = ("postgresql://", "postgres://")

_PASSWORDS = frozenset({"password", "sslpassword"})
"""Parameters of an address that would show a password. (postgresql.org/docs, "Parameter Key Words")"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a PostgreSQL database is, as libpq reads it. It holds no password."""

    url: str

    def __str__(self) -> str:
        """Name it for people: without its parameters."""
        return self.url.partition("?")[0]


def is_postgres(text: str) -> bool:
    """Say whether a ledger's address means PostgreSQL."""
    return text.startswith(SCHEMES)


def holds_password(text: str) -> bool:
    """Say whether an address holds a password, in its user's place or among its parameters."""
    # postgresql.org/docs, "Connection URIs": user:password@host, or ?password=; both sides may be percent-encoded
    rest = text.partition("://")[2]
    place, _, parameters = rest.partition("?")
    if ":" in unquote(place.partition("/")[0].rpartition("@")[0]):
        return True
    return any(
        name.strip().lower() in _PASSWORDS for name, _ in parse_qsl(parameters, keep_blank_values=True)
    )
