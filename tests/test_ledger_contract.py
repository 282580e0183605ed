"""What every ledger must do, whichever database is behind it."""

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qstash_jobs.boundary import Ledger, Scope
from qstash_jobs.errors import LedgerError, LockedError
from qstash_jobs.ledger.postgres.address import Address
from qstash_jobs.ledger.postgres.ledger import open_postgres
from qstash_jobs.ledger.sqlite import open_sqlite
from qstash_jobs.outcome import Endpoint
from qstash_jobs.record import (
    Evidence,
    Instant,
    Listed,
    Pruned,
    Record,
    Result,
    Run,
    RunKey,
    Slot,
    State,
    Verdict,
    Window,
    Witness,
)

NOW = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
BOOT = Instant(wall=NOW, boot_id="0f3c8a52-7f3a-4f6e-9f52-9c4f7c9f4a11", boot_s=12.25)

Open = Callable[[], Ledger]
"""Opens the test's ledger, the same one each time."""


@pytest.fixture(params=["sqlite", "postgres"])
def open_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    opened: list[Ledger] = []
    if request.param == "postgres":
        address = Address(url=request.getfixturevalue("postgres_url"))

    def open_() -> Ledger:
        if request.param == "postgres":
            opened.append(open_postgres(address))
        else:
            opened.append(open_sqlite(tmp_path / "state" / "ledger.db"))
        return opened[-1]

    yield open_
    for ledger in opened:
        ledger.close()


@pytest.fixture
def ledger(open_ledger: Open) -> Ledger:
    return open_ledger()


_texts = itertools.count()


def new_key(ledger: Ledger, *, run: str = "7f3a") -> int:
    """Open a run key that the test has for itself."""
    key = RunKey(project="shop", environment="", target="localhost", text=f"key {next(_texts)}")
    return ledger.open_key(key, run=run, at=NOW).number


def record(slot: Slot, *, id: str = "0" * 40, **changes: object) -> Record:  # noqa: A002
    known = Record(
        slot=slot,
        id=f"qj-{id}",
        dedup_id=f"qj-{id}",
        fingerprint=b"0123456789abcdef",
        state=State.SENDING,
        attempt=1,
        run="7f3a",
        file="jobs/orders.yaml",
        line=3,
        target="https://example.com/orders",
        first_maybe_sent=BOOT,
    )
    return replace(known, **changes)  # type: ignore[arg-type]


def result(slot: Slot, *, attempt: int = 1, message_id: str = "msg_1") -> Result:
    return Result(
        slot=slot,
        attempt=attempt,
        state=State.PUBLISHED,
        settled_at=NOW,
        endpoints=(Endpoint(message_id=message_id),),
        status=201,
    )


def find(ledger: Ledger, slot: Slot) -> Record:
    (found,) = ledger.find([slot])
    assert found is not None
    return found


def scopes(*texts: str) -> list[Scope]:
    return [Scope(text=text) for text in texts]


# its own facts


def test_a_ledger_keeps_its_id_and_its_key(open_ledger: Open) -> None:
    first, second = open_ledger(), open_ledger()
    assert first.id == second.id != ""
    assert first.fingerprint_key == second.fingerprint_key
    assert len(first.fingerprint_key) == 32


# messages

