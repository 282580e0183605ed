"""A QStash-compatible server in this process, on loopback, in a thread of its own."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from qstash_jobs.errors import UsageError
from qstash_jobs.local.kept.file import StateFile
from qstash_jobs.local.kept.restore import restore
from qstash_jobs.local.recent import Recent, RecordedRequest
from qstash_jobs.local.seen import SeenMessage, describe_message
from qstash_jobs.local.setup import LOOPBACK, Limits, OpenState, Setup, is_loopback
from qstash_jobs.local.sink import AnswerFunction, Delivery
from qstash_jobs.local.thread import ServiceThread, make_secret, real_ms
from qstash_jobs.local.world.account import DEV_USERS, Account, Retention, User
from qstash_jobs.local.world.faults import add_fault
from qstash_jobs.local.world.groups import Endpoint
from qstash_jobs.local.world.quota import PAYG, Quota
from qstash_jobs.local.world.refusal import Refusal
from qstash_jobs.local.world.resources import put_endpoints, put_queue
from qstash_jobs.local.world.switches import Switches, change_switches
from qstash_jobs.local.world.world import LONGEST_S, World


class LocalServer:
    """A running server. All methods may be called from any thread; what was recorded can be read after `stop`."""

    def __init__(self, world: World, setup: Setup) -> None:
        self._setup = setup
        self._world = world
        self._thread = ServiceThread(world, setup)

    @property
    def url(self) -> str:
        """Where it listens, for clients on this machine."""
        return self._thread.url

    @property
    def is_private(self) -> bool:
        """Whether only this machine reaches it."""
        return is_loopback(self._setup.host)

    @property
    def token(self) -> str:
        """The token of the first development user."""
        return self._account.token

    @property
    def current_signing_key(self) -> str:
        """The key that deliveries are signed with."""
        return self._account.current_key

    @property
    def next_signing_key(self) -> str:
        """The key that a rotation would put in use."""
        return self._account.next_key

    @property
    def delivery_count(self) -> int:
        """How many deliveries there were in all."""
        return self._setup.deliveries.count

    def deliveries(self) -> list[Delivery]:
        """List the last deliveries, at most 10,000, in the order of their answers."""
        return self._thread.ask(self._setup.deliveries.list)

    def deliveries_after(self, seen: int) -> tuple[list[Delivery], int]:
        """List the deliveries after the first so many, at most the last 10,000; and tell how many there are in all."""

        def look() -> tuple[list[Delivery], int]:
            count = self._setup.deliveries.count
            return self._setup.deliveries.list()[-(count - seen) :] if count > seen else [], count

        return self._thread.ask(look)

    def messages(self) -> list[SeenMessage]:
        """List the first user's messages that are remembered, callbacks among them, in the order they came."""
        return self._thread.ask(lambda: [describe_message(one) for one in self._account.messages.values()])

    def next_due_s(self) -> float | None:
        """Tell how much virtual time has to pass until something is due; None if nothing is."""

        def look() -> float | None:
            world = self._thread.engine.tick()
            due_ms = world.agenda.next_due_ms()
            return None if due_ms is None else max(0, due_ms - world.now_ms) / 1000

        return self._thread.ask(look)

    def requests(self) -> list[RecordedRequest]:
        """List the last requests, at most 10,000, if the server was started to record them."""
        return self._thread.ask(self._setup.requests.list) if self._setup.requests is not None else []

    def make_group(self, name: str, endpoints: Mapping[str, str]) -> None:
        """Make a URL group, or add to it: the name of each endpoint, and its URL."""
        pairs = tuple(Endpoint(url=url, name=endpoint) for endpoint, url in endpoints.items())
        self._change(lambda: put_endpoints(self._thread.engine.tick(), self._account, name, pairs))

    def make_queue(self, name: str, parallelism: int = 1, *, paused: bool = False) -> None:
        """Make a queue, or change it."""
        self._change(
            lambda: put_queue(
                self._thread.engine.tick(), self._account, name, parallelism=parallelism, paused=paused
            )
        )

    def add_fault(self, kind: str, **fields: object) -> None:
        """Let something go wrong: what and how often is told by docs/local-server.md."""
        self._change(lambda: add_fault(self._world, self._account, {"kind": kind, **fields}))

    def clear_faults(self) -> None:
        """Let nothing more go wrong."""
        self._change(self._account.faults.clear)

    def turn(self, **switches: object) -> None:
        """Turn switches."""

        def turn() -> None:
            self._world.switches = change_switches(self._world.switches, switches)

        self._change(turn)

    def advance(self, seconds: float) -> None:
        """Let virtual time pass; deduplication windows grow older by it too."""
        if not 0 <= seconds <= LONGEST_S:
            raise UsageError(f"time goes on by 0 to {LONGEST_S} seconds, not by {seconds}")
        self._change(lambda: self._thread.engine.tick().advance(round(seconds * 1000)))

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep virtual time from jumping inside: what is published there is ordered by its own delays.

        Without it, the server takes a short pause between requests for the end of what belongs together.
        """
        self._thread.ask(self._thread.engine.hold)
        try:
            yield
        finally:
            self._thread.ask(self._thread.engine.release)

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until nothing is left to deliver; False if that took longer.

        What waits in a paused queue, or for a paused flow-control key, waits for somebody and does not count; nor does
        what is not due yet, where time stands still.
        """
        return self._thread.wait_idle(timeout_s)

    def stop(self) -> None:
        """Stop the server, and wait until its thread has ended."""
        self._thread.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def _account(self) -> Account:
        return self._world.accounts[0]

    def _change(self, function: Callable[[], object]) -> None:
        def change() -> None:
            function()
            self._thread.engine.wake()

        try:
            self._thread.ask(change)
            self._thread.wait_saved()
        except Refusal as refusal:
            raise UsageError(refusal.text) from refusal


