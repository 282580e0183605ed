"""The log of an account -> one page of it, newest first."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import dropwhile

from qstash_jobs.local.world.account import Account
from qstash_jobs.local.world.filters import Filter, Query, read_count, read_filter, read_number
from qstash_jobs.local.world.message import Event, State
from qstash_jobs.local.world.refusal import Refusal

# wire contract 12: 100 by default; 1000 is what the Python SDK promises at most
PAGE = 100
LARGEST_PAGE = 1000

STATES: dict[str, frozenset[State]] = {state.value: frozenset({state}) for state in State} | {
    # wire contract D13: both spellings
    "CANCELED": frozenset({State.CANCELLED}),
    "IN_PROGRESS": frozenset({State.ACTIVE, State.RETRY, State.ERROR}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    events: list[Event]
    cursor: str | None
    """Where the next page begins; None at the end."""


def read_log(account: Account, query: Query) -> Page:
    """Read the page that a query asks for; raises Refusal."""
    wanted = read_filter(query)
    states = _read_states(query)
    count = read_count(query, default=PAGE, most=LARGEST_PAGE)
    before = read_number(query, "cursor")
    found: list[Event] = []
    for event in _walk(account, wanted, before):
        if states is not None and event.state not in states:
            continue
        if event.message.id not in account.messages or not wanted.admits(event.message, at_ms=event.time_ms):
            continue
        if len(found) == count:
            return Page(events=found, cursor=str(found[-1].sequence))
        found.append(event)
    return Page(events=found, cursor=None)


def _read_states(query: Query) -> frozenset[State] | None:
    names = [name for value in query.get("state", ()) for name in value.split(",") if name]
    unknown = next((name for name in names if name.upper() not in STATES), None)
    if unknown is not None:
        raise Refusal(400, f"invalid state: {unknown[:40]!r}")
    return frozenset(state for name in names for state in STATES[name.upper()]) if names else None


def _walk(account: Account, wanted: Filter, before: int | None) -> Iterator[Event]:
    """Go through events that may be meant, newest first, from before a sequence number."""
    if wanted.message_ids is not None:
        messages = [account.messages[one] for one in wanted.message_ids if one in account.messages]
        events = sorted((e for m in messages for e in m.events), reverse=True, key=lambda e: e.sequence)
        return (event for event in events if before is None or event.sequence < before)
    newest_first = reversed(account.log)
    if before is None:
        return newest_first
    return dropwhile(lambda event: event.sequence >= before, newest_first)
