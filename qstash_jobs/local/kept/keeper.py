"""Changes -> the file, while the server goes on: what changes during one commit shares the next.

An answer waits until all that it can tell of is on the disk.
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from qstash_jobs.local.kept.file import StateFile
from qstash_jobs.local.kept.rows import Batch, write_batch
from qstash_jobs.local.world.refusal import Refusal
from qstash_jobs.local.world.world import World

Commit = asyncio.Future[str | None]
"""Why it failed, or None."""

TRY_AGAIN_S = 1.0
"""After a commit that failed; a request that comes meanwhile tries at once."""


class Keeper:
    """Writes what changes. Lives on the server's event loop."""

    def __init__(self, world: World, file: StateFile, written: set[int]) -> None:
        self._world = world
        self._file = file
        self._written = written
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="qstash-jobs state file")
        self._unsaved: list[Batch] = []
        self._saving: Commit | None = None
        self._next: Commit = self._loop.create_future()
        self._timer: asyncio.TimerHandle | None = None

    def look(self) -> None:
        """Begin a commit, if something changed and none is under way."""
        if self._saving is None and self._has_more:
            self._stop_waiting()
            if self._world.changes:
                self._unsaved.append(write_batch(self._world, self._world.changes.take(), self._written))
            self._saving, self._next = self._next, self._loop.create_future()
            self._loop.run_in_executor(self._thread, self._write, tuple(self._unsaved)).add_done_callback(
                self._end
            )

    async def saved(self) -> None:
        """Wait until all that has changed up to now is kept. Raises Refusal where it cannot be.

        Somebody `look`s soon: the engine does, after it has delivered what could be delivered at once.
        """
        # What changed since the commit under way began is in the next one.
        commit = self._next if self._has_more else self._saving
        if commit is None:
            return
        failed = await asyncio.shield(commit)
        if failed is not None:
            raise Refusal(503, f"the state file cannot be written: {failed}")

    async def close(self) -> str | None:
        """Keep the last changes, and close the file; returns why they could not be kept."""
        failed = None
        while failed is None and (self._saving is not None or self._has_more):
            self.look()
            failed = await self._saving if self._saving is not None else None
        self._stop_waiting()
        self._thread.shutdown()
        self._file.close()
        return failed

    @property
    def _has_more(self) -> bool:
        return (
            bool(self._world.changes or self._unsaved) if self._saving is None else bool(self._world.changes)
        )

    def _write(self, batches: Sequence[Batch]) -> str | None:
        try:
            self._file.write(batches)
        except (sqlite3.Error, ValueError, OverflowError) as error:
            return str(error).lower() or type(error).__name__
        return None

    def _end(self, written: "asyncio.Future[str | None]") -> None:
        commit, self._saving = self._saving, None
        failed = written.result()
        if commit is not None:
            commit.set_result(failed)
        if failed is None:
            self._unsaved.clear()
            self.look()
        else:
            self._stop_waiting()
            self._timer = self._loop.call_later(TRY_AGAIN_S, self.look)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
