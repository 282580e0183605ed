"""What QStash did with published messages, and what the local receiver got -> a line for each delivery.

Answers and bodies are cut here: their secrets have to be masked already.
"""

from collections.abc import Mapping
from datetime import datetime

from qstash_jobs.grammar import show_seconds
from qstash_jobs.report.bodies import preview_body_line
from qstash_jobs.report.escape import escape, write_json
from qstash_jobs.report.layout import CUT, Style, cut, paint
from qstash_jobs.report.wording import count, show_age, write_moment
from qstash_jobs.value import dataclass
from qstash_jobs.wire.logs import EventState

ANSWER_WIDTH = 200
"""How much of an answer is shown where no terminal says how wide it is."""

URL_WIDTH = 500
"""How much of a URL is shown where it stands among others; a server takes a thousand times as much."""

LEAST_WIDTH = 24
"""So much of a body or an answer is shown however little room there is."""

STATES: Mapping[str, str] = {
    EventState.CREATED: "waiting",
    EventState.ACTIVE: "delivering",
    EventState.RETRY: "retrying",
    EventState.ERROR: "retrying",
    EventState.DELIVERED: "delivered",
    EventState.FAILED: "failed",
    EventState.CANCEL_REQUESTED: "cancelled",
    EventState.CANCELLED: "cancelled",
}

_STYLES: Mapping[str, Style] = {"delivered": "good", "failed": "bad", "cancelled": "bad", "retrying": "warn"}

ORDER = ("delivered", "failed", "cancelled", "retrying", "delivering", "waiting", "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What QStash's log says of one of its messages."""

    name: str
    id: str
    """`qj-` and 40 hex digits."""
    message_id: str
    url: str | None = None
    state: str
    """A word of `name_event`."""
    at: datetime | None = None
    """When its latest event happened."""
    next_at: datetime | None = None
    """When it is to be tried next, or for the first time."""
    attempts: int = 0
    response_status: int | None = None
    response_body: str | None = None
    error: str | None = None
    delivered: bool | None = None
    """None while that is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One delivery that the local server made."""

    name: str
    message_id: str
    method: str
    url: str
    status: int | None
    """None where there was no answer."""
    after_s: float | None
    """Seconds of virtual time since it was published; None where that is not known."""
    body: bytes
    attempt: int = 0
    """How often it was tried before."""
    error: str | None = None


def name_event(state: str | None) -> str:
    """Name for people and programs what QStash calls an event; `unknown` where the log has none yet."""
    if state is None:
        return "unknown"
    return STATES.get(state, state.lower())


def write_followed(
    followed: Followed, *, now: datetime, width: int | None = None, colour: bool = False
) -> str:
    """Write a line that says where a message is: delivered, or when it is tried next, or why it failed."""
    word = escape(followed.state)
    start = f"{escape(followed.name)} {escape(followed.message_id)}"
    facts = _describe(followed, now)
    room = ANSWER_WIDTH if width is None else max(width - len(word) - len(start) - 2, LEAST_WIDTH)
    rest = cut(escape(facts), room)
    return f"{paint(word, _STYLES.get(word, 'plain'), colour=colour)} {start} {rest}".rstrip()


def write_followed_json(followed: Followed) -> str:
    """Write one line of `status --format jsonl`."""
    return write_json(
        {
            "name": followed.name,
            "id": followed.id,
            "message_id": followed.message_id,
            "url": followed.url,
            "state": followed.state,
            "delivered": followed.delivered,
            "at": write_moment(followed.at),
            "next_at": write_moment(followed.next_at),
            "attempts": followed.attempts,
            "response_status": followed.response_status,
            "response_body": followed.response_body,
            "error": followed.error,
        }
    )


def summarise_deliveries(states: Mapping[str, int]) -> str:
    """Sum up how many messages are where: `delivered 12, retrying 1`."""
    known = [state for state in ORDER if states.get(state)]
    others = sorted(state for state in states if states[state] and state not in ORDER)
    return ", ".join(f"{escape(state)} {states[state]:,}" for state in (*known, *others)) or "no messages"


def write_arrival(arrival: Arrival, *, width: int | None = None, colour: bool = False) -> str:
    """Write what the local receiver got: `delivered hello POST https://… 200 after 3s {"hello":"world"}`."""
    ok = arrival.status is not None and 200 <= arrival.status < 300
    word = "delivered" if ok else "failed"
    facts = [
        escape(arrival.name),
        escape(arrival.method),
        cut(escape(arrival.url), URL_WIDTH),
        "no answer" if arrival.status is None else str(arrival.status),
        _show_delay(arrival.after_s),
        f"try {arrival.attempt + 1:,}" if arrival.attempt else "",
        escape(arrival.error or ""),
    ]
    start = " ".join(filter(None, facts))
    room = ANSWER_WIDTH if width is None else max(width - len(word) - len(start) - 2, LEAST_WIDTH)
    body = preview_body_line(arrival.body, width=room)
    return " ".join(filter(None, (paint(word, _STYLES[word], colour=colour), start, body)))


def _show_delay(after_s: float | None) -> str:
    if after_s is None:
        return ""
    return f"after {show_seconds(round(after_s))}" if after_s >= 1 else "at once"


def _describe(followed: Followed, now: datetime) -> str:
    match followed.state:
        case "delivered":
            facts = [str(followed.response_status or ""), _show_age(followed.at, now)]
        case "retrying" | "failed":
            tried = f"after {count(followed.attempts, 'attempt')}" if followed.attempts else ""
            when = "" if followed.next_at is None else f"next {_show_age(followed.next_at, now)}"
            facts = [", ".join(filter(None, (tried, when))), _describe_answer(followed)]
        case "waiting":
            facts = ["" if followed.next_at is None else f"due {_show_age(followed.next_at, now)}"]
        case "unknown":
            facts = ["not in QStash's log yet"]
        case _:
            facts = [_show_age(followed.at, now)]
    return " ".join(filter(None, facts))


def _show_age(moment: datetime | None, now: datetime) -> str:
    return "" if moment is None else show_age(moment, now)


def _describe_answer(followed: Followed) -> str:
    """Give the destination's status and the first line of what it said, else QStash's own words."""
    text = (followed.response_body or followed.error or "").strip()
    first, *rest = text.splitlines() or [""]
    more = f" {CUT}" if rest else ""
    return f"{followed.response_status or ''} {first}{more}".strip()
