"""What time it is."""

from datetime import UTC, timedelta
from pathlib import Path

import pytest

from qstash_jobs.boundary import Clock
from qstash_jobs.clock import SystemClock

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def test_the_wall_clock_is_aware_and_in_utc() -> None:
    clock: Clock = SystemClock()
    assert clock.now().tzinfo is UTC


def test_both_clocks_of_an_instant_go_on_together() -> None:
    clock = SystemClock()
    first = clock.instant()
    clock.sleep(0.05)
    then = clock.instant()
    assert first.boot_id == then.boot_id
    assert 0.04 < then.boot_s - first.boot_s < 5
    assert timedelta(seconds=0.04) < then.wall - first.wall < timedelta(seconds=5)


@pytest.mark.skipif(not BOOT_ID.exists(), reason="only Linux names its starts")
def test_two_programs_on_one_machine_count_from_the_same_start() -> None:
    first, then = SystemClock().instant(), SystemClock().instant()
    assert first.boot_id == then.boot_id
    assert 0 <= then.boot_s - first.boot_s < 5
    assert first.boot_id


def test_waiting_for_no_time_returns_at_once() -> None:
    clock = SystemClock()
    before_s = clock.monotonic_s()
    clock.sleep(0)
    clock.sleep(-5)
    assert 0 <= clock.monotonic_s() - before_s < 1
