"""The address of QStash as text -> a Server: where it listens, and whether that is this machine."""

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where QStash listens."""

    host: str
    """A name or an address, in ASCII, without brackets."""
    port: int
    secure: bool = True
    path: str = ""
    """What stands before every target, without a slash at its end."""

    @property
    def place(self) -> str:
        """Write host and port as they stand in an address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Say whether the server is on this machine, as far as its name tells."""
        return is_loopback(self.host)


def read_server(url: str) -> Server:
    """Read QStash's address, such as `https://qstash.upstash.io`; ValueError says what is wrong with it.

    Plain `http://` is for this machine only: elsewhere the token could be read on the way.
    """
    parts = _split(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError("the address of QStash begins with https://")
    if (
        not parts.hostname
        or not url.isascii()
        or any(character <= " " or character == "\x7f" for character in url)
    ):
        raise ValueError("the address of QStash has no host, or characters that no address may have")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError("the address of QStash is a host and a path, without user, query or fragment")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError(f"http:// would show the token on the way to {parts.hostname}: use https://")
    return Server(
        host=parts.hostname,
        port=parts.port or (443 if parts.scheme == "https" else 80),
        secure=parts.scheme == "https",
        path=parts.path.rstrip("/"),
    )


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        readable = parts.port != 0 and all(len(label) < 64 for label in (parts.hostname or "").split("."))
    except ValueError:  # brackets that do not close, a port that is no number or too large
        readable = False
    if not readable or ".." in (parts.hostname or ""):
        raise ValueError("the address of QStash has a host or a port that cannot be")
    return parts


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine: `localhost` (RFC 6761) or a loopback address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost" or host.lower().rstrip(".").endswith(".localhost")