def start_server(
    *,
    host: str = LOOPBACK,
    port: int = 0,
    deliver: bool = False,
    allow_link_local: bool = False,
    real_time: bool = False,
    stands_still: bool = False,
    record_requests: bool = False,
    answer: AnswerFunction | None = None,
    quota: Quota = PAYG,
    switches: Switches | Mapping[str, object] | None = None,
    faults: Iterable[Mapping[str, object]] = (),
    retention: Retention | None = None,
    users: Sequence[User] = DEV_USERS,
    limits: Limits | None = None,
    state: str | Path | None = None,
    speed: int = 1,
) -> LocalServer:
    """Start a server on 127.0.0.1, or where `host` says; it is a context manager that stops it.

    Deliveries go to a built-in receiver, which asks `answer` what to say; with `deliver` they go to their
    destinations, but for link-local addresses and metadata services, unless these are allowed. Time is virtual: delays
    are kept in order, nobody waits for them; `real_time` follows the wall clock, and time that `stands_still` is moved
    by `advance` alone. With `speed`, so many seconds pass in one of the wall clock's. What happens is kept in the file
    `state`, and goes on from there. Raises UsageError when the extra is missing, the port is taken, or the file cannot
    be used.
    """
    if real_time and stands_still:
        raise UsageError("time either follows the wall clock or stands still")
    if speed < 1 or (speed > 1 and not real_time):
        raise UsageError("a fast clock is one that follows the wall clock, at least as fast")
    if not host.strip():
        # asyncio would listen on all addresses
        raise UsageError(
            "the host to listen on is empty: leave it out for this machine alone, or say 0.0.0.0 for all"
        )
    try:
        import aiohttp  # noqa: F401 - the other modules import it, deep in a thread
    except ImportError as error:
        raise UsageError("the local server needs aiohttp: pip install 'qstash-jobs[local]'") from error
    world = World(
        now_ms=real_ms(),
        make_secret=make_secret,
        real_time=real_time,
        stands_still=stands_still,
        users=users,
        quota=quota,
        switches=_read_switches(switches),
        retention=retention,
        speed=speed,
    )
    _add_faults(world, faults)
    opened = _open_state(world, Path(state)) if state is not None else None
    setup = Setup(
        host=host,
        port=port,
        deliver=deliver,
        allow_link_local=allow_link_local,
        answer=answer,
        limits=limits or Limits(),
        requests=Recent() if record_requests else None,
        state=opened,
    )
    try:
        return LocalServer(world, setup)
    except BaseException:
        if opened is not None:
            opened.file.close()
        raise


def _open_state(world: World, path: Path) -> OpenState:
    file = StateFile(path)
    try:
        return OpenState(file=file, written=restore(world, file.read()))
    except (ValueError, TypeError, KeyError) as error:
        file.close()
        raise UsageError(f"the state file {path} holds what cannot be read: {error}") from error
    except BaseException:
        file.close()
        raise


def _read_switches(given: Switches | Mapping[str, object] | None) -> Switches:
    if isinstance(given, Switches):
        return given
    try:
        return change_switches(Switches(), given or {})
    except Refusal as refusal:
        raise UsageError(refusal.text) from refusal


def _add_faults(world: World, faults: Iterable[Mapping[str, object]]) -> None:
    try:
        for fields in faults:
            for account in world.accounts:
                add_fault(world, account, fields)
    except Refusal as refusal:
        raise UsageError(refusal.text) from refusal
