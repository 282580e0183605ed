"""The world in motion: what is due is delivered, and time moves on. Runs on one event loop, without tasks.

Virtual time jumps to the next thing that is due as soon as nothing is under way and no request that publishes
came for a moment: so that what is published together is ordered by its own delays. Where time stands still, only
`advance` moves it.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from qstash_jobs.local.world.deliver import next_attempt
from qstash_jobs.local.world.message import Attempt
from qstash_jobs.local.world.schedules import fire_due
from qstash_jobs.local.world.world import World

AT_ONCE = 64
"""Deliveries between two looks at the network."""

QUIET_S = 0.05
"""How long no request has published before time jumps."""


class Carry(Protocol):
    def __call__(self, attempt: Attempt, /) -> None:
        """Deliver; the world is told the answer now or later."""


class Engine:
    """Moves the world along."""

    def __init__(
        self, world: World, *, real_ms: Callable[[], int], after_each: Callable[[], None] = lambda: None
    ) -> None:
        self.world = world
        self._real_ms = real_ms
        self._after_each = after_each
        self._loop = asyncio.get_running_loop()
        self._carry: Carry | None = None
        self._holds = 0
        self._published_at = self._loop.time() - QUIET_S
        self._soon = False
        self._timer: asyncio.TimerHandle | None = None
        self._idle: list[asyncio.Future[None]] = []

    def start(self, carry: Carry) -> None:
        """Begin, with the one who delivers."""
        self._carry = carry
        self.wake()

    def stop(self) -> None:
        """Deliver nothing more."""
        self._carry = None
        self._cancel_timer()
        for waiter in self._idle:
            waiter.cancel()

    def tick(self) -> World:
        """Tell the world the time, and return it."""
        self.world.tick(self._real_ms())
        return self.world

    def note_publishing(self) -> None:
        """Say that something is published: time does not jump for a moment."""
        self._published_at = self._loop.time()

    def hold(self) -> None:
        """Keep time from jumping, until as many `release`."""
        self._holds += 1

    def release(self) -> None:
        """End a hold."""
        self._holds -= 1
        self.wake()

    def wake(self) -> None:
        """Look at the agenda soon."""
        if not self._soon and self._carry is not None:
            self._soon = True
            self._loop.call_soon(self._run)

    async def wait_idle(self) -> None:
        """Wait until nothing is left to happen by itself."""
        while not self._is_idle():
            waiter = self._loop.create_future()
            self._idle.append(waiter)
            self.wake()
            try:
                await waiter
            finally:
                self._idle.remove(waiter)

    def _is_idle(self) -> bool:
        busy = self._soon or self.world.flights or self.world.pending_ms
        due_ms = self.world.agenda.next_due_ms()
        return not busy and (due_ms is None or (self.world.stands_still and due_ms > self.world.now_ms))

    def _run(self) -> None:
        self._move()
        self._after_each()

    def _move(self) -> None:
        self._soon = False
        self._cancel_timer()
        world = self.tick()
        fire_due(world)
        for _ in range(AT_ONCE):
            if self._carry is None:
                return
            attempt = next_attempt(world)
            if attempt is None:
                self._rest()
                return
            self._carry(attempt)
        self.wake()

    def _rest(self) -> None:
        world = self.world
        if world.step():
            self.wake()
            return
        due_ms = world.agenda.next_due_ms()
        if due_ms is None or world.stands_still:
            self._tell_idle()
        elif world.real_time:
            self._look_again((due_ms - world.now_ms) / 1000)
        elif not world.flights and not self._holds:
            self._jump(due_ms)
        fires_ms = world.calendar.next_due_ms()
        if fires_ms is not None and not world.stands_still:
            self._look_again((fires_ms - world.calendar_ms) / 1000)

    def _jump(self, due_ms: int) -> None:
        wait_s = self._published_at + QUIET_S - self._loop.time()
        if wait_s > 0:
            self._look_again(wait_s)
        else:
            self.world.jump(due_ms)
            self.wake()

    def _look_again(self, after_s: float) -> None:
        # The wall clock may be set meanwhile: never sleep through it for long. At least a millisecond: the loop's
        # clock and the wall clock do not agree to the last digit.
        at = self._loop.time() + min(max(after_s / self.world.speed, 0.001), 60)
        if self._timer is None or self._timer.when() > at:
            self._cancel_timer()
            self._timer = self._loop.call_at(at, self._run)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tell_idle(self) -> None:
        if self._is_idle():
            for waiter in self._idle:
                if not waiter.done():
                    waiter.set_result(None)
