"""The environment's proxy settings -> the proxy to go through, if any."""

from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from qstash_jobs.value import dataclass
from qstash_jobs.wire.server import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A proxy that passes bytes on after CONNECT."""

    host: str
    port: int
    authorization: str | None = None
    """The value of Proxy-Authorization. Never shown."""

    @property
    def place(self) -> str:
        """Write host and port as they stand in an address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def find_proxy(server: Server, environment: Mapping[str, str]) -> Proxy | None:
    """Find the proxy for a server in HTTPS_PROXY, else ALL_PROXY, unless NO_PROXY names the server.

    Lower-case names count first, as for curl. ValueError says which setting cannot be used. A server on this machine,
    and so every plain `http://` one, is reached directly.
    """
    if not server.secure or server.is_local or _is_excepted(server, _look_up(environment, "no_proxy")[1]):
        return None
    for setting in ("https_proxy", "all_proxy"):
        name, text = _look_up(environment, setting)
        if text:
            return _read_proxy(name, text)
    return None


def _look_up(environment: Mapping[str, str], name: str) -> tuple[str, str]:
    used = next((spelling for spelling in (name, name.upper()) if environment.get(spelling)), name)
    return used, environment.get(used, "").strip()


def _is_excepted(server: Server, exceptions: str) -> bool:
    """Match as curl does: `*` is every host, a name is itself and everything below it, with a port or without."""
    host = server.host.lower().rstrip(".")
    for text in exceptions.lower().split(","):
        entry = text.strip()
        if entry == "*":
            return True
        entry = entry.removesuffix(f":{server.port}").strip("[]").removeprefix("*").strip(".")
        if entry and (host == entry or host.endswith(f".{entry}")):
            return True
    return False


def _read_proxy(name: str, text: str) -> Proxy:
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port or 80
    except ValueError:
        raise ValueError(f"{name} is not the address of a proxy") from None
    if parts.scheme != "http":
        raise ValueError(f"{name} names a proxy by {parts.scheme}://, and only http:// is known here")
    if not parts.hostname:
        raise ValueError(f"{name} is not the address of a proxy")
    return Proxy(host=parts.hostname, port=port, authorization=_authorize(parts.username, parts.password))


def _authorize(user: str | None, password: str | None) -> str | None:
    if user is None:
        return None
    pair = f"{unquote(user)}:{unquote(password or '')}"
    return "Basic " + b64encode(pair.encode()).decode("ascii")
