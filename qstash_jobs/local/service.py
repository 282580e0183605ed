"""The part of a server that lives on its event loop: listener, engine, and whoever delivers."""

import asyncio
import logging
from collections.abc import Callable

from qstash_jobs.local.connection import Listener, close_listener
from qstash_jobs.local.courier import Courier
from qstash_jobs.local.door import Door
from qstash_jobs.local.engine import Carry, Engine
from qstash_jobs.local.kept.keeper import Keeper
from qstash_jobs.local.setup import LOOPBACK, Setup
from qstash_jobs.local.sink import Sink, SinkAnswer
from qstash_jobs.local.world.deliver import settle, settle_later
from qstash_jobs.local.world.fault import Fault, take_answer
from qstash_jobs.local.world.message import Attempt
from qstash_jobs.local.world.world import World

log = logging.getLogger(__name__)


class Service:
    """A server on the running event loop."""

    def __init__(self, world: World, setup: Setup, *, real_ms: Callable[[], int]) -> None:
        self.loop = asyncio.get_running_loop()
        state = setup.state
        self._keeper = Keeper(world, state.file, state.written) if state is not None else None
        look = self._keeper.look if self._keeper is not None else lambda: None
        self.engine = Engine(world, real_ms=real_ms, after_each=look)
        self.stopping = asyncio.Event()
        self._setup = setup

    async def serve(self, tell_url: Callable[[str], None]) -> None:
        """Serve until `stopping` is set; tells the address as soon as it listens."""
        setup = self._setup
        door = Door(
            self.engine,
            setup.requests,
            host=setup.host,
            body_s=setup.limits.body_s,
            saved=self._keeper.saved if self._keeper is not None else None,
        )
        listener = Listener(door, setup.limits)
        server = await self.loop.create_server(listener, setup.host, setup.port, backlog=1024)
        url = _write_url(setup.host, server.sockets[0].getsockname()[1])
        try:
            await self._deliver_until_stopped(lambda: tell_url(url))
        finally:
            await close_listener(server, listener)
            await self._close_state()

    async def saved(self) -> None:
        """Wait until all that has changed up to now is kept, where anything is. Raises Refusal where it cannot be."""
        if self._keeper is not None:
            await self._keeper.saved()

    async def _close_state(self) -> None:
        failed = await self._keeper.close() if self._keeper is not None else None
        if failed is not None:
            log.error("the last changes could not be kept in the state file: %s", failed)

    async def _deliver_until_stopped(self, tell_started: Callable[[], None]) -> None:
        setup, courier = self._setup, None
        if setup.deliver:
            courier = Courier(self.engine, setup.deliveries, allow_link_local=setup.allow_link_local)
            self.engine.start(self._with_faults(courier.carry))
        else:
            self.engine.start(self._with_faults(self._carry_to_sink(Sink(setup.answer, setup.deliveries))))
        tell_started()
        try:
            await self.stopping.wait()
        finally:
            # Nothing is to be carried any more while the courier gives up what is under way.
            self.engine.stop()
            if courier is not None:
                await courier.close()

    def _with_faults(self, carry: Carry) -> Carry:
        """Let destinations answer as somebody asked for, and else as they do."""

        def carry_or_answer(attempt: Attempt) -> None:
            faults = attempt.message.account.faults
            fault = take_answer(faults, attempt.url) if faults else None
            if fault is None:
                carry(attempt)
            else:
                self._carry_to_sink(Sink(lambda _: _write_answer(fault), self._setup.deliveries))(attempt)

        return carry_or_answer

    def _carry_to_sink(self, sink: Sink) -> Callable[[Attempt], None]:
        world = self.engine.world

        def carry(attempt: Attempt) -> None:
            answer, took_ms = sink.receive(attempt)
            if took_ms:
                settle_later(world, attempt, answer, after_ms=took_ms)
            else:
                settle(world, attempt, answer)

        return carry


def _write_answer(fault: Fault) -> SinkAnswer:
    return SinkAnswer(
        status=fault.status,
        headers=(("Retry-After", fault.retry_after),) if fault.retry_after else (),
        body=fault.text.encode(),
        error=None if fault.status else fault.text,
        took_s=fault.seconds,
    )


def _write_url(host: str, port: int) -> str:
    """Write the address for clients on this machine."""
    here = {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)  # noqa: S104 - it is read, not bound
    return f"http://[{here}]:{port}" if ":" in here else f"http://{here}:{port}"
