"""A service in a thread of its own: started, asked from other threads, stopped."""

import asyncio
import contextlib
import os
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, TypeVar

from qstash_jobs.errors import UsageError
from qstash_jobs.local.setup import LOOPBACK, Setup
from qstash_jobs.local.world.world import World

if TYPE_CHECKING:
    from qstash_jobs.local.engine import Engine
    from qstash_jobs.local.service import Service

T = TypeVar("T")


class ServiceThread:
    """The thread, and the way into it."""

    def __init__(self, world: World, setup: Setup) -> None:
        """Start; raises UsageError where it cannot listen."""
        self.url = ""
        self._service: Service
        self._setup = setup
        started: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._live, args=(world, started), name="qstash-jobs local server", daemon=True
        )
        self._thread.start()
        try:
            started.result()
        except (OSError, OverflowError) as error:
            self._thread.join()
            place = f"port {setup.port}" if setup.host == LOOPBACK else f"{setup.host}, port {setup.port}"
            raise UsageError(f"the local server cannot listen on {place}: {_explain(error)}") from error

    @property
    def engine(self) -> "Engine":
        """The world in motion; it is touched inside `ask` only."""
        return self._service.engine

    def ask(self, function: Callable[[], T]) -> T:
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

    def wait_saved(self) -> None:
        """Wait until what was changed is kept, where anything is. Raises Refusal where it cannot be."""
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            # A server that stops meanwhile keeps the last changes itself.
            with contextlib.suppress(CancelledError):
                asyncio.run_coroutine_threadsafe(self._service.saved(), self._service.loop).result()

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until nothing is left to deliver; False if that took longer."""
        if not self._thread.is_alive():
            return True
        waiting = asyncio.run_coroutine_threadsafe(self.engine.wait_idle(), self._service.loop)
        try:
            waiting.result(timeout_s)
        except FutureTimeoutError:
            waiting.cancel()
            return False
        except CancelledError:  # the server was stopped meanwhile
            return False
        return True

    def stop(self) -> None:
        """Stop, and wait until the thread has ended."""
        if self._thread.is_alive():
            self._service.loop.call_soon_threadsafe(self._service.stopping.set)
            self._thread.join()

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


def make_secret() -> str:
    """Make letters and digits that nobody guesses."""
    return secrets.token_urlsafe(12).replace("-", "a").replace("_", "b")


def real_ms() -> int:
    """Return the wall clock's time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def _explain(error: OSError | OverflowError) -> str:
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()
    # A name that cannot be resolved has an error of its own.
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
