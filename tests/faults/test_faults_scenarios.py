"""One thing at a time goes wrong, in real processes before a server that keeps its own record."""

from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Thread

import pytest
from faults.fate import Fate
from faults.fates import (
    ODD_BODIES,
    WELL,
    answers_oddly,
    cuts,
    drops,
    informs,
    refuses,
    shortens,
    takes_some,
)
from faults.lives import Launcher, Life
from faults.trial import Trial, trial

NAMES = ["a", "b", "c", "d"]

ALONE = ("--batch-size", "1", "--concurrency", "1")

UNSEEN = drops(takes=True, reset=True)
"""Taken, and the answer lost."""

Begin = Callable[..., Trial]


@pytest.fixture
def begin(tmp_path: Path, launcher: Launcher):
    """Set up a trial of four messages; what it has found at the end is a failure."""
    opened = []

    def begin(*names: str, **chaos: object) -> Trial:
        context = trial(tmp_path / str(len(opened)), launcher, names or NAMES, **chaos)
        one = context.__enter__()
        opened.append((context, one))
        return one

    yield begin
    for context, one in opened:
        context.__exit__(None, None, None)
        assert not list(one.findings)


def states(one: Trial) -> dict[str, str]:
    return {name: str(record.state) for name, record in one.records().items()}


def die_with_answer_unseen(one: Trial) -> None:
    """Let a run be killed when its first message was taken, and it has not seen the answer."""
    one.service.plan = [UNSEEN]
    life = one.live(*ALONE, kill=["after line.offer", 1])
    assert life.was_killed
    while not one.service.acceptances:
        assert one.service.await_event(one.service.events + 1, within_s=5)


@pytest.mark.parametrize("words", [ALONE, ("--batch-size", "4")], ids=["one by one", "in a batch"])
def test_an_acceptance_whose_answer_was_lost_is_found_again_by_its_id(
    begin: Begin, words: tuple[str, ...]
) -> None:
    one = begin()
    one.service.plan = [UNSEEN]
    assert one.live(*words).code == 0
    assert len(one.service.accepted) == 4


def test_too_late_the_log_is_asked_and_nothing_is_sent_again(begin: Begin) -> None:
    one = begin("a")
    die_with_answer_unseen(one)
    one.shared.advance(900)
    requests = one.service.requests
    assert one.live(*ALONE).code == 0
    assert one.service.requests == requests
    assert states(one) == {"a": "published"}


def test_the_window_counts_from_the_first_attempt_and_not_from_the_last(begin: Begin) -> None:
    one = begin("a")
    die_with_answer_unseen(one)
    one.shared.advance(400)
    one.service.plan = [refuses(500)] * 5
    assert one.live(*ALONE).code in (3, 5)
    one.shared.advance(400)
    assert one.live(*ALONE).code == 0
    assert len(one.service.accepted) == 1


@pytest.mark.parametrize("seconds", [-86_400.0, -3600.0, -45.0, 45.0, 600.0, 86_400.0])
def test_a_wall_clock_that_jumps_and_comes_back_while_a_run_sends_changes_nothing(
    begin: Begin, seconds: float
) -> None:
    one = begin(*[f"m{number}" for number in range(10)])
    one.service.call_at(3, partial(one.shared.set_wrong, seconds))
    one.service.call_at(12, partial(one.shared.set_wrong, 0.0))
    one.service.plan = [WELL, UNSEEN, WELL, UNSEEN, refuses(500), WELL, UNSEEN]
    life = one.live(*ALONE)
    assert (life.code, life.crossings["after line.offer"]) == (0, 14)
    assert len(one.service.accepted) == 10


@pytest.mark.parametrize("seconds", [-86_400.0, 600.0, 86_400.0])
def test_a_run_that_was_killed_while_the_wall_clock_was_wrong_is_finished_by_its_boot_time(
    begin: Begin, seconds: float
) -> None:
    one = begin("a", "b", "c")
    one.service.hindsight.log = b"nobody can read it"
    one.service.call_at(3, partial(one.shared.set_wrong, seconds))
    one.service.plan = [WELL, UNSEEN]
    assert one.live(*ALONE, kill_after=(4, 0)).was_killed
    one.shared.set_wrong(0.0)
    one.shared.advance(300)
    assert one.live(*ALONE).code == 0
    assert len(one.service.accepted) == 3


