"""A JSON file of users -> their credentials: `[{"token": "…", "current_key": "sig_…", "next_key": "sig_…"}]`."""

import json
from collections.abc import Callable
from typing import Any

from qstash_jobs.errors import UsageError
from qstash_jobs.local.world.account import User
from qstash_jobs.local.world.signature import make_signing_key

FIELDS = frozenset({"token", "read_only_token", "current_key", "next_key"})


def read_users(text: str | bytes, *, make_secret: Callable[[], str]) -> tuple[User, ...]:
    """Read users; signing keys that are not given are made. Raises UsageError."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the users are not JSON: {error}") from error
    if not isinstance(found, list) or not found:
        raise UsageError("the users are a JSON list of at least one object with a token")
    users = tuple(_read_user(one, number, make_secret) for number, one in enumerate(found, 1))
    tokens = [token for user in users for token in (user.token, user.read_only_token) if token]
    if len(set(tokens)) != len(tokens):
        raise UsageError("two users have the same token")
    return users


def _read_user(given: Any, number: int, make_secret: Callable[[], str]) -> User:
    if not isinstance(given, dict) or not given.get("token"):
        raise UsageError(f"user {number} has no token")
    unknown = given.keys() - FIELDS
    if unknown:
        fields = ", ".join(sorted(FIELDS))
        raise UsageError(f"user {number} has a field {min(unknown)[:40]!r}; there are {fields}")
    for name, value in given.items():
        if not isinstance(value, str) or not value.isprintable() or not value.isascii() or " " in value:
            raise UsageError(f"user {number}: {name} is a text without blanks")
    return User(
        token=given["token"],
        read_only_token=given.get("read_only_token"),
        current_key=given.get("current_key") or make_signing_key(make_secret),
        next_key=given.get("next_key") or make_signing_key(make_secret),
    )
