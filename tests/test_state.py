"""The table of states: what may become of a message, and that nothing else ever does."""

from contextlib import closing
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from publishing import Service, Stage, answers, jobs_to, names, resets, serve

from qstash_jobs.state import DOUBTFUL, SETTLED, TRANSITIONS, State, TransitionError, change, conclude

ALLOWED = {(one.before, one.after) for one in TRANSITIONS}


def test_a_change_is_in_the_table_once_and_says_when() -> None:
    assert len(ALLOWED) == len(TRANSITIONS)
    assert all(one.when for one in TRANSITIONS)


def test_every_state_is_reached_from_a_new_message() -> None:
    reached: set[State | None] = {None}
    while more := {after for before, after in ALLOWED if before in reached} - reached:
        reached |= more
    assert reached == {None, *State}


def test_nothing_leads_out_of_what_is_proven_or_given_up() -> None:
    assert {before for before, _ in ALLOWED} & {State.PUBLISHED, State.PARTIAL, State.ABANDONED} == set()


def test_what_is_not_settled_can_always_be_settled() -> None:
    for state in set(State) - SETTLED:
        reached = {state}
        while more := {after for before, after in ALLOWED if before in reached} - reached:
            reached |= more
        assert State.PUBLISHED in reached


@pytest.mark.parametrize(("before", "after"), list(product([None, *State], State)))
def test_only_changes_of_the_table_can_be_made(before: State | None, after: State) -> None:
    if (before, after) in ALLOWED:
        assert change(before, after) is after
    else:
        with pytest.raises(TransitionError, match=f"cannot become {after}"):
            change(before, after)


@pytest.mark.parametrize("after", State)
def test_an_attempt_ends_only_as_the_table_says(after: State) -> None:
    if (State.SENDING, after) in ALLOWED:
        assert conclude(after, doubtful=False) is after
    else:
        with pytest.raises(TransitionError):
            conclude(after, doubtful=False)


@pytest.mark.parametrize("after", [State.REJECTED, State.PLANNED, State.WAITING])
def test_no_attempt_ends_as_if_an_earlier_one_had_not_arrived(after: State) -> None:
    with pytest.raises(TransitionError, match="while an earlier one is in doubt"):
        conclude(after, doubtful=True)


def test_doubt_leads_only_to_another_attempt_or_to_somebodys_word() -> None:
    words = {one.after: one.when for one in TRANSITIONS if one.before is State.IN_DOUBT}
    assert words.keys() == {State.SENDING, State.PUBLISHED, State.PLANNED, State.ABANDONED}
    assert "resolve" in words[State.PLANNED]
    assert {State.IN_DOUBT, State.SENDING} == DOUBTFUL


# as the ledger sees it


def test_what_waits_for_another_attempt_says_so_and_is_planned_when_the_run_stops(tmp_path: Path) -> None:
    seen: list[str] = []
    service = Service(*[answers(429)] * 2)
    with serve(service) as server:
        stage = Stage(tmp_path, server.url, chance=1.0)

        def stopping() -> bool:
            if len(service.calls) == 1 and stage.ledger_path.exists():
                seen.append(stage.states["m"])
            return "waiting" in seen

        went = stage.run(jobs_to("m"), stopping=stopping)
    assert "waiting" in seen
    assert went.states == stage.states == {"m": "planned"}
    assert (went.exit_code, stage.records()["m"].status) == (130, 429)


def test_what_a_killed_run_left_waiting_is_sent_by_the_next_one(tmp_path: Path) -> None:
    service = Service(answers(429))
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        stage.run(jobs_to("m"), stopping=lambda: len(service.calls) > 0)
        with closing(stage.open_ledger()) as ledger:
            (record,) = ledger.messages()
            ledger._ledger.write(intents=[replace(record, state=State.WAITING)])  # type: ignore[attr-defined]
        went = stage.run(jobs_to("m"))
    assert went.states == stage.states == {"m": "published"}


def test_a_write_outside_the_table_does_not_pass_the_tests_own_watch(tmp_path: Path) -> None:
    with serve(Service(resets)) as server:
        stage = Stage(tmp_path, server.url)
        stage.run(jobs_to(*names(1)))
        with closing(stage.open_ledger()) as ledger:
            (record,) = ledger.messages()
            assert record.state is State.PUBLISHED
            for state in (State.SENDING, State.IN_DOUBT, State.REJECTED):
                with pytest.raises(ValueError, match="not enough values"):
                    ledger.write(intents=[replace(record, state=state, attempt=9)])
