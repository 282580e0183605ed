"""The system's clocks -> times; waiting."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from qstash_jobs.record import Instant

# proc(5): a random name, made when the machine starts
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SystemClock:
    """The machine's own clocks, as `boundary.Clock`.

    Where the time since the machine's start cannot be told (it can on Linux), instants have an empty `boot_id` and
    count from 1970 on the wall clock: `time.monotonic` may stand still while the machine sleeps.
    """

    def __init__(self) -> None:
        self._boot_id = _read_boot_id()

    def now(self) -> datetime:
        """Return the wall clock's time, aware, UTC."""
        return datetime.now(UTC)

    def instant(self) -> Instant:
        """Return this moment on the wall clock and on the one that counts from the machine's start, sleep included."""
        return Instant(wall=self.now(), boot_id=self._boot_id, boot_s=self._boot_s())

    def monotonic_s(self) -> float:
        """Return seconds on a clock that never goes back; only differences mean anything."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait; no time at all where `seconds` is not above 0."""
        if seconds > 0:
            time.sleep(seconds)

    def _boot_s(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME) if self._boot_id else time.time()


class SharedClock(SystemClock):
    """The machine's clocks, but the wall's is set by a clock which machines share, and goes on from there.

    So moments that several machines write down can be compared, whatever the wall clock of each says.
    """

    def __init__(self, now: datetime) -> None:
        super().__init__()
        self._set_to, self._set_at_s = now, self._boot_s()

    def now(self) -> datetime:
        """Return the shared clock's time, aware, UTC."""
        return self._set_to + timedelta(seconds=self._boot_s() - self._set_at_s)


def _read_boot_id() -> str:
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return ""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
