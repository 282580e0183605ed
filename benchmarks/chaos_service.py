"""Requests on loopback -> what QStash would do, or a mishap; and the record of what was really accepted.

What becomes of a request hangs on the seed, the message and which request for it this is, and on nothing else: not on
its moment, not on who asks. So a client that sends more, or sends in another order, has no other luck.
"""

import sys
from collections import Counter
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from threading import Lock

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from chaos_server import Peer
from publishing import Call, Service, http, read_call

STEP_BYTES = 64
"""Of a request so much is read at a time until the name of its message has come: never all of it."""


class ChaoticService:
    """A script for every connection of a `ChaosServer`: QStash as the tests have it, with mishaps in front of it."""

    def __init__(self, *, seed: int, share: float, late_s: float) -> None:
        """`share` of the requests that publish end in a mishap; `late_s` is longer than any client waits."""
        self._seed = seed
        self._share = share
        self._late_s = late_s
        self._qstash = Service()
        self._tries: Counter[str] = Counter()
        self._lock = Lock()
        self.mishaps: Counter[str] = Counter()

    @property
    def requests(self) -> int:
        """How many tried to publish something."""
        return self._tries.total()

    @property
    def copies(self) -> Mapping[str, int]:
        """How often each message was accepted as a new one, by the last part of its destination."""
        return {url.rpartition("/")[2]: count for url, count in self._qstash.accepted.items()}

    def __call__(self, peer: Peer) -> None:
        goes_on = True
        while goes_on and (begin := read_target(peer)):
            method, _, target = begin.partition(" ")
            mishap = self._draw(target) if method == "POST" else None
            if mishap == "request cut":
                peer.reset()
                return
            raw = peer.read_request()
            if not raw:
                return
            if method != "POST":
                peer.write(self._qstash.log.answer(raw))
            else:
                goes_on = self._answer(read_call(raw), mishap, peer)

    def _draw(self, target: str) -> str | None:
        """Decide what becomes of a request, before it is whole."""
        name = target.rpartition("/")[2]
        with self._lock:
            self._tries[name] += 1
            lot = sha256(f"{self._seed} {name} {self._tries[name]}".encode()).digest()
            if int.from_bytes(lot[:8]) >= self._share * 2**64:
                return None
            mishap = MISHAPS[int.from_bytes(lot[8:16]) % len(MISHAPS)]
            self.mishaps[mishap] += 1
        return mishap

    def _answer(self, call: Call, mishap: str | None, peer: Peer) -> bool:
        """Answer a whole request, in one way or another; say whether the connection goes on."""
        if mishap == "429":
            peer.write(http(429, {"error": "too many requests"}, {"Retry-After": "1"}))
            return True
        if mishap == "503, nothing accepted":
            peer.write(http(503, {"error": "unavailable"}))
            return True
        whole = self._qstash.act(call)
        head, _, body = whole.partition(b"\r\n\r\n")
        match mishap:
            case "accepted, no answer":
                peer.reset()
            case "accepted, answer late":
                peer.wait(self._late_s)
                peer.write(whole)
            case "accepted, answer cut":
                peer.write(head + b"\r\n\r\n" + body[: len(body) // 2])
            case "accepted, 502":
                peer.write(http(502, b"<html><title>502 Bad Gateway</title></html>"))
                return True
            case "accepted, half a JSON text":
                peer.write(http(200, body[: len(body) // 2]))
                return True
            case _:
                peer.write(whole)
                return True
        return False


MISHAPS = (
    "request cut",
    "503, nothing accepted",
    "429",
    "accepted, no answer",
    "accepted, answer late",
    "accepted, answer cut",
    "accepted, half a JSON text",
    "accepted, 502",
)
"""Each as likely as the others."""


def read_target(peer: Peer) -> str:
    """Read method and target of the next request, and leave the rest of it unread; "" when the client has gone."""
    wanted = STEP_BYTES
    while b"\r\n" not in (begin := peer.read_bytes(wanted)):
        if len(begin) < wanted:
            return ""
        wanted += STEP_BYTES
    return begin.partition(b"\r\n")[0].decode("latin-1").rpartition(" ")[0]
