"""The environment's certificate settings -> what is trusted, read once and shared by all connections."""

import ssl
from collections.abc import Mapping
from threading import Lock

_LOCK = Lock()
_KNOWN: dict[tuple[str | None, str | None], ssl.SSLContext] = {}


def trust(environment: Mapping[str, str]) -> ssl.SSLContext:
    """Trust what SSL_CERT_FILE and SSL_CERT_DIR name, else what this machine trusts; TLS 1.2 at least.

    ValueError says which of these certificates cannot be read.
    """
    key = (environment.get("SSL_CERT_FILE") or None, environment.get("SSL_CERT_DIR") or None)
    # the lock is for the time that reading a few hundred certificates takes: 32 senders start at once
    with _LOCK:
        if key not in _KNOWN:
            _KNOWN[key] = _read_trust(*key)
        return _KNOWN[key]


def _read_trust(file: str | None, folder: str | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not file and not folder:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(file, folder)
    except OSError as error:
        setting = "SSL_CERT_FILE" if file else "SSL_CERT_DIR"
        raise ValueError(f"{setting} cannot be read as certificates: {file or folder}") from error
    return context
