"""Query parameters that select messages -> a test of one message (wire contract, sections 11 to 13).

Values of one parameter are alternatives, parameters narrow each other down.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from qstash_jobs.local.world.message import Message
from qstash_jobs.local.world.refusal import Refusal

Values = Sequence[str | None]
Query = Mapping[str, Sequence[str]]


# Whatever a destination looks like, this never raises.
URL = re.compile(r"https?://(?:[^@/?#]*@)?(?P<place>(?P<host>\[[^\]]*\]|[^:/?#]*)[^/?#]*)(?P<path>[^?#]*)")


def _host(message: Message) -> Values:
    parts = URL.match(message.url)
    return (parts["host"], parts["place"]) if parts else ()


def _path(message: Message) -> Values:
    parts = URL.match(message.url)
    return (parts["path"] or "/",) if parts else ()


SELECTORS: dict[str, Callable[[Message], Values]] = {
    "messageId": lambda message: (message.id,),
    "url": lambda message: (message.url,),
    "topicName": lambda message: (message.topic,),
    "queueName": lambda message: (message.queue.name if message.queue else None,),
    "scheduleId": lambda message: (message.schedule_id,),
    "label": lambda message: message.settings.labels,
    "flowControlKey": lambda message: (message.settings.flow_key,),
    "host": _host,
    "path": _path,
    "callerIp": lambda message: (message.caller_ip,),
}
# wire contract D18 and section 12
SYNONYMS = {"messageIds": "messageId", "callerIP": "callerIp"}
# A URL may hold a comma, so that only repetition makes a list of these.
UNDIVIDED = frozenset({"url", "path"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a request selects; without any part, everything."""

    wanted: Mapping[str, frozenset[str]]
    from_ms: int | None = None
    to_ms: int | None = None

    def admits(self, message: Message, *, at_ms: int) -> bool:
        """Say whether a message, or an event of it at that time, is selected."""
        if self.from_ms is not None and at_ms < self.from_ms:
            return False
        if self.to_ms is not None and at_ms > self.to_ms:
            return False
        return all(
            any(value in values for value in SELECTORS[name](message)) for name, values in self.wanted.items()
        )

    @property
    def message_ids(self) -> frozenset[str] | None:
        """The only ids that can be selected, if the request names any."""
        return self.wanted.get("messageId")


def read_filter(query: Query) -> Filter:
    """Read the parameters that are filters; the others are somebody else's."""
    wanted: dict[str, frozenset[str]] = {}
    for name, values in query.items():
        selector = SYNONYMS.get(name, name)
        if selector in SELECTORS and (chosen := _split(selector, values)):
            wanted[selector] = wanted.get(selector, frozenset()) | chosen
    return Filter(
        wanted=wanted,
        from_ms=read_number(query, "fromDate"),
        to_ms=read_number(query, "toDate"),
    )


def read_number(query: Query, name: str) -> int | None:
    """Read a parameter that is a whole number."""
    text = next((value for value in query.get(name, ()) if value), None)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise Refusal(400, f"invalid {name}: {text[:40]!r} is not a number")
    return int(text)


def read_count(query: Query, *, default: int, most: int) -> int:
    """Read `count`, the size of a page."""
    count = read_number(query, "count")
    if count is not None and not 1 <= count <= most:
        raise Refusal(400, f"invalid count: it is from 1 to {most}")
    return count or default


def _split(name: str, values: Iterable[str]) -> frozenset[str]:
    if name in UNDIVIDED:
        return frozenset(value for value in values if value)
    return frozenset(part.strip() for value in values for part in value.split(",") if part.strip())
