"""The page at `/`: its files, and the headers that let it load nothing else and stand in no frame."""

import json
from pathlib import Path

from qstash_jobs.local.routes.call import Call, Reply, not_found
from qstash_jobs.local.world.account import DEV_USERS
from qstash_jobs.local.world.refusal import Refusal
from qstash_jobs.local.world.settings import Pairs
from qstash_jobs.local.world.world import World

FOLDER = Path(__file__).parent
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
TOKENS = "/page/tokens"

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        # No script turns text into markup, not even by mistake.
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS: Pairs = (
    ("Content-Security-Policy", POLICY),
    ("X-Frame-Options", "DENY"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-cache"),
)


def is_of_page(path: str) -> bool:
    """Tell whether a path is the page's, for which nobody needs a token."""
    return path == "/" or path.startswith("/page/")


def answer_page(world: World, call: Call) -> Reply:
    """Give a file of the page; raises Refusal."""
    if call.method not in ("GET", "HEAD"):
        raise Refusal(405, f"method {call.method[:20]} is not allowed here")
    path = call.target.partition("?")[0]
    if path == TOKENS:
        return Reply(body=json.dumps(public_tokens(world)).encode(), headers=HEADERS)
    name = "index.html" if path == "/" else path.removeprefix("/page/")
    if name not in _NAMES:
        raise not_found(call)
    file = FOLDER / name
    return Reply(body=file.read_bytes(), content_type=TYPES[file.suffix], headers=HEADERS)


def public_tokens(world: World) -> list[str]:
    """List the tokens that the page may know without being told: those that everybody knows."""
    known = {user.token for user in DEV_USERS}
    return [account.token for account in world.accounts if account.token in known]


_NAMES = frozenset(path.name for path in FOLDER.iterdir() if path.suffix in TYPES)
