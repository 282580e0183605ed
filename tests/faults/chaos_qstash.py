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

from chaos_server import Peer
from faults.fate import Deck, Fate, Leaving
from faults.hindsight import Acceptance, Hindsight, Traits, address
from faults.shared_time import SharedTime
from publishing import Call, Sent, http, read_call

WINDOW_S = 600
"""upstash docs, features/deduplication: an id is remembered for ten minutes."""

ENDPOINTS = ("one", "two")
"""Of every URL group."""


class ChaosQStash:
    """A script for every connection of a `ChaosServer`."""

    def __init__(self, shared: SharedTime, deck: Deck, traits: Traits) -> None:
        """`deck` has what is to become of the requests."""
        self.shared = shared
        self.traits = traits
        self.acceptances: dict[str, list[Acceptance]] = defaultdict(list)
        self.fates: Counter[str] = Counter()
        self.requests = 0
        """Those that publish something, whole or not."""
        self.events = 0
        """Moments at which something has just happened: a request is read, or is about to be answered."""
        self.plan: list[Fate | Leaving] = []
        """Fates of the next requests that publish something, in place of chance."""
        self.hindsight = Hindsight(shared, traits, Random(deck.seed), share=deck.share)
        self._deck = deck
        self._elsewhere = set(traits.elsewhere)
        self._ids: dict[tuple[str, str], Acceptance] = {}
        self._due: dict[int, list[Callable[[], None]]] = defaultdict(list)
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

    def call_at(self, number: int, act: Callable[[], None]) -> None:
        """Do something at the very moment when so many things have happened, before anything else does."""
        with self._moved:
            if self.events < number:
                self._due[number].append(act)
                return
        act()

    # what it does

    def __call__(self, peer: Peer) -> None:
        goes_on = True
        while goes_on:
            fate = self._draw()
            if isinstance(fate, Leaving):
                if fate.leave(peer):
                    self._count(fate, is_new=True)
                else:
                    self._deck.put_back(fate)
                return
            if not (raw := peer.read_request()):
                self._deck.put_back(fate)
                return
            self._happen()
            if raw.startswith(b"GET "):
                self._deck.put_back(fate)
                goes_on = self.hindsight.answer(raw, peer)
            else:
                goes_on = self._answer_call(read_call(raw), peer, fate)
            self._happen()

    def _answer_call(self, call: Call, peer: Peer, fate: Fate | None) -> bool:
        with self._moved:
            self.requests += 1
            planned = self.plan.pop(0) if self.plan else None
        if planned is not None:
            self._deck.put_back(fate)
            fate = None if isinstance(planned, Leaving) else planned
        elif fate is not None and not fate.suits(call):
            fate = self._deck.exchange(call)
        if fate is None or not fate.suits(call):
            peer.write(self.answer(call))
            return True
        self._count(fate, is_new=False)
        return fate.act(self, call, peer)

    def _draw(self) -> Fate | Leaving | None:
        """Choose what will become of the next request of a connection, before it has come."""
        with self._moved:
            if self.plan and isinstance(self.plan[0], Leaving):
                return self.plan.pop(0)
        return self._deck.draw()

    def _count(self, fate: Fate | Leaving, *, is_new: bool) -> None:
        with self._moved:
            self.fates[fate.name] += 1
            self.requests += is_new

    def _happen(self) -> None:
        with self._moved:
            self.events += 1
            due = self._due.pop(self.events, ())
            self._moved.notify_all()
        for act in due:
            act()

    def answer(self, call: Call) -> bytes:
        """Do what QStash does, and write its answer."""
        refused = [one.destination for one in call.messages if self._is_refused(one)]
        if refused:
            return self.http(400, {"error": f"refused: {refused[0]}"})
        elements = self.accept(call.messages)
        if call.is_batch:
            return self.http(200, elements)
        flat = elements[0] if isinstance(elements[0], list) else elements
        return self.http(202 if all("deduplicated" in one for one in flat) else 201, elements[0])

    def _is_refused(self, sent: Sent) -> bool:
        return not is_group(sent) and name_of(sent) in self.traits.refuses

    def accept(
        self, messages: Sequence[Sent], *, beside: Sequence[Sent] = (), endpoints: int = len(ENDPOINTS)
    ) -> list[Any]:
        """Take messages, and return the elements of the answer; of a URL group only so many endpoints take it.

        `beside` came in the same request.
        """
        together = frozenset(map(name_of, (*messages, *beside)))
        with self._moved:
            return [self._accept(one, together, endpoints) for one in messages]

    def _accept(self, sent: Sent, together: frozenset[str], endpoints: int) -> Any:
        name = name_of(sent)
        elsewhere = name in self._elsewhere
        self._elsewhere.discard(name)
        taking = _Taking(sent=sent, together=together, elsewhere=elsewhere)
        if not is_group(sent):
            return self._take(taking, "")
        most = 1 if name in self.traits.refuses else endpoints
        return [
            {"url": address(name, one), **self._take(taking, one)}
            if number < most or self._find(sent, one)
            else {"url": address(name, one), "error": "this endpoint takes nothing"}
            for number, one in enumerate(ENDPOINTS)
        ]

    def _take(self, taking: "_Taking", endpoint: str) -> dict[str, Any]:
        """Take a message for its destination, or for one endpoint of it, unless the id is known."""
        name, dedup_id = name_of(taking.sent), taking.sent.dedup_id
        if name in self.traits.strangers:
            return {"messageId": f"stranger_{name}", "deduplicated": True}
        if known := self._find(taking.sent, endpoint):
            return {"messageId": known.message_id, "deduplicated": True}
        labels = {key.lower(): value for key, value in taking.sent.headers}.get("upstash-label", "")
        acceptance = Acceptance(
            message_id=f"msg_{self.hindsight.count + 1}",
            name=name,
            endpoint=endpoint,
            queue=taking.sent.queue,
            at_s=self.shared.now_s(),
            labels=tuple(labels.split(",")),
            together=taking.together,
            elsewhere=taking.elsewhere,
        )
        self.acceptances[name].append(acceptance)
        self.hindsight.note(acceptance)
        if dedup_id is not None:
            self._ids[dedup_id, endpoint] = acceptance
        return {"messageId": acceptance.message_id, **({"deduplicated": True} if taking.elsewhere else {})}

    def _find(self, sent: Sent, endpoint: str) -> Acceptance | None:
        """Find what was taken under the same deduplication id, as long as that is remembered."""
        known = self._ids.get((sent.dedup_id, endpoint)) if sent.dedup_id is not None else None
        return known if known is not None and self.shared.now_s() - known.at_s < WINDOW_S else None

    def http(self, status: int, value: object, headers: Mapping[str, str] | None = None) -> bytes:
        return http(status, value, {"Date": formatdate(self.shared.now_s(), usegmt=True), **(headers or {})})


@dataclass(frozen=True, kw_only=True)
class _Taking:
    """A message that is about to be taken."""

    sent: Sent
    together: frozenset[str]
    elsewhere: bool


def is_group(sent: Sent) -> bool:
    return "://" not in sent.destination


def name_of(sent: Sent) -> str:
    return sent.destination.rpartition("/")[2]


def read_names(target: str, body: bytes) -> list[str]:
    """Read the last parts of the destinations out of a request's target and body."""
    if not target.startswith("/v2/batch"):
        return [target.rpartition("/")[2]]
    return [item["destination"].rpartition("/")[2] for item in json.loads(body)]
