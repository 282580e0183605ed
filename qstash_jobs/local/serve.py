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
from qstash_jobs.local.engine import Engine
from qstash_jobs.local.sink import AnswerFunction, Delivery, Recent, Sink
from qstash_jobs.local.world.account import DEV_USERS, Account, Retention
from qstash_jobs.local.world.deliver import settle, settle_later
from qstash_jobs.local.world.groups import Endpoint
from qstash_jobs.local.world.message import Attempt
from qstash_jobs.local.world.quota import PAYG, Quota, Switches
from qstash_jobs.local.world.refusal import Refusal
from qstash_jobs.local.world.resources import put_endpoints, put_queue
from qstash_jobs.local.world.world import World

if TYPE_CHECKING:
    from qstash_jobs.local.door import RecordedRequest

HOST = "127.0.0.1"
T = TypeVar("T")


class LocalServer:
    """A running server. All methods may be called from any thread; what was recorded can be read after `stop`."""

    def __init__(self, *, deliver: bool, record_requests: bool, answer: AnswerFunction | None) -> None:
        self.url = ""
        self._deliver = deliver
        self._sink_answer = answer
        self._deliveries: Recent[Delivery] = Recent()
        self._requests: Recent[RecordedRequest] | None = Recent() if record_requests else None
        self._loop: asyncio.AbstractEventLoop
        self._engine: Engine
        self._stopping: asyncio.Event
        self._thread: threading.Thread

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
        return self._deliveries.count

    def deliveries(self) -> list[Delivery]:
        """List the last deliveries, at most 10,000, in the order of their answers."""
        return self._ask(self._deliveries.list)

    def requests(self) -> list["RecordedRequest"]:
        """List the last requests, at most 10,000, if the server was started to record them."""
        return self._ask(self._requests.list) if self._requests is not None else []

    def make_group(self, name: str, endpoints: Mapping[str, str]) -> None:
        """Make a URL group, or add to it: the name of each endpoint, and its URL."""
        pairs = tuple(Endpoint(url=url, name=endpoint) for endpoint, url in endpoints.items())
        self._change(lambda: put_endpoints(self._engine.tick(), self._account, name, pairs))

    def make_queue(self, name: str, parallelism: int = 1, *, paused: bool = False) -> None:
        """Make a queue, or change it."""
        self._change(
            lambda: put_queue(
                self._engine.tick(), self._account, name, parallelism=parallelism, paused=paused
            )
        )

    def advance(self, seconds: float) -> None:
        """Let virtual time pass; deduplication windows grow older by it too."""
        self._change(lambda: self._engine.tick().advance(round(seconds * 1000)))

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep virtual time from jumping inside: what is published there is ordered by its own delays.

        Without it, the server takes a short pause between requests for the end of what belongs together.
        """
        self._ask(self._engine.hold)
        try:
            yield
        finally:
            self._ask(self._engine.release)

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until nothing is left to deliver; False if that took longer.

        What waits in a paused queue, or for a paused flow-control key, waits for somebody and does not count.
        """
        if not self._thread.is_alive():
            return True
        waiting = asyncio.run_coroutine_threadsafe(self._engine.wait_idle(), self._loop)
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
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def _account(self) -> Account:
        return self._engine.world.accounts[0]

    def _change(self, function: Callable[[], object]) -> None:
        def change() -> None:
            try:
                function()
            except Refusal as refusal:
                raise UsageError(refusal.text) from refusal
            self._engine.wake()

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

        self._loop.call_soon_threadsafe(run)
        while True:
            try:
                return answer.result(1)
            except FutureTimeoutError:
                if not self._thread.is_alive():
                    return function()

    def _start(self, world: World, port: int) -> None:
        started: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._live, args=(world, port, started), name="qstash-jobs local server", daemon=True
        )
        self._thread.start()
        try:
            started.result()
        except (OSError, OverflowError) as error:
            self._thread.join()
            code = error.errno if isinstance(error, OSError) else None
            reason = os.strerror(code).lower() if code is not None else str(error)
            raise UsageError(f"the local server cannot listen on port {port}: {reason}") from error

    def _live(self, world: World, port: int, started: "Future[None]") -> None:
        try:
            asyncio.run(self._serve(world, port, started))
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    async def _serve(self, world: World, port: int, started: "Future[None]") -> None:
        from qstash_jobs.local.door import Door, Listener, close_listener

        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._engine = Engine(world, real_ms=real_ms)
        listener = Listener(Door(self._engine, self._requests))
        server = await self._loop.create_server(listener, HOST, port, backlog=1024)
        self.url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
        try:
            await self._deliver_until_stopped(started)
        finally:
            self._engine.stop()
            await close_listener(server, listener)

    async def _deliver_until_stopped(self, started: "Future[None]") -> None:
        from qstash_jobs.local.courier import Courier

        if self._deliver:
            courier = Courier(self._engine, self._deliveries)
            self._engine.start(courier.carry)
        else:
            courier = None
            self._engine.start(self._carry_to_sink(Sink(self._sink_answer, self._deliveries)))
        started.set_result(None)
        try:
            await self._stopping.wait()
        finally:
            if courier is not None:
                await courier.close()

    def _carry_to_sink(self, sink: Sink) -> Callable[[Attempt], None]:
        world = self._engine.world

        def carry(attempt: Attempt) -> None:
            answer, took_ms = sink.receive(attempt)
            if took_ms:
                settle_later(world, attempt, answer, after_ms=took_ms)
            else:
                settle(world, attempt, answer)

        return carry


def start_server(
    *,
    port: int = 0,
    deliver: bool = False,
    real_time: bool = False,
    record_requests: bool = False,
    answer: AnswerFunction | None = None,
    quota: Quota = PAYG,
    switches: Switches | None = None,
    retention: Retention | None = None,
) -> LocalServer:
    """Start a server on 127.0.0.1; it is a context manager that stops it.

    Deliveries go to a built-in receiver, which asks `answer` what to say; with `deliver` they go to their
    destinations. Time is virtual: delays are kept in order, nobody waits for them; `real_time` follows the
    wall clock. Raises UsageError when the extra is missing or the port is taken.
    """
    try:
        import aiohttp  # noqa: F401 - the other modules import it, deep in a thread
    except ImportError as error:
        raise UsageError("the local server needs aiohttp: pip install 'qstash-jobs[local]'") from error
    server = LocalServer(deliver=deliver, record_requests=record_requests, answer=answer)
    world = World(
        now_ms=real_ms(),
        make_secret=lambda: secrets.token_urlsafe(12).replace("-", "a").replace("_", "b"),
        real_time=real_time,
        users=DEV_USERS,
        quota=quota,
        switches=switches,
        retention=retention,
    )
    server._start(world, port)  # noqa: SLF001 - the other half of the constructor
    return server


def real_ms() -> int:
    """Return the wall clock's time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000
