"""A Server -> an open, verified connection to it, through a proxy where there is one, or why there is none.

Nothing of any request is sent here.
"""

import re
import socket
import ssl
from collections.abc import Callable

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util.connection import create_connection

from qstash_jobs.transport.answer import AnswerReader
from qstash_jobs.transport.arrived import BrokenAnswerError
from qstash_jobs.transport.deadline import Deadline
from qstash_jobs.transport.proxy import Proxy
from qstash_jobs.wire.http import Unreachable, Untrusted
from qstash_jobs.wire.server import Server

RECEIVE_BYTES = 16 * 1024
"""As much as a TLS record holds."""

# RFC 9293 3.7.4, for Nagle's algorithm: the head of a large request would wait for the answer to nothing
_OPTIONS: list[tuple[int, int, int | bytes]] = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]

# OpenSSL, include/openssl/x509_vfy.h: X509_V_ERR_…
_NOT_YET_VALID, _EXPIRED, _OTHER_HOST, _OTHER_ADDRESS = 9, 10, 62, 64

# OpenSSL, include/openssl/sslerr.h: the two sides cannot agree, now or later
_NEVER_AGREE = frozenset(
    {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "TLSV13_ALERT_CERTIFICATE_REQUIRED"}
)


class ProxyRefusedError(Exception):
    """the proxy refuses to pass anything on"""

    def __init__(self, proxy: Proxy, status: int) -> None:
        super().__init__(f"proxy {proxy.place} refused with status {status}")
        self.proxy = proxy
        self.status = status


class ProxyFailedError(Exception):
    """the proxy could not be used"""


class _Plain(HTTPConnection):
    dial: Callable[[], socket.socket]

    def _new_conn(self) -> socket.socket:
        return self.dial()


class _Secure(HTTPSConnection):
    dial: Callable[[], socket.socket]

    def _new_conn(self) -> socket.socket:
        return self.dial()


def open_socket(
    server: Server, *, proxy: Proxy | None, context: ssl.SSLContext | None, timeout_s: float
) -> socket.socket | Unreachable | Untrusted:
    """Connect, verify against `context`, and hand over the socket; `timeout_s` is for each step of the way."""
    place = f"{server.place} through proxy {proxy.place}" if proxy else server.place
    try:
        return _open(server, proxy, context, timeout_s)
    except ProxyRefusedError as error:
        return _explain_refusal(error)
    except (ProxyFailedError, BrokenAnswerError) as error:
        return Unreachable(reason=f"cannot reach {place}: {error}")
    except ssl.SSLCertVerificationError as error:
        return Untrusted(reason=_explain_certificate(error, server.place))
    except ssl.SSLError as error:
        reason = f"cannot speak TLS with {place}: {explain(error)}"
        return Untrusted(reason=reason) if error.reason in _NEVER_AGREE else Unreachable(reason=reason)
    except socket.gaierror as error:
        return Unreachable(reason=_explain_lookup(error, (proxy or server).host))
    except TimeoutError:
        return Unreachable(reason=f"cannot reach {place}: no answer within {timeout_s:g} s")
    except LocationParseError:  # a label of over 63 letters
        return Unreachable(reason=f"no such host {(proxy or server).host}")
    except (OSError, HTTPError) as error:
        return Unreachable(reason=f"cannot reach {place}: {explain(error)}")


def _open(
    server: Server, proxy: Proxy | None, context: ssl.SSLContext | None, timeout_s: float
) -> socket.socket:
    connection: _Plain | _Secure
    if server.secure:
        connection = _Secure(server.host, server.port, timeout=timeout_s, ssl_context=context)
    else:
        connection = _Plain(server.host, server.port, timeout=timeout_s)
    connection.dial = lambda: _dial(server, proxy, timeout_s)
    try:
        connection.connect()
        opened, connection.sock = connection.sock, None
    finally:
        connection.close()
    if not isinstance(opened, socket.socket):
        raise TypeError("urllib3 opened something that is not a socket")
    return opened


def _dial(server: Server, proxy: Proxy | None, timeout_s: float) -> socket.socket:
    if proxy is None:
        return create_connection((server.host, server.port), timeout_s, socket_options=_OPTIONS)
    opened = create_connection((proxy.host, proxy.port), timeout_s, socket_options=_OPTIONS)
    try:
        _open_tunnel(opened, server, proxy, timeout_s)
    except BaseException:
        opened.close()
        raise
    opened.settimeout(timeout_s)
    return opened


def _open_tunnel(opened: socket.socket, server: Server, proxy: Proxy, timeout_s: float) -> None:
    """Ask the proxy to pass bytes on (RFC 9110 9.3.6)."""
    deadline = Deadline(timeout_s)
    lines = [f"CONNECT {server.place} HTTP/1.1", f"Host: {server.place}"]
    if proxy.authorization is not None:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    opened.settimeout(deadline.left_s())
    opened.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
    reader = AnswerReader(method="CONNECT", body_bytes=None)
    answer = None
    while answer is None:
        opened.settimeout(deadline.left_s())
        answer = reader.feed(opened.recv(RECEIVE_BYTES))
    if not 200 <= answer.status < 300:
        raise ProxyRefusedError(proxy, answer.status)
    if not reader.is_read_up:
        raise ProxyFailedError("it sent more than its answer")


def explain(error: Exception) -> str:
    """Write a failure of the network as a few words in lower case."""
    if isinstance(error, ssl.SSLEOFError):
        return "the other side ended it"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[:1].lower() + error.strerror[1:]
    return str(error) or type(error).__name__


def _explain_refusal(error: ProxyRefusedError) -> Unreachable | Untrusted:
    if error.status == 407:
        return Untrusted(
            reason=f"proxy {error.proxy.place} asks for a user and a password; "
            "set HTTPS_PROXY to http://USER:PASSWORD@HOST:PORT"
        )
    return Unreachable(reason=str(error))


def _explain_lookup(error: socket.gaierror, host: str) -> str:
    if error.errno == socket.EAI_NONAME:
        return f"no such host {host}"
    return f"cannot look up {host}: {explain(error)}"


def _explain_certificate(error: ssl.SSLCertVerificationError, place: str) -> str:
    if error.verify_code in (_OTHER_HOST, _OTHER_ADDRESS):
        advice = "is QSTASH_URL right?"
    elif error.verify_code in (_NOT_YET_VALID, _EXPIRED):
        advice = "is this machine's clock right?"
    else:
        advice = "set SSL_CERT_FILE to the certificate of its issuer"
    return f"certificate of {place} is not trusted: {_plain(error.verify_message)}; {advice}"


def _plain(text: str) -> str:
    """Write OpenSSL's words on one line of plain characters."""
    return re.sub(r"[^\x20-\x7e]+", " ", text).rstrip(".")[:200]
