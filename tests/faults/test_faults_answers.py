"""Answers that are cut, of every status, heavy or slow; the long form takes every byte and the real deadline."""

from pathlib import Path

import pytest
from faults.answers import answer_statuses, cut_answers, cut_requests, measure_deadlines, measure_memory
from faults.lives import Launcher

MOST_MIB = 150 / 1.048576


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
@pytest.mark.parametrize("takes", [True, False], ids=["taken", "nothing taken"])
@pytest.mark.parametrize("size", [1, 3])
def test_an_answer_that_is_cut_anywhere_publishes_nothing_that_is_not_so(
    tmp_path: Path, launcher: Launcher, size: int, takes: bool, reset: bool
) -> None:
    cuts, found = cut_answers(tmp_path, launcher, size=size, takes=takes, reset=reset, every=11)
    assert cuts > 18
    assert not list(found)


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
def test_a_request_that_is_cut_anywhere_is_sent_again_and_published_once(
    tmp_path: Path, launcher: Launcher, reset: bool
) -> None:
    cuts, found = cut_requests(tmp_path, launcher, reset=reset, every=15)
    assert cuts > 30
    assert not list(found)


def test_whatever_the_status_nothing_is_lost_doubled_or_untrue(tmp_path: Path, launcher: Launcher) -> None:
    statuses, found = answer_statuses(tmp_path, launcher, every=17)
    assert statuses > 390
    assert not list(found)


def test_no_answer_takes_much_memory(tmp_path: Path, launcher: Launcher) -> None:
    peaks, found = measure_memory(tmp_path, launcher, times=1)
    assert not list(found)
    assert max(peaks.values()) < MOST_MIB, peaks
    assert len(peaks) > 30


def test_the_deadline_holds_against_every_slow_server() -> None:
    took = measure_deadlines(1.0)
    assert len(took) == 5
    assert all(0.9 < seconds < 2 for seconds in took.values()), took
