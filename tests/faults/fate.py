"""What may become of a request -> dealt out so that the share of chaos is what it was to be, whatever the luck."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from threading import Lock
from typing import TYPE_CHECKING

from chaos_server import Peer
from publishing import Call

if TYPE_CHECKING:
    from faults.chaos_qstash import ChaosQStash

Act = Callable[["ChaosQStash", Call, Peer], bool]
"""Does something with a call, and says whether the connection goes on."""


@dataclass(frozen=True, kw_only=True)
class Fate:
    """One way in which a request may end."""

    name: str
    act: Act
    suits: Callable[[Call], bool] = lambda call: True
    """Whether it can become of this call."""


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


class Deck:
    """Deals fates to requests, None for one that is to go well; safe to be drawn from by many threads.

    Of every fifty cards the same number is chaos. What was dealt for a request that never came goes back.
    """

    CARDS = 50

    def __init__(
        self, fates: Sequence[tuple[Fate | Chance, float]] = (), *, seed: int = 0, share: float = 0.0
    ) -> None:
        self.seed = seed
        self.share = share
        self._fates = fates
        self._random = Random(seed)
        self._cards: list[Fate | Leaving | bool] = []
        """True for chaos of whatever kind."""
        self._lock = Lock()

    def draw(self) -> Fate | Leaving | None:
        with self._lock:
            if not self._cards:
                chaotic = round(self.CARDS * self.share)
                self._cards = [True] * chaotic + [False] * (self.CARDS - chaotic)
                self._random.shuffle(self._cards)
            card = self._cards.pop()
            if isinstance(card, bool):
                return self._choose() if card else None
            return card

    def put_back(self, fate: Fate | Leaving | None) -> None:
        with self._lock:
            self._cards.append(fate or False)

    def exchange(self, call: Call) -> Fate:
        """Deal another in place of one that does not suit a call, which has come already."""
        with self._lock:
            while isinstance(fate := self._choose(), Leaving) or not fate.suits(call):
                pass
            return fate

    def _choose(self) -> Fate | Leaving:
        fate = self._random.choices(*zip(*self._fates, strict=True))[0]
        return fate.make(self._random) if isinstance(fate, Chance) else fate
