"""QStash's side of a trial: it remembers what it accepted, and a share of its answers is whatever can go wrong.

It deduplicates for ten minutes by the shared clock, lists what it accepted in its log after a while, and keeps its own
record of what it has really done, which a trial then holds against the ledger and against what the runs have printed.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from random import Random
from threading import Condition
from typing import Any
from urllib.parse import parse_qs, urlsplit

from chaos_server import Peer
from faults.shared_time import SharedTime
from publishing import Call, Sent, http, read_call

WINDOW_S = 600
"""upstash docs, features/deduplication: an id is remembered for ten minutes."""


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """One message that was really taken."""

    message_id: str
    name: str
    at_s: float
    labels: tuple[str, ...]
    elsewhere: bool = False
    """Another machine has published it."""


class ChaosQStash:
    """A script for every connection of a `ChaosServer`."""

    def __init__(
        self,
        shared: SharedTime,
        *,
        seed: int = 0,
        share: float = 0.0,
        elsewhere: Sequence[str] = (),
        strangers: Sequence[str] = (),
        refuses: Sequence[str] = (),
        lag_s: float = 0.0,
    ) -> None:
        """`share` of the answers is chaos.

        Of the messages, by the last part of their destination: some another machine has published under the same run
        key, to some an id is answered that belongs to somebody else's message, and some are refused always.
        """
        self.shared = shared
        self.share = share
        self.random = Random(seed)
        self.acceptances: dict[str, list[Acceptance]] = defaultdict(list)
        self.fates: Counter[str] = Counter()
        self.requests = 0
        self.events = 0
        """Moments at which something has just happened: a request is read, or is about to be answered."""
        self.plan: list[Fate | Leaving] = []
        """Fates of the next requests that publish something, in place of chance."""
        self.log: bytes | None = None
        """What is answered to every question, whatever it is."""
        self._elsewhere = set(elsewhere)
        self._strangers = frozenset(strangers)
        self.refused = frozenset(refuses)
        self._lag_s = lag_s
        self._ids: dict[str, Acceptance] = {}
        self._by_id: dict[str, Acceptance] = {}
        self._by_label: dict[str, list[Acceptance]] = defaultdict(list)
        self._moved = Condition()

    # what it has done

    @property
    def accepted(self) -> list[Acceptance]:
        with self._moved:
            return [one for found in self.acceptances.values() for one in found]

    def await_event(self, number: int, *, within_s: float) -> bool:
        """Wait until so many things have happened, for so long at most; say whether they have."""
        with self._moved:
            return self._moved.wait_for(lambda: self.events >= number, timeout=within_s)

    # what it does

    def __call__(self, peer: Peer) -> None:
        goes_on = True
        while goes_on:
            fate = self._draw()
            if isinstance(fate, Leaving):
                if fate.leave(peer):
                    self._count(fate)
                return
            if not (raw := peer.read_request()):
                return
            self._happen()
            if raw.startswith(b"GET "):
                goes_on = self._answer_question(raw, peer, fate)
            else:
                goes_on = self._answer_call(read_call(raw), peer, fate)
            self._happen()

    def _answer_call(self, call: Call, peer: Peer, fate: "Fate | None") -> bool:
        with self._moved:
            self.requests += 1
            planned = self.plan.pop(0) if self.plan else fate
        fate = None if isinstance(planned, Leaving) else planned
        if fate is None or not fate.suits(call):
            peer.write(self.answer(call))
            return True
        self._count(fate)
        return fate.act(self, call, peer)

    def _draw(self) -> "Fate | Leaving | None":
        """Choose what will become of the next request of a connection, before it has come."""
        with self._moved:
            if self.plan and isinstance(self.plan[0], Leaving):
                return self.plan.pop(0)
            if self.random.random() >= self.share:
                return None
            fate = self.random.choices(FATES, WEIGHTS)[0]
            return fate.make(self.random) if isinstance(fate, Chance) else fate

    def _count(self, fate: "Fate | Leaving") -> None:
        with self._moved:
            self.fates[fate.name] += 1

    def _happen(self) -> None:
        with self._moved:
            self.events += 1
            self._moved.notify_all()

    def answer(self, call: Call) -> bytes:
        """Do what QStash does, and write its answer."""
        refused = [name for name in call.names if name in self.refused]
        if refused:
            return self.http(400, {"error": f"refused: {refused[0]}"})
        elements = self.accept(call.messages)
        if call.is_batch:
            return self.http(200, elements)
        return self.http(202 if "deduplicated" in elements[0] else 201, elements[0])

    def accept(self, messages: Sequence[Sent]) -> list[dict[str, Any]]:
        """Take messages, and return the elements of the answer."""
        with self._moved:
            return [self._accept(one) for one in messages]

    def http(self, status: int, value: object, headers: Mapping[str, str] | None = None) -> bytes:
        return http(status, value, {"Date": formatdate(self.shared.now_s(), usegmt=True), **(headers or {})})

    def _accept(self, sent: Sent) -> dict[str, Any]:
        name = sent.destination.rpartition("/")[2]
        if name in self._strangers:
            return {"messageId": f"stranger_{name}", "deduplicated": True}
        now_s = self.shared.now_s()
        known = self._ids.get(sent.dedup_id) if sent.dedup_id is not None else None
        if known is not None and now_s - known.at_s < WINDOW_S:
            return {"messageId": known.message_id, "deduplicated": True}
        elsewhere = name in self._elsewhere
        self._elsewhere.discard(name)
        labels = {key.lower(): value for key, value in sent.headers}.get("upstash-label", "")
        acceptance = Acceptance(
            message_id=f"msg_{len(self._by_id) + 1}",
            name=name,
            at_s=now_s,
            labels=tuple(labels.split(",")),
            elsewhere=elsewhere,
        )
        self.acceptances[name].append(acceptance)
        self._by_id[acceptance.message_id] = acceptance
        if sent.dedup_id is not None:
            self._ids[sent.dedup_id] = acceptance
        for label in acceptance.labels:
            self._by_label[label].append(acceptance)
        return {"messageId": acceptance.message_id, **({"deduplicated": True} if elsewhere else {})}

    # what it says when it is asked

    def _answer_question(self, raw: bytes, peer: Peer, fate: "Fate | None") -> bool:
        """Answer, or go wrong in one of the ways that suit a question; say whether the connection goes on."""
        if fate is None or self.random.random() < 0.5:
            peer.write(self._look_up(raw.split(b" ")[1].decode()))
            return True
        if self.random.random() < 0.5:
            peer.write(self.http(503, {"error": "the log is away"}))
            return True
        peer.reset()
        return False

    def _look_up(self, target: str) -> bytes:
        address = urlsplit(target)
        query = parse_qs(address.query)
        if self.log is not None:
            return self.http(200, self.log)
        with self._moved:
            if address.path.startswith("/v2/messages/"):
                return self.http(404, {"error": "message not found"})
            if address.path != "/v2/events":
                return self.http(404, {"error": "not found"})
            found = [one for label in query.get("label", ()) for one in self._by_label.get(label, ())]
            found += [self._by_id[id_] for id_ in query.get("messageIds", ()) if id_ in self._by_id]
            listed = [one for one in found if self.shared.now_s() - one.at_s >= self._lag_s]
            events = [self._entry(one.message_id, one.name, one.labels, one.at_s) for one in listed]
            events += [
                self._entry(id_, id_, ("somebody-else",), self.shared.now_s())
                for id_ in query.get("messageIds", ())
                if id_.startswith("stranger_")
            ]
            start = int(query.get("cursor", ["0"])[0])
            page, more = events[start : start + 100], start + 100 < len(events)
            return self.http(200, {"events": page, "cursor": str(start + 100) if more else None})

    def _entry(self, message_id: str, name: str, labels: Sequence[str], at_s: float) -> dict[str, Any]:
        return {
            "messageId": message_id,
            "url": f"https://example.com/{name}",
            "labels": list(labels),
            "state": "CREATED",
            "time": int(at_s * 1000),
        }


# what may become of a request

Act = Callable[[ChaosQStash, Call, Peer], bool]
"""Does something with a call, and says whether the connection goes on."""


@dataclass(frozen=True, kw_only=True)
class Fate:
    """One way in which a request may end."""

    name: str
    act: Act
    batches_only: bool = False

    def suits(self, call: Call) -> bool:
        return call.is_batch or not self.batches_only


@dataclass(frozen=True, kw_only=True)
class Leaving:
    """The server goes before the request is whole."""

    name: str
    after_bytes: int
    reset: bool

    def leave(self, peer: Peer) -> bool:
        """Say whether anything had come."""
        came = peer.read_bytes(self.after_bytes)
        (peer.reset if self.reset else peer.close)()
        return bool(came)


@dataclass(frozen=True, kw_only=True)
class Chance:
    """A fate that is another one each time."""

    make: Callable[[Random], Fate | Leaving]


ODD_BODIES = (
    b"",
    b"null",
    b"{}",
    b"[]",
    b"[[]]",
    b'"msg_1"',
    b"17",
    b'{"messageId":""}',
    b'{"messageId":" "}',
    b'{"messageId":7}',
    b'{"messageId":null}',
    b'{"messageid":"msg_1"}',
    b'{"messageId":"msg_1"',
    b'{"messageId":"msg_1"}}',
    b"<html><title>all is well</title></html>",
    b"\xff\xfe{\x00}\x00",
    b'{"messageId":NaN}',
    b"[" * 2000,
)
"""What is no proof of anything; none says that a message was refused."""

IN_DOUBT_STATUSES = (*range(500, 600), 408, 409, 425)
REFUSING_STATUSES = tuple(
    status for status in range(400, 500) if status not in (401, 403, 408, 409, 425, 429)
)
STOPPING_STATUSES = (301, 302, 307, 308, 401, 403)


def refuses(status: int) -> Fate:
    """Answer so, and take nothing."""

    def act(service: ChaosQStash, call: Call, peer: Peer) -> bool:
        peer.write(service.http(status, {"error": "no"}, {"Location": "/v2/publish/https://elsewhere/"}))
        return True

    return Fate(name=f"{status // 100}xx, nothing taken", act=act)


def throttles(**headers: str) -> Fate:
    def act(service: ChaosQStash, call: Call, peer: Peer) -> bool:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        peer.write(service.http(429, {"error": "too many"}, named))
        return True

    return Fate(name="429", act=act)


def drops(*, takes: bool, reset: bool) -> Fate:
    """End the connection without an answer."""

    def act(service: ChaosQStash, call: Call, peer: Peer) -> bool:
        if takes:
            service.answer(call)
        (peer.reset if reset else peer.close)()
        return False

    return Fate(name=f"no answer, {'taken' if takes else 'nothing taken'}", act=act)


def cuts(share: float, *, reset: bool) -> Fate:
    """Take it, and break the answer off."""

    def act(service: ChaosQStash, call: Call, peer: Peer) -> bool:
        whole = service.answer(call)
        peer.write(whole[: int(len(whole) * share)])
        (peer.reset if reset else peer.close)()
        return False

    return Fate(name="answer cut", act=act)


def answers_oddly(status: int, body: bytes, *, takes: bool) -> Fate:
    """Answer something that proves nothing."""

    def act(service: ChaosQStash, call: Call, peer: Peer) -> bool:
        if takes:
            service.answer(call)
        peer.write(service.http(status, body))
        return True

    return Fate(name="odd answer", act=act)


def informs(status: int, *, pause_s: float = 0.002) -> Fate:
    """Send an informational answer first, and the real one a moment later."""

    def act(service: ChaosQStash, call: Call, peer: Peer) -> bool:
        whole = service.answer(call)
        peer.write(f"HTTP/1.1 {status} X\r\n\r\n".encode())
        peer.wait(pause_s)
        peer.write(whole)
        return True

    return Fate(name="1xx", act=act)


def answers_twice(service: ChaosQStash, call: Call, peer: Peer) -> bool:
    whole = service.answer(call)
    peer.write(whole + whole)
    return True


def dawdles(service: ChaosQStash, call: Call, peer: Peer) -> bool:
    peer.drip(service.answer(call), pause_s=0.05)
    return True


def keeps_silent(service: ChaosQStash, call: Call, peer: Peer) -> bool:
    service.answer(call)
    peer.wait(2)
    return False


def floods(service: ChaosQStash, call: Call, peer: Peer) -> bool:
    service.answer(call)
    peer.write(b"HTTP/1.1 200 OK\r\n\r\n[")
    peer.flood(b'{"messageId":"msg_1"},' * 1000)
    return False


def shortens(service: ChaosQStash, call: Call, peer: Peer) -> bool:
    """Take all of a batch, and answer for all but one."""
    elements = service.accept(call.messages)
    peer.write(service.http(200, elements[:-1]))
    return True


def lengthens(service: ChaosQStash, call: Call, peer: Peer) -> bool:
    elements = service.accept(call.messages)
    peer.write(service.http(200, [*elements, {"messageId": "msg_of_nobody"}]))
    return True


def takes_some(service: ChaosQStash, call: Call, peer: Peer) -> bool:
    """Take every other message of a batch, and refuse the others."""
    elements = [
        service.accept([one])[0] if index % 2 else {"error": "not this one"}
        for index, one in enumerate(call.messages)
    ]
    peer.write(service.http(200, elements))
    return True


def _leaves(random: Random) -> Leaving:
    return Leaving(
        name="request cut", after_bytes=random.choice([1, 20, 200, 600]), reset=random.random() < 0.5
    )


FATES: list[Fate | Chance] = [
    Chance(make=_leaves),
    Chance(make=lambda random: drops(takes=random.random() < 0.6, reset=random.random() < 0.5)),
    Chance(make=lambda random: cuts(random.random(), reset=random.random() < 0.5)),
    Chance(make=lambda random: refuses(random.choice(REFUSING_STATUSES))),
    Chance(
        make=lambda random: answers_oddly(
            random.choice(IN_DOUBT_STATUSES), random.choice(ODD_BODIES), takes=random.random() < 0.6
        )
    ),
    Chance(
        make=lambda random: answers_oddly(
            random.choice([200, 200, 201, 202, 204, 206, 299]),
            random.choice(ODD_BODIES[:3] + ODD_BODIES[5:]),
            takes=random.random() < 0.6,
        )
    ),
    Chance(make=lambda random: informs(random.choice([100, 102, 103, 199]))),
    Fate(name="answered twice", act=answers_twice),
    Chance(
        make=lambda random: throttles(
            Retry_After=random.choice(["0", "-1", "soon", "0.1", "Thu, 01 Jan 1970 00:00:00 GMT"])
        )
    ),
    Fate(name="short answer to a batch", act=shortens, batches_only=True),
    Fate(name="long answer to a batch", act=lengthens, batches_only=True),
    Fate(name="batch taken in part", act=takes_some, batches_only=True),
    Chance(make=lambda random: refuses(random.choice(STOPPING_STATUSES))),
    Fate(name="slow answer", act=dawdles),
    Fate(name="no end", act=floods),
    Fate(name="silence", act=keeps_silent),
    throttles(RateLimit_Limit="1000", RateLimit_Remaining="0", RateLimit_Reset="3600"),
]
WEIGHTS = [4, 4, 4, 2, 4, 3, 2, 2, 2, 2, 2, 2, 0.5, 0.3, 0.5, 0.3, 0.2]


def read_names(target: str, body: bytes) -> list[str]:
    """Read the last parts of the destinations out of a request's target and body."""
    if not target.startswith("/v2/batch"):
        return [target.rpartition("/")[2]]
    return [item["destination"].rpartition("/")[2] for item in json.loads(body)]
