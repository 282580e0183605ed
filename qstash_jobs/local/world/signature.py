"""A delivery -> the JWT that proves where it comes from, as the official receivers check it."""

import base64
import hashlib
import hmac
from collections.abc import Callable

from qstash_jobs.local.world.compact import write_compact

HEAD = b"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
"""`{"alg":"HS256","typ":"JWT"}`"""

# wire contract 18: `sig_` and 28 letters and digits
KEY_LENGTH = 28

# wire contract 17
LIFETIME_S = 300


def sign(key: str, *, url: str, body: bytes, token_id: str, now_s: int) -> str:
    """Sign a delivery; the time is the wall clock's, because that is what receivers compare with."""
    body_hash = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode()
    claims = {
        "iss": "Upstash",
        "sub": url,
        "exp": now_s + LIFETIME_S,
        # wire contract D22: 0 since the changelog of 2024-09, because of clocks that differ
        "nbf": 0,
        "iat": now_s,
        "jti": token_id,
        "body": body_hash,
    }
    signed = HEAD + _encode(write_compact(claims))
    return (signed + b"." + _encode(hmac.digest(key.encode(), signed, "sha256"))).decode()


def _encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def make_signing_key(make_secret: Callable[[], str]) -> str:
    """Make a key of the length that the service's have: shorter ones worry the libraries that check signatures."""
    secret = ""
    while len(secret) < KEY_LENGTH:
        secret += make_secret()
    return f"sig_{secret[:KEY_LENGTH]}"
