"""A clock that the server and every process of a trial share, in a file: who sleeps moves it on instead of waiting.

So ten minutes pass at once, for QStash's memory as for the runner's; and the runner's machine may have a wall clock
that is wrong, or be started anew.
"""

import mmap
import struct
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_FORMAT = "3d"


class SharedTime:
    """`ahead_s`: how far everybody is ahead of real time; `wrong_s`: how wrong the runner's wall clock is."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(struct.calcsize(_FORMAT)))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)

    def close(self) -> None:
        self._memory.close()

    @property
    def ahead_s(self) -> float:
        return self._read()[0]

    @property
    def wrong_s(self) -> float:
        return self._read()[1]

    @property
    def boots(self) -> int:
        return int(self._read()[2])

    def now_s(self) -> float:
        """Return the true time, in Unix seconds."""
        return time.time() + self.ahead_s

    def advance(self, seconds: float) -> None:
        self._write(ahead_s=self.ahead_s + seconds)

    def set_wrong(self, seconds: float) -> None:
        self._write(wrong_s=seconds)

    def restart_machine(self) -> None:
        self._write(boots=self.boots + 1)

    def _read(self) -> tuple[float, float, float]:
        return struct.unpack(_FORMAT, self._memory[:])

    def _write(self, **changed: float) -> None:
        values = dict(zip(("ahead_s", "wrong_s", "boots"), self._read(), strict=True)) | changed
        self._memory[:] = struct.pack(_FORMAT, *values.values())


def follow(shared: SharedTime) -> None:
    """Let every `SystemClock` of this process go by the shared one."""
    from qstash_jobs.clock import SystemClock
    from qstash_jobs.record import Instant

    def now(clock: Any) -> datetime:
        return datetime.fromtimestamp(shared.now_s() + shared.wrong_s, UTC)

    def instant(clock: Any) -> Instant:
        # each start of the machine counts from another moment
        boot_s = time.clock_gettime(time.CLOCK_BOOTTIME) + shared.ahead_s - 1e6 * shared.boots
        return Instant(wall=now(clock), boot_id=f"boot-{shared.boots}", boot_s=boot_s)

    def monotonic_s(clock: Any) -> float:
        return time.monotonic() + shared.ahead_s

    def sleep(clock: Any, seconds: float) -> None:
        if seconds > 0:
            shared.advance(seconds)

    SystemClock.now, SystemClock.instant = now, instant  # type: ignore[method-assign]
    SystemClock.monotonic_s, SystemClock.sleep = monotonic_s, sleep  # type: ignore[method-assign]
