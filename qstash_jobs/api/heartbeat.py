"""The address of a monitor -> pings that tell it of a run: its start, and how it ended.

The manner is healthchecks.io's, which others have taken up: URL/start, then URL, or URL/fail. A monitor that cannot be
told is never a reason to fail. Its address is shown nowhere: whoever has it can ping.
"""

from collections.abc import Mapping
from threading import Thread
from urllib.parse import urlsplit

from qstash_jobs.boundary import Clock
from qstash_jobs.errors import UsageError
from qstash_jobs.transport import open_line
from qstash_jobs.value import dataclass
from qstash_jobs.wire.http import Answer, Held, Reply, Request
from qstash_jobs.wire.server import Server, read_server

PATIENCE_S = 10.0
"""How long a run waits for a ping at its end, whatever happens to it."""

TRIES = 3
PAUSE_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """Who is told."""

    server: Server
    path: str
    query: str

    def request(self, ending: str, body: str) -> Request:
        """Write a ping: `/start`, `/fail`, or the address as it is for a success."""
        path = self.path.rstrip("/") + ending if ending else self.path or "/"
        return Request(
            method="POST",
            target=f"{path}?{self.query}" if self.query else path,
            headers=(("Content-Type", "text/plain; charset=utf-8"),),
            body=body.encode(),
        )


def read_monitor(url: str) -> Monitor:
    """Read `--heartbeat-url`; UsageError, which does not repeat it."""
    try:
        parts = urlsplit(url)
        server = read_server(f"{parts.scheme}://{parts.netloc}")
        usable = (parts.path + parts.query).isprintable() and url.isascii() and " " not in url
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(
            "--heartbeat-url cannot be used: write https://HOST/PATH, without user and password; "
            "http:// only to this machine"
        )
    return Monitor(server=server, path=parts.path, query=parts.query)


class Heartbeat:
    """Tells a monitor of one run."""

    def __init__(self, monitor: Monitor, *, env: Mapping[str, str], clock: Clock) -> None:
        self._monitor = monitor
        self._env = env
        self._clock = clock
        self._start: _Ping | None = None

    @property
    def place(self) -> str:
        """The monitor's host, and its port where it isn't https' own."""
        server = self._monitor.server
        return server.host if server.port == 443 else server.place

    def start(self) -> None:
        """Tell of the start, and wait for nothing."""
        self._start = self._ping("/start", "")

    def end(self, summary: str, *, went_well: bool) -> str | None:
        """Tell how it ended; say why the monitor could not be told, or None."""
        reason = self._start.wait() if self._start is not None else None
        ping = self._ping("" if went_well else "/fail", f"{summary}\n")
        return ping.wait() or reason

    def _ping(self, ending: str, body: str) -> "_Ping":
        return _Ping(self._monitor, self._monitor.request(ending, body), env=self._env, clock=self._clock)


class _Ping:
    """One ping on its way, in a thread of its own: looking up a name is bounded by nothing else."""

    def __init__(self, monitor: Monitor, request: Request, *, env: Mapping[str, str], clock: Clock) -> None:
        self._line = open_line(
            monitor.server, None, environment=env, connect_timeout_s=PATIENCE_S / 2, deadline_s=PATIENCE_S / 2
        )
        self._request = request
        self._clock = clock
        self._until_s = clock.monotonic_s() + PATIENCE_S
        self._reason: str | None = f"no answer within {PATIENCE_S:g} s"
        self._thread = Thread(target=self._send, daemon=True)
        self._thread.start()

    def wait(self) -> str | None:
        """Wait until it has arrived or will not any more; say why not."""
        self._thread.join(max(0.0, self._until_s - self._clock.monotonic_s()))
        return self._reason

    def _send(self) -> None:
        try:
            for number in range(1, TRIES + 1):
                answer = self._line.connect() or self._line.send(self._request, may_send=lambda: True)
                self._reason = _explain(answer)
                if self._reason is None or number == TRIES or not _may_pass(answer):
                    return
                self._clock.sleep(PAUSE_S * number)
        finally:
            self._line.close()


def _may_pass(answer: Answer) -> bool:
    """Say whether another try may go better."""
    return not isinstance(answer, Reply) or answer.status == 429 or answer.status >= 500


def _explain(answer: Answer) -> str | None:
    """Say why a ping did not count, or None where it did."""
    if isinstance(answer, Held):
        return "not sent"
    if not isinstance(answer, Reply):
        # the address that may be wrong is another one here
        return answer.reason.removesuffix("; is QSTASH_URL right?")
    if not 200 <= answer.status < 300:
        return f"answered {answer.status}"
    # healthchecks.io/docs/http_api: 200 with "OK (not found)" or "OK (rate limited)" for what did not count
    said = answer.body[:40].decode("ascii", "replace").strip()
    return f'answered "{said}"' if said.startswith("OK (") else None
