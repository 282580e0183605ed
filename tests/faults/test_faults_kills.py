"""A run that is killed at any of its seams, or whose disk breaks at any statement, and the run after it."""

from pathlib import Path

import pytest
from faults.kills import WAYS, break_disk, can_mount, choose, fill_disk, find_seams, kill_at
from faults.lives import Launcher

EVERY = 20
"""Between the first crossing of a seam and the last, one in so many; the long form has all of them."""


@pytest.mark.parametrize("words", WAYS.values(), ids=WAYS.keys())
def test_a_run_that_is_killed_between_any_two_steps_is_finished_by_the_next(
    tmp_path: Path, launcher: Launcher, words: tuple[str, ...]
) -> None:
    places = list(choose(find_seams(tmp_path / "quiet", launcher, words), every=EVERY))
    assert {"before the first byte", "after line.offer", "before ledger.write"} < {seam for seam, _ in places}
    for number, (seam, time) in enumerate(places):
        assert not list(kill_at(tmp_path / str(number), launcher, words, seam, time)), (seam, time)


@pytest.mark.parametrize("words", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize(("times", "when"), [(1, "before"), (1, "after"), (10_000, "before")])
def test_a_disk_that_breaks_at_any_statement_ends_in_6_and_hides_nothing(
    tmp_path: Path, launcher: Launcher, words: tuple[str, ...], times: int, when: str
) -> None:
    statements = find_seams(tmp_path / "quiet", launcher, words)["before a statement"]
    for first in range(1, statements + 1, EVERY // 2):
        fail = (first, times, when)
        assert not list(break_disk(tmp_path / str(first), launcher, words, fail=fail)), fail


@pytest.mark.parametrize("words", WAYS.values(), ids=WAYS.keys())
def test_a_file_system_that_is_full_at_any_moment_hides_nothing(
    tmp_path: Path, launcher: Launcher, words: tuple[str, ...]
) -> None:
    """As root on file systems of many sizes; else no file may grow past a size."""
    if can_mount(tmp_path):
        for number, size_bytes in enumerate(range(8_000, 220_000, 7_000)):
            found = fill_disk(tmp_path / str(number), launcher, words, size_bytes=size_bytes)
            assert not list(found), size_bytes
        return
    for number, size_bytes in enumerate(range(4_000, 100_000, 4_000)):
        found = break_disk(tmp_path / str(number), launcher, words, file_bytes=size_bytes)
        assert not list(found), size_bytes
