"""What QStash knows afterwards -> its answers to questions: its log, which lags, and the messages that still wait.

A share of these answers, too, is whatever can go wrong.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formatdate
from random import Random
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, urlsplit

from chaos_server import Peer
from faults.shared_time import SharedTime
from publishing import http

PAGE = 100


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """One message that was really taken; of a URL group, by one of its endpoints."""

    message_id: str
    name: str
    at_s: float
    labels: tuple[str, ...]
    endpoint: str = ""
    queue: str | None = None
    together: frozenset[str] = frozenset()
    """The messages that came in the same request."""
    elsewhere: bool = False
    """Another machine has published it."""


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What is special about this QStash. Messages are named by the last parts of their destinations."""

    elsewhere: Sequence[str] = ()
    """Another machine has published them under the same run key."""
    strangers: Sequence[str] = ()
    """Their id belongs to somebody else's message."""
    refuses: Sequence[str] = ()
    """Refused always; of a URL group, the second endpoint."""
    lag_s: float = 0.0
    """How long the log takes to list a message."""
    waits_s: float = 0.0
    """How long a message waits for its delivery, and can be asked for by its id."""


def address(name: str, endpoint: str) -> str:
    """Write where a message is delivered to; `endpoint` is empty where no URL group was named."""
    return f"https://{endpoint}.example.com/{name}" if endpoint else f"https://example.com/{name}"


class Hindsight:
    """Remembers every acceptance, and tells of them."""

    def __init__(self, shared: SharedTime, traits: Traits, random: Random, *, share: float) -> None:
        """`share` of the questions goes wrong."""
        self.log: bytes | None = None
        """What is answered to every question, whatever it is."""
        self._shared = shared
        self._traits = traits
        self._random = random
        self._share = share
        self._by_id: dict[str, Acceptance] = {}
        self._by_label: dict[str, list[Acceptance]] = defaultdict(list)
        self._lock = Lock()

    @property
    def count(self) -> int:
        return len(self._by_id)

    def note(self, acceptance: Acceptance) -> None:
        with self._lock:
            self._by_id[acceptance.message_id] = acceptance
            for label in acceptance.labels:
                self._by_label[label].append(acceptance)

    def answer(self, raw: bytes, peer: Peer) -> bool:
        """Answer a question, or go wrong; say whether the connection goes on."""
        target = raw.split(b" ")[1].decode()
        if self._random.random() >= self._share:
            peer.write(self._look_up(target))
            return True
        way = self._random.choice(["unavailable", "reset", "cut", "odd", "odd"])
        if way == "unavailable":
            peer.write(self._http(503, {"error": "the log is away"}))
            return True
        if way == "odd":
            peer.write(
                self._http(200, self._random.choice([b"", b"null", b"[]", b"{}", b"<html>", b'{"events":']))
            )
            return True
        if way == "cut":
            whole = self._look_up(target)
            peer.write(whole[: self._random.randrange(len(whole))])
        peer.reset()
        return False

    def _look_up(self, target: str) -> bytes:
        address = urlsplit(target)
        if self.log is not None:
            return self._http(200, self.log)
        with self._lock:
            if address.path == "/v2/events":
                return self._list(parse_qs(address.query))
            if address.path.startswith("/v2/messages/"):
                return self._show(address.path.rpartition("/")[2])
        return self._http(404, {"error": "not found"})

    def _show(self, message_id: str) -> bytes:
        """Show a message that waits for its delivery."""
        known = self._by_id.get(message_id)
        if known is None or self._shared.now_s() - known.at_s >= self._traits.waits_s:
            return self._http(404, {"error": f"message {message_id} not found"})
        body = {"messageId": message_id, **_describe(known), "createdAt": int(known.at_s * 1000)}
        return self._http(200, body)

    def _list(self, query: dict[str, list[str]]) -> bytes:
        now_s = self._shared.now_s()
        ids = query.get("messageIds", ())
        found = [one for label in query.get("label", ()) for one in self._by_label.get(label, ())]
        found += [self._by_id[id_] for id_ in ids if id_ in self._by_id]
        events = [
            {"messageId": one.message_id, **_describe(one), "state": "CREATED", "time": int(one.at_s * 1000)}
            for one in found
            if now_s - one.at_s >= self._traits.lag_s
        ]
        events += [
            {"messageId": id_, "labels": ["somebody-else"], "state": "CREATED", "time": int(now_s * 1000)}
            for id_ in ids
            if id_.startswith("stranger_")
        ]
        start = int(query.get("cursor", ["0"])[0])
        page, more = events[start : start + PAGE], start + PAGE < len(events)
        return self._http(200, {"events": page, "cursor": str(start + PAGE) if more else None})

    def _http(self, status: int, value: object) -> bytes:
        return http(status, value, {"Date": formatdate(self._shared.now_s(), usegmt=True)})


def _describe(one: Acceptance) -> dict[str, Any]:
    """Write what the log and a message have in common."""
    return {
        "url": address(one.name, one.endpoint),
        "labels": list(one.labels),
        **({"topicName": one.name} if one.endpoint else {}),
        **({"queueName": one.queue} if one.queue else {}),
    }