def test_what_the_log_does_not_list_either_stays_in_doubt_and_is_said(begin: Begin) -> None:
    one = begin("a")
    one.service.plan = [drops(takes=False, reset=True)]
    assert one.live(*ALONE, kill=["after line.offer", 1]).was_killed
    one.shared.advance(900)
    life = one.live(*ALONE)
    assert life.code == 3
    assert [line["state"] for line in life.printed] == ["in_doubt"]
    assert "run --continue" in life.said


def test_a_refusal_does_not_hide_the_acceptance_before_it(begin: Begin) -> None:
    one = begin("a")
    one.service.plan = [UNSEEN, refuses(400)]
    life = one.live(*ALONE)
    assert life.code == 3
    assert states(one) == {"a": "in_doubt"}
    assert one.live(*ALONE).code == 0


def test_changed_content_is_not_sent_under_the_id_of_what_may_have_arrived(begin: Begin) -> None:
    one = begin("a")
    die_with_answer_unseen(one)
    requests = one.service.requests
    one.write("b")
    assert one.live(*ALONE).code == 0
    assert one.service.requests == requests


@pytest.mark.parametrize("status", [100, 102, 103, 199])
@pytest.mark.parametrize("pause_s", [0.0, 0.1])
def test_an_informational_answer_gives_nobody_the_answer_of_another(
    begin: Begin, status: int, pause_s: float
) -> None:
    one = begin()
    one.service.plan = [informs(status, pause_s=pause_s)] * 3
    assert one.live(*ALONE).code == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_stops_the_run_with_nothing_lost(begin: Begin, status: int) -> None:
    one = begin()
    one.service.plan = [refuses(status)]
    assert one.live(*ALONE).code == 2
    assert one.service.requests == 1
    assert one.live(*ALONE).code == 0


@pytest.mark.parametrize("body", ODD_BODIES, ids=[f"{body[:24]!r}" for body in ODD_BODIES])
@pytest.mark.parametrize("takes", [True, False])
def test_success_without_an_id_is_no_success(begin: Begin, body: bytes, takes: bool) -> None:
    one = begin("a")
    one.service.plan = [answers_oddly(200, body, takes=takes)] * 5
    life = one.live(*ALONE)
    assert states(one) == {"a": "in_doubt"}
    assert life.code == 3


@pytest.mark.parametrize("fate", [takes_some, shortens])
def test_the_parts_of_a_batch_are_told_apart(begin: Begin, fate: object) -> None:
    one = begin()
    one.service.plan = [Fate(name="in part", act=fate)]
    life = one.live("--batch-size", "4")
    taken = {name for name, found in one.service.acceptances.items() if found}
    assert {name for name, state in states(one).items() if state == "published"} == taken
    assert life.code == (1 if len(taken) < 4 else 0)
    assert one.live("--batch-size", "4").code == 0


def test_a_batch_that_was_cut_is_settled_as_a_whole(begin: Begin) -> None:
    one = begin()
    one.service.plan = [cuts(0.5, reset=True)]
    assert one.live("--batch-size", "4").code == 0
    assert len(one.service.accepted) == 4


def test_two_runs_at_once_are_one_run_and_a_refusal(begin: Begin) -> None:
    one = begin(*[f"m{number:02}" for number in range(40)])
    lives: list[Life] = []

    def go(launcher: Launcher) -> None:
        lives.append(one.live(*ALONE, launcher=launcher))

    with closing(Launcher()) as first, closing(Launcher()) as second:
        threads = [Thread(target=go, args=(launcher,)) for launcher in (first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    # whoever comes late enough finds everything published
    assert sorted(life.code for life in lives) in ([0, 7], [0, 0])
    assert sum(line["state"] == "published" for life in lives for line in life.printed) == 40
