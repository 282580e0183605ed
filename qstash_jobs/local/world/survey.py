"""The messages of an account, as a person looks at them: filtered, newest first, counted by state."""

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from qstash_jobs.local.world.account import Account
from qstash_jobs.local.world.filters import Query, read_count, read_number
from qstash_jobs.local.world.message import Message, State
from qstash_jobs.local.world.refusal import Refusal

PAGE = 100
LARGEST_PAGE = 500

# What a person tells apart: an attempt that failed is followed by what is done about it at once.
GROUPS: Mapping[str, frozenset[State]] = {
    "waiting": frozenset({State.CREATED}),
    "active": frozenset({State.ACTIVE}),
    "retrying": frozenset({State.RETRY, State.ERROR}),
    "delivered": frozenset({State.DELIVERED}),
    "failed": frozenset({State.FAILED}),
    "cancelled": frozenset({State.CANCELLED, State.CANCEL_REQUESTED}),
}
_GROUP_OF = {state: group for group, states in GROUPS.items() for state in states}


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    messages: list[Message]
    counts: Mapping[str, int]
    """How many of those that are selected are in each group, whichever groups are asked for."""
    total: int
    """How many are remembered."""
    newer: int
    """How many come before these, in the group that is asked for."""
    before_newer: int | None
    """What the page before this one is asked for with, as `before`; None: it is the first, or there is none."""


def survey_messages(account: Account, query: Query) -> Survey:
    """Read what a query selects by `group`, `url` and `label`, which are parts of words; raises Refusal.

    `before` is the number of a message, of which it may be that nobody remembers it: only older ones are shown.
    """
    wanted = _first(query, "group")
    if wanted and wanted not in GROUPS:
        raise Refusal(400, f"invalid group: it is one of {', '.join(GROUPS)}")
    most = read_count(query, default=PAGE, most=LARGEST_PAGE)
    before = read_number(query, "before")
    counts: Counter[str] = Counter()
    found: list[Message] = []
    newer, page_before = 0, deque[int](maxlen=most + 1)
    for message in _select(account, query):
        group = group_of(message)
        counts[group] += 1
        if wanted not in ("", group):
            continue
        if before is not None and message.number >= before:
            newer += 1
            page_before.append(message.number)
        elif len(found) < most:
            found.append(message)
    return Survey(
        messages=found,
        counts=counts,
        total=len(account.messages),
        newer=newer,
        before_newer=page_before[0] if len(page_before) > most else None,
    )


def group_of(message: Message) -> str:
    """Tell the group of a message's state."""
    return _GROUP_OF[message.events[-1].state] if message.events else "waiting"


def is_unchanged(account: Account, query: Query) -> bool:
    """Tell whether nothing has happened to any message since the answer that the query names."""
    return read_number(query, "seen") == account.events_written


def _select(account: Account, query: Query) -> Iterator[Message]:
    url, label = _first(query, "url").lower(), _first(query, "label").lower()
    for message in reversed(account.messages.values()):
        if url and url not in message.url.lower() and url not in message.id.lower():
            continue
        if label and not any(label in one.lower() for one in message.settings.labels):
            continue
        yield message


def _first(query: Query, name: str) -> str:
    return next((value for value in query.get(name, ()) if value), "")
