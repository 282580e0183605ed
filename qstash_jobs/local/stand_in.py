"""A server that stands in for QStash in a test: its time stands still until the test lets some pass.

What is looked at is complete: all that is due has been delivered and answered by then.
"""

from collections.abc import Mapping

from qstash_jobs.local.recent import RecordedRequest
from qstash_jobs.local.seen import SeenMessage
from qstash_jobs.local.serve import LocalServer
from qstash_jobs.local.sink import Delivery

PATIENCE_S = 60
"""How long deliveries may really take."""


class StandIn:
    """What a test sees of its server."""

    def __init__(self, server: LocalServer) -> None:
        """Stand in with a server whose time stands still, or follows the wall clock."""
        self.server = server

    @property
    def url(self) -> str:
        """What clients take for QSTASH_URL."""
        return self.server.url

    @property
    def token(self) -> str:
        """What clients take for QSTASH_TOKEN."""
        return self.server.token

    @property
    def current_signing_key(self) -> str:
        """The key that deliveries are signed with."""
        return self.server.current_signing_key

    @property
    def next_signing_key(self) -> str:
        """The key that a rotation would put in use."""
        return self.server.next_signing_key

    @property
    def environment(self) -> Mapping[str, str]:
        """All of these under the names that the SDKs read."""
        return {
            "QSTASH_URL": self.url,
            "QSTASH_TOKEN": self.token,
            "QSTASH_CURRENT_SIGNING_KEY": self.current_signing_key,
            "QSTASH_NEXT_SIGNING_KEY": self.next_signing_key,
        }

    def messages(self) -> list[SeenMessage]:
        """List what was published, and the callbacks, in the order they came."""
        self._settle()
        return self.server.messages()

    def deliveries(self) -> list[Delivery]:
        """List what was delivered, each attempt by itself, in the order of the answers."""
        self._settle()
        return self.server.deliveries()

    def requests(self) -> list[RecordedRequest]:
        """List the requests as they came."""
        return self.server.requests()

    def advance(self, seconds: float) -> None:
        """Let time pass, and wait until what is due by then has been delivered."""
        self._settle()
        self.server.advance(seconds)
        self._settle()

    def finish(self, most_s: float = 90 * 86_400) -> bool:
        """Let time pass until nothing is left to deliver, retries included; False if that is later than `most_s`."""
        self._settle()
        while (due_s := self.server.next_due_s()) is not None:
            if due_s > most_s:
                return False
            most_s -= due_s
            self.advance(due_s)
        return True

    def make_group(self, name: str, endpoints: Mapping[str, str]) -> None:
        """Make a URL group, or add to it: the name of each endpoint, and its URL."""
        self.server.make_group(name, endpoints)

    def make_queue(self, name: str, parallelism: int = 1, *, paused: bool = False) -> None:
        """Make a queue, or change it."""
        self.server.make_queue(name, parallelism, paused=paused)

    def add_fault(self, kind: str, **fields: object) -> None:
        """Let something go wrong: what and how often is told by docs/local-server.md."""
        self.server.add_fault(kind, **fields)

    def clear_faults(self) -> None:
        """Let nothing more go wrong."""
        self.server.clear_faults()

    def turn(self, **switches: object) -> None:
        """Turn switches."""
        self.server.turn(**switches)

    def _settle(self) -> None:
        if not self.server.wait_idle(PATIENCE_S):
            raise TimeoutError(f"deliveries are still under way after {PATIENCE_S} s")
