"""A QStash-compatible server in this process, on loopback, in a thread of its own."""

import asyncio
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self, TypeVar

from qstash_jobs.errors import UsageError
from qstash_jobs.local.recent import Recent, RecordedRequest
from qstash_jobs.local.setup import LOOPBACK, Limits, Setup, is_loopback
from qstash_jobs.local.sink import AnswerFunction, Delivery
from qstash_jobs.local.world.account import DEV_USERS, Account, Retention
from qstash_jobs.local.world.groups import Endpoint
from qstash_jobs.local.world.quota import PAYG, Quota, Switches
from qstash_jobs.local.world.refusal import Refusal
from qstash_jobs.local.world.resources import put_endpoints, put_queue
from qstash_jobs.local.world.world import World

if TYPE_CHECKING:
    from qstash_jobs.local.service import Service

T = TypeVar("T")


class LocalServer:
    """A running server. All methods may be called from any thread; what was recorded can be read after `stop`."""

    def __init__(self, setup: Setup) -> None:
        self.url = ""
        self._setup = setup
        self._service: Service
        self._thread: threading.Thread

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
        return self._ask(self._setup.deliveries.list)

    def requests(self) -> list[RecordedRequest]:
        """List the last requests, at most 10,000, if the server was started to record them."""
        return self._ask(self._setup.requests.list) if self._setup.requests is not None else []

    def make_group(self, name: str, endpoints: Mapping[str, str]) -> None:
        """Make a URL group, or add to it: the name of each endpoint, and its URL."""
        pairs = tuple(Endpoint(url=url, name=endpoint) for endpoint, url in endpoints.items())
        self._change(lambda: put_endpoints(self._service.engine.tick(), self._account, name, pairs))

    def make_queue(self, name: str, parallelism: int = 1, *, paused: bool = False) -> None:
        """Make a queue, or change it."""
        self._change(
            lambda: put_queue(
                self._service.engine.tick(), self._account, name, parallelism=parallelism, paused=paused
            )
        )

    def advance(self, seconds: float) -> None:
        """Let virtual time pass; deduplication windows grow older by it too."""
        self._change(lambda: self._service.engine.tick().advance(round(seconds * 1000)))

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep virtual time from jumping inside: what is published there is ordered by its own delays.

        Without it, the server takes a short pause between requests for the end of what belongs together.
        """
        self._ask(self._service.engine.hold)
        try:
            yield
        finally:
            self._ask(self._service.engine.release)

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until nothing is left to deliver; False if that took longer.

        What waits in a paused queue, or for a paused flow-control key, waits for somebody and does not count.
        """
        if not self._thread.is_alive():
            return True
        waiting = asyncio.run_coroutine_threadsafe(self._service.engine.wait_idle(), self._service.loop)
        try:
            waiting.result(timeout_s)
        except FutureTimeoutError:
            waiting.cancel()
            return False
        except CancelledError:  # the server was stopped meanwhile
            return False
        return True

    def stop(self) -> None:
        """Stop the server, and wait until its thread has ended."""
        if self._thread.is_alive():
            self._service.loop.call_soon_threadsafe(self._service.stopping.set)
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def _account(self) -> Account:
        return self._service.engine.world.accounts[0]

    def _change(self, function: Callable[[], object]) -> None:
        def change() -> None:
            try:
                function()
            except Refusal as refusal:
                raise UsageError(refusal.text) from refusal
            self._service.engine.wake()

        self._ask(change)

    def _ask(self, function: Callable[[], T]) -> T:
        """Run a function where the world may be touched."""
        if not self._thread.is_alive() or threading.current_thread() is self._thread:
            return function()
        answer: Future[T] = Future()

        def run() -> None:
            try:
                answer.set_result(function())
            except Exception as error:
                answer.set_exception(error)

        self._service.loop.call_soon_threadsafe(run)
        while True:
            try:
                return answer.result(1)
            except FutureTimeoutError:
                if not self._thread.is_alive():
                    return function()

    def _start(self, world: World) -> None:
        started: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._live, args=(world, started), name="qstash-jobs local server", daemon=True
        )
        self._thread.start()
        try:
            started.result()
        except (OSError, OverflowError) as error:
            self._thread.join()
            setup = self._setup
            place = f"port {setup.port}" if setup.host == LOOPBACK else f"{setup.host}, port {setup.port}"
            raise UsageError(f"the local server cannot listen on {place}: {_explain(error)}") from error

    def _live(self, world: World, started: "Future[None]") -> None:
        try:
            asyncio.run(self._serve(world, started))
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    async def _serve(self, world: World, started: "Future[None]") -> None:
        from qstash_jobs.local.service import Service

        def tell(url: str) -> None:
            self.url = url
            started.set_result(None)

        self._service = Service(world, self._setup, real_ms=real_ms)
        await self._service.serve(tell)


def start_server(
    *,
    host: str = LOOPBACK,
    port: int = 0,
    deliver: bool = False,
    allow_link_local: bool = False,
    real_time: bool = False,
    record_requests: bool = False,
    answer: AnswerFunction | None = None,
    quota: Quota = PAYG,
    switches: Switches | None = None,
    retention: Retention | None = None,
    limits: Limits | None = None,
) -> LocalServer:
    """Start a server on 127.0.0.1, or where `host` says; it is a context manager that stops it.

    Deliveries go to a built-in receiver, which asks `answer` what to say; with `deliver` they go to their
    destinations, but for link-local addresses and metadata services, unless these are allowed. Time is virtual: delays
    are kept in order, nobody waits for them; `real_time` follows the wall clock. Raises UsageError when the extra is
    missing or the port is taken.
    """
    try:
        import aiohttp  # noqa: F401 - the other modules import it, deep in a thread
    except ImportError as error:
        raise UsageError("the local server needs aiohttp: pip install 'qstash-jobs[local]'") from error
    server = LocalServer(
        Setup(
            host=host,
            port=port,
            deliver=deliver,
            allow_link_local=allow_link_local,
            answer=answer,
            limits=limits or Limits(),
            requests=Recent() if record_requests else None,
        )
    )
    world = World(
        now_ms=real_ms(),
        make_secret=lambda: secrets.token_urlsafe(12).replace("-", "a").replace("_", "b"),
        real_time=real_time,
        users=DEV_USERS,
        quota=quota,
        switches=switches,
        retention=retention,
    )
    server._start(world)  # noqa: SLF001 - the other half of the constructor
    return server


def _explain(error: OSError | OverflowError) -> str:
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()
    # A name that cannot be resolved has an error of its own.
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def real_ms() -> int:
    """Return the wall clock's time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000