words = st.text(st.characters(codec="utf-8").filter(str.isprintable), min_size=1, max_size=20)
times = st.datetimes(datetime(1990, 1, 1), datetime(2400, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
numbers = st.integers(0, 2**40)
instants = st.builds(Instant, wall=times, boot_id=words, boot_s=st.floats(0, 1e9))
endpoints = st.builds(
    Endpoint,
    message_id=st.text(max_size=30),
    url=st.none() | words,
    deduplicated=st.booleans(),
    error=st.none() | words,
)


@st.composite
def records(draw: st.DrawFn) -> Record:
    slot = Slot(
        key=1,
        job=draw(st.sampled_from(["jobs/a:hello", "jobs/b:mail", "käse"])),
        row=draw(st.integers(0, 5)),
        row_key=draw(st.none() | st.sampled_from(["a", "b", "5", "ü]"])),
        generation=draw(st.integers(0, 2)),
    )
    id_ = "qj-" + draw(st.binary(min_size=20, max_size=20)).hex()
    return Record(
        slot=slot,
        id=id_,
        dedup_id=draw(st.sampled_from([id_, None]) | words),
        fingerprint=draw(st.binary(min_size=16, max_size=16)),
        state=draw(st.sampled_from(State)),
        attempt=draw(numbers),
        run=draw(words),
        file=draw(words),
        line=draw(numbers),
        target=draw(st.text()),
        first_maybe_sent=draw(st.none() | instants),
        settled_at=draw(st.none() | times),
        endpoints=tuple(draw(st.lists(endpoints, max_size=3))),
        status=draw(st.none() | st.integers(100, 599)),
        error=draw(st.none() | words),
    )


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
    deadline=None,
    max_examples=80,
)
@given(written=st.lists(records(), max_size=8))
def test_what_is_written_is_found_as_it_was(ledger: Ledger, written: list[Record]) -> None:
    key = new_key(ledger)
    written = [replace(one, slot=replace(one.slot, key=key)) for one in written]
    ledger.write(intents=written)
    last = {(one.slot.job, one.slot.row_key or one.slot.row, one.slot.generation): one for one in written}
    assert ledger.find([one.slot for one in last.values()]) == list(last.values())


def test_answers_come_in_the_order_of_the_question(ledger: Ledger) -> None:
    key = new_key(ledger)
    slots = [Slot(key=key, job=f"job {number % 3}", row=number) for number in range(1000)]
    ledger.write(intents=[record(slot) for slot in slots if slot.row % 2])
    question = slots[::-1]
    answers = ledger.find(question)
    assert [found and found.slot for found in answers] == [
        slot if slot.row % 2 else None for slot in question
    ]


def test_asking_for_nothing_finds_nothing(ledger: Ledger) -> None:
    assert ledger.find([]) == []


def test_another_key_and_an_unknown_job_are_not_found(ledger: Ledger) -> None:
    slot = Slot(key=new_key(ledger), job="a")
    ledger.write(intents=[record(slot)])
    assert ledger.find([replace(slot, key=new_key(ledger))]) == [None]
    assert ledger.find([replace(slot, job="b")]) == [None]


def test_a_row_with_a_key_is_found_wherever_it_stands_now(ledger: Ledger) -> None:
    key = new_key(ledger)
    ledger.write(intents=[record(Slot(key=key, job="a", row=1, row_key="x"))])
    assert find(ledger, Slot(key=key, job="a", row=9, row_key="x")).slot.row == 1
    assert ledger.find([Slot(key=key, job="a", row=1, row_key="y")]) == [None]


def test_rows_that_changed_places_do_not_overwrite_each_other(ledger: Ledger) -> None:
    key = new_key(ledger)
    one, two = (Slot(key=key, job="a", row=row, row_key=name) for row, name in ((1, "x"), (2, "y")))
    ledger.write(intents=[record(one, line=1), record(two, line=2)])
    ledger.write(intents=[record(replace(two, row=1), line=3)])
    found = ledger.find([one, two])
    assert [(known.line, known.slot.row) for known in found if known] == [(1, 1), (3, 1)]
    assert len([known for known in ledger.messages() if known.slot.key == key]) == 2


def test_a_rows_number_and_a_rows_key_are_different_identities(ledger: Ledger) -> None:
    key = new_key(ledger)
    by_number, by_key = Slot(key=key, job="a", row=1), Slot(key=key, job="a", row=1, row_key="1")
    ledger.write(intents=[record(by_number, line=1), record(by_key, line=2)])
    assert [known.line for known in ledger.find([by_number, by_key]) if known] == [1, 2]


@pytest.mark.parametrize("row_key", [None, "x"])
def test_the_highest_generation_up_to_the_one_asked_for_is_found(ledger: Ledger, row_key: str | None) -> None:
    slot = Slot(key=new_key(ledger), job="a", row=1, row_key=row_key)
    ledger.write(
        intents=[record(replace(slot, generation=generation), line=generation) for generation in (3, 1)]
    )
    asked = [replace(slot, generation=generation) for generation in range(5)]
    assert [known and known.line for known in ledger.find(asked)] == [None, 1, 1, 3, 3]


def test_the_last_generation_is_of_the_job_and_the_key(ledger: Ledger) -> None:
    key, other = new_key(ledger), new_key(ledger)
    ledger.write(
        intents=[
            record(Slot(key=key, job="a", row=1, generation=2)),
            record(Slot(key=key, job="a", row=2)),
            record(Slot(key=other, job="a", row=1, generation=7)),
        ]
    )
    asked = [(key, "a"), (other, "a"), (key, "b"), (key + other, "a")]
    assert [ledger.last_generation(*one) for one in asked] == [2, 7, None, None]


def test_an_intent_replaces_what_was_known(ledger: Ledger) -> None:
    slot = Slot(key=new_key(ledger), job="a")
    ledger.write(intents=[record(slot, status=400, error="bad", settled_at=NOW)])
    again = record(slot, attempt=2)
    ledger.write(intents=[again])
    assert ledger.find([slot]) == [again]


@pytest.mark.parametrize("row_key", [None, "x"])
def test_a_result_settles_the_attempt_that_it_belongs_to(ledger: Ledger, row_key: str | None) -> None:
    slot = Slot(key=new_key(ledger), job="a", row=4, row_key=row_key)
    ledger.write(intents=[record(slot, attempt=2)])
    ledger.write(results=[result(slot, attempt=2, message_id="msg_x")])
    found = find(ledger, slot)
    assert (found.state, found.attempt, found.status) == (State.PUBLISHED, 2, 201)
    assert (found.message_ids, found.settled_at) == (("msg_x",), NOW)
    assert (found.first_maybe_sent, found.fingerprint) == (BOOT, b"0123456789abcdef")


@pytest.mark.parametrize("row_key", [None, "x"])
def test_a_result_of_a_superseded_attempt_changes_nothing(ledger: Ledger, row_key: str | None) -> None:
    slot = Slot(key=new_key(ledger), job="a", row=4, row_key=row_key)
    claimed = record(slot, attempt=2)
    ledger.write(intents=[claimed])
    ledger.write(results=[result(slot, attempt=1), result(slot, attempt=3)])
    assert ledger.find([slot]) == [claimed]


def test_a_result_for_a_row_that_moved_is_written_to_the_row(ledger: Ledger) -> None:
    slot = Slot(key=new_key(ledger), job="a", row=4, row_key="x")
    ledger.write(intents=[record(slot)])
    ledger.write(results=[result(replace(slot, row=5))])
    assert find(ledger, slot).state is State.PUBLISHED


def test_a_result_of_an_unknown_message_makes_none(ledger: Ledger) -> None:
    slot = Slot(key=new_key(ledger), job="a")
    ledger.write(results=[result(slot)])
    assert ledger.find([slot]) == [None]


def test_results_are_written_before_the_intents_of_the_same_write(ledger: Ledger) -> None:
    slot = Slot(key=new_key(ledger), job="a")
    ledger.write(intents=[record(slot)])
    again = record(slot, attempt=2)
    ledger.write(results=[replace(result(slot), state=State.WAITING)], intents=[again])
    assert ledger.find([slot]) == [again]


def test_a_write_that_fails_leaves_nothing_behind(ledger: Ledger) -> None:
    key = new_key(ledger)
    good, bad = Slot(key=key, job="never seen before"), Slot(key=key, job="b")
    with pytest.raises(LedgerError):
        ledger.write(intents=[record(good), record(bad, attempt=2**70)])
    assert ledger.find([good, bad]) == [None, None]
    ledger.write(intents=[record(good)])
    assert ledger.find([good]) == [record(good)]


def test_a_text_that_no_database_can_hold_is_a_ledger_error(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="cannot hold this value"):
        ledger.write(intents=[record(Slot(key=new_key(ledger), job="a"), target="\ud800")])


def test_what_was_being_sent_is_found_so_by_the_next_run(open_ledger: Open) -> None:
    first = open_ledger()
    slot = Slot(key=new_key(first), job="a")
    first.write(intents=[record(slot)])
    first.close()
    assert find(open_ledger(), slot).state is State.SENDING


def test_two_programs_see_each_others_writes_at_once(open_ledger: Open) -> None:
    one, other = open_ledger(), open_ledger()
    slot = Slot(key=new_key(one), job="a")
    assert other.find([slot]) == [None]
    one.write(intents=[record(slot)])
    other.write(results=[result(slot)])
    assert find(one, slot).state is State.PUBLISHED


# windows


def test_a_window_is_found_by_its_id(ledger: Ledger) -> None:
    slot = Slot(key=new_key(ledger), job="a", row=2, row_key="x", generation=1)
    derived = Window(dedup_id="qj-" + "ab" * 20, job="a", until=1_800_000_000.5, slot=slot)
    given = Window(dedup_id="order-1", job="b", until=inf, slot=replace(slot, row=0, row_key=None))
    ledger.write(windows=[derived, given])
    assert ledger.find_windows([given.dedup_id, "other", derived.dedup_id]) == {
        derived.dedup_id: derived,
        given.dedup_id: given,
    }


def test_ids_that_look_alike_have_windows_of_their_own(ledger: Ledger) -> None:
    slot = Slot(key=new_key(ledger), job="a")
    alike = ["qj-" + "ab" * 20, "qj-" + "AB" * 20, "ab" * 20, "qj-" + "ab" * 21, "qj-ab"]
    windows = {text: Window(dedup_id=text, job=text, until=1.0, slot=slot) for text in alike}
    ledger.write(windows=list(windows.values()))
    assert ledger.find_windows(alike) == windows


def test_a_window_replaces_the_one_of_its_id(ledger: Ledger) -> None:
    slot = Slot(key=new_key(ledger), job="a")
    for until in (1.0, 2.0):
        ledger.write(windows=[Window(dedup_id="x", job="a", until=until, slot=slot)])
    assert ledger.find_windows(["x"])["x"].until == 2.0


def test_a_released_window_is_forgotten(ledger: Ledger) -> None:
    slot = Slot(key=new_key(ledger), job="a")
    for text in ("x", "y", "z"):
        ledger.write(windows=[Window(dedup_id=text, job="a", until=inf, slot=slot)])
    ledger.write(intents=[record(slot)], released=["x", "unknown"])
    ledger.write(results=[result(slot)], released=["y"])
    assert list(ledger.find_windows(["x", "y", "z"])) == ["z"]


def test_a_window_released_and_taken_in_one_write_is_taken(ledger: Ledger) -> None:
    window = Window(dedup_id="x", job="a", until=inf, slot=Slot(key=new_key(ledger), job="a"))
    ledger.write(windows=[window])
    ledger.write(released=["x"], windows=[window])
    assert ledger.find_windows(["x"]) == {"x": window}


# runs and their keys


def run(id: str, *, started_at: datetime = NOW, **changes: object) -> Run:  # noqa: A002
    known = Run(
        id=id,
        started_at=started_at,
        project="shop",
        environment="production",
        target="localhost:1/account",
        paths=("/srv/jobs", "/srv/kä\udcffse"),
        options={"vars": {"region": "eu"}, "job": ["a*"], "folder": "/srv"},
        expected=14,
        keys=("b", "a"),
    )
    return replace(known, **changes)  # type: ignore[arg-type]


def test_a_run_key_remembers_its_first_run(open_ledger: Open) -> None:
    key = RunKey(project="shop", environment="", target="localhost", text="2026-03-04")
    first = open_ledger().open_key(key, run="7f3a", at=NOW)
    again = open_ledger().open_key(key, run="8c11", at=NOW + timedelta(days=1))
    assert (first.key, first.first_run, first.started_at) == (key, "7f3a", NOW)
    assert again == first


def test_a_run_key_that_no_run_had_is_not_made_by_looking(ledger: Ledger) -> None:
    key = RunKey(project="shop", environment="", target="localhost", text="x")
    assert ledger.find_key(key) is None
    opened = ledger.open_key(key, run="7f3a", at=NOW)
    assert ledger.find_key(key) == opened
    assert ledger.find_key(replace(key, environment="y")) is None


def test_a_run_key_is_one_of_its_project_environment_and_target(ledger: Ledger) -> None:
    key = RunKey(project="shop", environment="", target="localhost", text="x")
    others = [
        replace(key, project="y"),
        replace(key, environment="y"),
        replace(key, target="y"),
        replace(key, text="y"),
    ]
    numbers = {ledger.open_key(one, run="7f3a", at=NOW).number for one in (key, *others)}
    assert len(numbers) == 5


def test_runs_are_listed_newest_first_and_as_they_were_written(ledger: Ledger) -> None:
    written = [run(f"run {number}", keys=("b", "a") if number else ()) for number in range(3)]
    for one in written:
        ledger.start_run(one)
    assert list(ledger.runs()) == written[::-1]
    assert list(ledger.runs(limit=2)) == written[:0:-1]
    assert list(ledger.runs(limit=0)) == []


def test_a_run_that_never_ended_says_so(ledger: Ledger) -> None:
    ledger.start_run(run("7f3a"))
    (known,) = ledger.runs()
    assert (known.ended_at, known.exit_code, known.totals) == (None, None, None)


def test_a_run_remembers_how_it_ended(ledger: Ledger) -> None:
    ledger.start_run(run("7f3a"))
    ended_at = NOW + timedelta(minutes=4)
    ledger.end_run("7f3a", at=ended_at, exit_code=1, totals={"published": 12, "rejected": 1})
    assert list(ledger.runs()) == [
        run("7f3a", ended_at=ended_at, exit_code=1, totals={"published": 12, "rejected": 1})
    ]


def test_ending_a_run_that_never_began_is_an_error(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="knows no run nope"):
        ledger.end_run("nope", at=NOW, exit_code=0, totals={})


def test_a_run_is_found_by_the_beginning_of_its_id(ledger: Ledger) -> None:
    for name in ("7f3a", "7f9c", "8a%_", "8a*x"):
        ledger.start_run(run(name))
    found = {
        beginning: [one.id for one in ledger.find_runs(beginning)]
        for beginning in ("7f", "7f3a", "8a%", "9", "F3")
    }
    assert found == {"7f": ["7f9c", "7f3a"], "7f3a": ["7f3a"], "8a%": ["8a%_"], "9": [], "F3": []}


def test_a_run_that_finishes_an_older_key_counts_it_among_its_keys(ledger: Ledger) -> None:
    ledger.start_run(run("7f3a", keys=("old",)))
    ledger.start_run(run("8c11", keys=()))
    ledger.open_key(RunKey(project="shop", environment="", target="t", text="old"), run="8c11", at=NOW)
    assert [one.keys for one in ledger.runs()] == [("old",), ("old",)]


# listing and looking for messages


def test_messages_are_listed_by_key_job_and_row(ledger: Ledger) -> None:
    first, second = new_key(ledger), new_key(ledger)
    slots = [Slot(key=first, job="b", row=row) for row in range(1, 1201)]
    slots += [
        Slot(key=first, job="a"),
        Slot(key=second, job="b", row=1),
        Slot(key=second, job="b", row=1, generation=1),
    ]
    ledger.write(intents=[record(slot) for slot in reversed(slots[:1200])])
    ledger.write(intents=[record(slot) for slot in slots[1200:]])
    assert [known.slot for known in ledger.messages()] == slots


def test_messages_can_be_written_while_they_are_listed(ledger: Ledger) -> None:
    key = new_key(ledger)
    ledger.write(intents=[record(Slot(key=key, job="a", row=row)) for row in range(1, 1001)])
    for known in ledger.messages():
        if known.slot.row % 100 == 0:
            ledger.write(results=[result(known.slot)])
    assert sum(known.state is State.PUBLISHED for known in ledger.messages()) == 10


def test_messages_of_a_run_are_those_that_it_wrote_last(ledger: Ledger) -> None:
    ledger.start_run(run("7f3a", keys=("k",)))
    ledger.start_run(run("8c11", keys=("k",)))
    (key,) = {
        ledger.open_key(
            RunKey(project="shop", environment="production", target="localhost:1/account", text="k"),
            run=one,
            at=NOW,
        ).number
        for one in ("7f3a", "8c11")
    }
    slots = [Slot(key=key, job="a", row=row) for row in range(1, 4)]
    ledger.write(intents=[record(slot) for slot in slots])
    ledger.write(intents=[record(slots[1], run="8c11", attempt=2)])
    assert [known.slot.row for known in ledger.messages(run="7f3a")] == [1, 3]
    assert [known.slot.row for known in ledger.messages(run="8c11")] == [2]
    assert list(ledger.messages(run="unknown")) == []


def test_a_message_is_found_by_each_id_that_qstash_gave_it(ledger: Ledger) -> None:
    key = new_key(ledger)
    plain, group = Slot(key=key, job="a"), Slot(key=key, job="b")
    ledger.write(
        intents=[
            record(plain, endpoints=(Endpoint(message_id="msg_a"),)),
            record(group, endpoints=(Endpoint(message_id="msg_b", url="u"), Endpoint(message_id="msg_c"))),
        ]
    )
    found = {
        text: [known.slot.job for known in ledger.find_messages(text)] for text in ("msg_a", "msg_b", "msg_c")
    }
    assert found == {"msg_a": ["a"], "msg_b": ["b"], "msg_c": ["b"]}
    assert ledger.find_messages("msg_") == ledger.find_messages("msg_%") == []


def test_a_message_is_found_by_the_beginning_of_our_id(ledger: Ledger) -> None:
    key = new_key(ledger)
    ids = ["a1" * 20, "a2" * 20, "b" * 40]
    ledger.write(intents=[record(Slot(key=key, job=id_[:2]), id=id_) for id_ in ids])
    asked = ("qj-a1", "qj-a", "qj-b", f"qj-{ids[2]}", "qj-c", "qj-x", "qj-" + "b" * 41)
    found = {text: sorted(known.slot.job for known in ledger.find_messages(text)) for text in asked}
    assert list(found.values()) == [["a1"], ["a1", "a2"], ["bb"], ["bb"], [], [], []]


@pytest.mark.parametrize(
    "slot",
    [
        Slot(key=0, job="jobs/a:hello"),
        Slot(key=0, job="jobs/a:hello", row=12),
        Slot(key=0, job="jobs/a:hello", row=12, row_key="A]-[1\\"),
        Slot(key=0, job="jobs/[old]/a:hello", row=2, row_key="x"),
        Slot(key=0, job="jobs/[old]/a:hello"),
    ],
)
def test_a_message_is_found_by_its_full_name(ledger: Ledger, slot: Slot) -> None:
    slot = replace(slot, key=new_key(ledger))
    other = replace(slot, job="jobs/b:other")
    ledger.write(intents=[record(slot), record(other)])
    assert ledger.find_messages(find(ledger, slot).name) == [record(slot)]


def test_the_bare_id_of_a_job_finds_its_messages_where_no_full_name_is_that(ledger: Ledger) -> None:
    key = new_key(ledger)
    slots = [
        Slot(key=key, job="hello"),
        Slot(key=key, job="jobs/hello"),
        Slot(key=key, job="jobs/set:hello"),
        Slot(key=key, job="jobs/set:bye", row=1, row_key="ann"),
        Slot(key=key, job="jobs/set:bye", row=2, row_key="bob"),
        Slot(key=key, job="more/bye"),
        Slot(key=key, job="more/goodbye"),
        Slot(key=key, job="more/b_e"),
    ]
    ledger.write(intents=[record(slot) for slot in slots])
    asked = ("hello", "bye", "bye[ann]", "goodbye", "b_e", "b%e", "ye", "")
    found = {text: {known.name for known in ledger.find_messages(text)} for text in asked}
    assert found == {
        "hello": {"hello"},
        "bye": {"jobs/set:bye[ann]", "jobs/set:bye[bob]", "more/bye"},
        "bye[ann]": {"jobs/set:bye[ann]"},
        "goodbye": {"more/goodbye"},
        "b_e": {"more/b_e"},
        "b%e": set(),
        "ye": set(),
        "": set(),
    }


def test_a_bare_job_name_finds_its_newest_messages_at_most_20(ledger: Ledger) -> None:
    ledger.start_run(run("old"))
    ledger.start_run(run("new"))
    key = new_key(ledger)
    ledger.write(intents=[record(Slot(key=key, job="a", row=row), run="old") for row in range(1, 30)])
    ledger.write(intents=[record(Slot(key=key, job="a", row=29), run="new")])
    found = ledger.find_messages("a")
    assert [known.slot.row for known in found] == [29, *range(1, 20)]


def test_looking_for_a_message_can_be_kept_to_the_keys_of_a_run(ledger: Ledger) -> None:
    one, other = (Slot(key=new_key(ledger, run=name), job="a") for name in ("one", "other"))
    ledger.write(intents=[record(one, run="one"), record(other, run="other")])
    assert [known.slot for known in ledger.find_messages("a", run="one")] == [one]
    assert [known.slot for known in ledger.find_messages("qj-00", run="other")] == [other]
    assert ledger.find_messages("a", run="unknown") == []


@pytest.mark.parametrize("text", ["", "nothing", "[", "]", "a[", "[]", "qj-", "'", "%"])
def test_a_text_that_means_no_message_finds_none(ledger: Ledger, text: str) -> None:
    assert ledger.find_messages(text) == []


# locks


def test_the_same_jobs_cannot_run_twice_at_once(open_ledger: Open) -> None:
    one, other = open_ledger(), open_ledger()
    with (
        one.lock(scopes("shop/jobs/a.yaml")),
        pytest.raises(LockedError, match="another run of these jobs is under way"),
        other.lock(scopes("shop/jobs/b.yaml", "shop/jobs/a.yaml")),
    ):
        pytest.fail("both hold it")
    with other.lock(scopes("shop/jobs/a.yaml")):
        pass


def test_a_lock_that_cannot_be_had_whole_is_not_kept_in_part(open_ledger: Open) -> None:
    one, other = open_ledger(), open_ledger()
    with one.lock(scopes("b")):
        with pytest.raises(LockedError), other.lock(scopes("a", "b", "c")):
            pytest.fail("both hold it")
        with one.lock(scopes("a", "c")):
            pass


def test_unrelated_jobs_run_side_by_side(open_ledger: Open) -> None:
    one, other = open_ledger(), open_ledger()
    with one.lock(scopes("a", "b", "a")), other.lock(scopes("c")):
        pass


def test_waiting_gets_the_lock_when_the_other_run_ends(open_ledger: Open) -> None:
    one, other = open_ledger(), open_ledger()
    held, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with one.lock(scopes("a")):
            held.set()
            leave.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    with pytest.raises(LockedError), other.lock(scopes("a"), wait_s=0.15):
        pytest.fail("both hold it")
    threading.Timer(0.2, leave.set).start()
    with other.lock(scopes("a"), wait_s=10):
        assert leave.is_set()
    thread.join()


# what others know of messages


def evidence(slot: Slot, verdict: Verdict, *, at: datetime = NOW, who: str | None = None) -> Evidence:
    witness = Witness.LOG if who is None else Witness.PERSON
    return Evidence(slot=slot, at=at, witness=witness, verdict=verdict, who=who)


@pytest.mark.parametrize("row_key", [None, "x"])
def test_evidence_is_kept_oldest_first_whatever_becomes_of_the_message(
    ledger: Ledger, row_key: str | None
) -> None:
    key = new_key(ledger)
    slot, other = (Slot(key=key, job="a", row=row, row_key=row_key and f"{row_key}{row}") for row in (1, 2))
    known = [
        evidence(slot, Verdict.ABSENT),
        evidence(slot, Verdict.NOT_PUBLISHED, at=NOW - timedelta(days=1), who="ada"),
    ]
    ledger.write(intents=[record(slot)], evidence=known)
    ledger.write(intents=[record(slot, attempt=2)])
    assert ledger.find_evidence([other, slot]) == [(), tuple(known)]


def test_evidence_of_a_row_with_a_key_is_found_wherever_the_row_stands_now(ledger: Ledger) -> None:
    slot = Slot(key=new_key(ledger), job="a", row=1, row_key="x")
    ledger.write(evidence=[evidence(slot, Verdict.ABSENT)])
    moved = replace(slot, row=7)
    assert ledger.find_evidence([moved]) == [(evidence(moved, Verdict.ABSENT),)]
    assert ledger.find_evidence([replace(slot, generation=1), replace(slot, job="b")]) == [(), ()]


def listed(label: str, *message_ids: str) -> Listed:
    return Listed(
        label=label, endpoints=tuple(Endpoint(message_id=one, url="u") for one in message_ids), at=NOW
    )


def test_a_key_that_was_recovered_remembers_what_the_log_listed(open_ledger: Open) -> None:
    key = RunKey(project="shop", environment="", target="localhost", text="recovered")
    known = [listed("qj-m-1", "msg_1"), listed("qj-m-2", "msg_2", "msg_3")]
    opened = open_ledger().recover_key(key, run="7f3a", at=NOW, listed=known)
    again = open_ledger()
    assert again.find_key(key) == opened
    found = again.find_listed(opened.number, ["qj-m-2", "qj-m-9", "qj-m-1"])
    assert found == {"qj-m-1": known[0], "qj-m-2": known[1]}
    assert again.find_listed(new_key(again), ["qj-m-1"]) == {}


def test_recovering_a_key_once_more_adds_to_it(ledger: Ledger) -> None:
    key = RunKey(project="shop", environment="", target="localhost", text="twice")
    first = ledger.recover_key(key, run="7f3a", at=NOW, listed=[listed("qj-m-1", "msg_1")])
    again = ledger.recover_key(
        key, run="8c11", at=NOW + timedelta(days=1), listed=[listed("qj-m-2", "msg_2")]
    )
    assert again == first
    assert set(ledger.find_listed(first.number, ["qj-m-1", "qj-m-2"])) == {"qj-m-1", "qj-m-2"}


def test_keys_are_listed_in_the_order_of_their_first_runs(ledger: Ledger) -> None:
    opened = [
        ledger.open_key(RunKey(project="p", environment="e", target="t", text=text), run="7f3a", at=NOW)
        for text in ("listed b", "listed a")
    ]
    assert [one for one in ledger.run_keys() if one.key.text.startswith("listed ")] == opened


def test_doubts_of_a_key_are_what_is_in_doubt_or_being_sent(ledger: Ledger) -> None:
    key, other = new_key(ledger), new_key(ledger)
    ledger.write(
        intents=[
            record(Slot(key=key, job="a", row=row), state=state) for row, state in enumerate(State, start=1)
        ]
    )
    ledger.write(intents=[record(Slot(key=other, job="a", row=row)) for row in range(1, 1200)])
    assert {one.state for one in ledger.doubts(key)} == {State.SENDING, State.IN_DOUBT}
    assert len(list(ledger.doubts(key))) == 2
    assert len(list(ledger.doubts(other))) == 1199


def test_the_newest_moment_is_that_of_the_latest_write(open_ledger: Open) -> None:
    ledger = open_ledger()
    ledger.start_run(run("7f3a", started_at=datetime(2100, 1, 1, tzinfo=UTC)))
    assert ledger.newest_at() == datetime(2100, 1, 1, tzinfo=UTC)
    slot = Slot(key=new_key(ledger), job="a")
    later = replace(BOOT, wall=datetime(2101, 1, 1, tzinfo=UTC))
    ledger.write(intents=[record(slot, first_maybe_sent=later)])
    assert ledger.newest_at() == later.wall
    ledger.write(results=[replace(result(slot), settled_at=datetime(2102, 1, 1, tzinfo=UTC))])
    assert ledger.newest_at() == datetime(2102, 1, 1, tzinfo=UTC)
    ledger.end_run("7f3a", at=datetime(2103, 1, 1, tzinfo=UTC), exit_code=0, totals={})
    assert ledger.newest_at() == datetime(2103, 1, 1, tzinfo=UTC)


def test_all_windows_are_listed(ledger: Ledger) -> None:
    slot = Slot(key=new_key(ledger), job="a")
    ids = [f"qj-{number:040x}" for number in range(600)] + [f"order {number}" for number in range(600)]
    written = [Window(dedup_id=id_, job="a", until=float(place), slot=slot) for place, id_ in enumerate(ids)]
    ledger.write(windows=written)
    assert {one.dedup_id: one for one in ledger.windows() if one.slot == slot} == {
        one.dedup_id: one for one in written
    }


# upkeep


def test_a_ledger_in_order_has_nothing_to_tell(ledger: Ledger) -> None:
    slot = Slot(key=new_key(ledger), job="a")
    ledger.write(intents=[record(slot)], windows=[Window(dedup_id="x", job="a", until=inf, slot=slot)])
    ledger.write(results=[result(slot)])
    assert ledger.check() == []


def test_what_contradicts_itself_is_found(ledger: Ledger) -> None:
    key = new_key(ledger)
    ledger.write(
        intents=[
            record(Slot(key=key, job="a"), first_maybe_sent=None),
            record(Slot(key=key, job="b"), state=State.PUBLISHED),
            record(Slot(key=key + 1000, job="c"), state=State.PLANNED),
        ]
    )
    found = ledger.check()
    assert len(found) == 3
    assert any("no moment at which that was" in fault for fault in found)
    assert any("nor anybody's word for it" in fault for fault in found)
    assert any("run key that is missing" in fault for fault in found)


def test_what_a_person_called_published_needs_no_id(ledger: Ledger) -> None:
    slot = Slot(key=new_key(ledger), job="a")
    ledger.write(
        intents=[record(slot, state=State.PUBLISHED)], evidence=[evidence(slot, Verdict.PUBLISHED, who="ada")]
    )
    assert ledger.check() == []


OLD, CUTOFF = NOW - timedelta(days=100), NOW - timedelta(days=30)


def old_run(ledger: Ledger, name: str, *records: Record, at: datetime = OLD) -> int:
    """Write a run with a key of its own, and messages under it."""
    ledger.start_run(run(name, started_at=at, keys=(name,)))
    key = RunKey(project="shop", environment="production", target="localhost:1/account", text=name)
    number = ledger.open_key(key, run=name, at=at).number
    then = replace(BOOT, wall=at)
    ledger.write(
        intents=[
            replace(one, slot=replace(one.slot, key=number), run=name, first_maybe_sent=then)
            for one in records
        ]
    )
    return number


def published(*jobs: str, at: datetime = OLD) -> list[Record]:
    ids = (Endpoint(message_id="msg_1"),)
    return [record(Slot(key=0, job=job), state=State.PUBLISHED, settled_at=at, endpoints=ids) for job in jobs]


def test_old_runs_are_forgotten_with_all_that_is_theirs(open_ledger: Open) -> None:
    ledger = open_ledger()
    number = old_run(ledger, "old", *published("a", "b"))
    old_run(ledger, "new", *published("a", at=NOW), at=NOW)
    slot = Slot(key=number, job="a")
    ledger.write(
        windows=[Window(dedup_id="x", job="a", until=OLD.timestamp(), slot=slot)],
        evidence=[evidence(slot, Verdict.ABSENT)],
    )
    pruned = ledger.prune(before=CUTOFF, now=NOW)
    assert replace(pruned, freed_bytes=0) == Pruned(
        runs=1, keys=1, messages=2, windows=1, doubtful=0, held=0, freed_bytes=0
    )
    again = open_ledger()
    assert [one.id for one in again.runs()] == ["new"]
    assert [(one.slot.job, one.run) for one in again.messages()] == [("a", "new")]
    assert [one.key.text for one in again.run_keys()] == ["new"]
    assert list(again.windows()) == []
    assert again.find_evidence([slot]) == [()]
    assert again.check() == []


def test_a_key_with_a_message_in_doubt_is_kept_whole(ledger: Ledger) -> None:
    old_run(ledger, "old", *published("a"), record(Slot(key=0, job="b"), state=State.IN_DOUBT))
    old_run(ledger, "killed", record(Slot(key=0, job="c")))
    pruned = ledger.prune(before=CUTOFF, now=NOW)
    assert (pruned.keys, pruned.messages, pruned.runs, pruned.doubtful) == (0, 0, 0, 2)
    assert len(list(ledger.messages())) == 3


def test_a_key_that_holds_a_deduplication_id_is_kept_until_its_window_ends(ledger: Ledger) -> None:
    slot = Slot(key=old_run(ledger, "old", *published("a")), job="a")
    ledger.write(windows=[Window(dedup_id="x", job="a", until=NOW.timestamp() + 60, slot=slot)])
    pruned = ledger.prune(before=CUTOFF, now=NOW)
    assert (pruned.keys, pruned.messages, pruned.windows, pruned.held) == (0, 0, 0, 1)
    pruned = ledger.prune(before=CUTOFF, now=NOW + timedelta(minutes=2))
    assert (pruned.keys, pruned.messages, pruned.windows, pruned.held) == (1, 1, 1, 0)


def test_an_old_key_that_was_used_lately_is_kept_with_its_old_messages(ledger: Ledger) -> None:
    old_run(ledger, "by a run", *published("a"))
    ledger.start_run(run("lately", started_at=NOW, keys=("by a run",)))
    old_run(ledger, "by a message", *published("a", at=NOW))
    assert ledger.prune(before=CUTOFF, now=NOW).keys == 0


def test_pruning_gives_room_back(ledger: Ledger) -> None:
    old_run(ledger, "old", *published(*(f"job {number}" for number in range(3000))))
    assert ledger.prune(before=CUTOFF, now=NOW).freed_bytes > 100_000
    assert ledger.prune(before=CUTOFF, now=NOW).freed_bytes == 0
