"""The order of writes: what is on the disk before a byte goes out, and before anybody is told; and when it fails."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from chaos_server import Peer
from publishing import (
    Call,
    Service,
    Stage,
    Went,
    accepts_then,
    answers,
    jobs_to,
    names,
    resets,
    serve,
)

from qstash_jobs.boundary import Ledger, Outrun
from qstash_jobs.errors import LedgerError, UsageError
from qstash_jobs.ledger.sqlite import open_sqlite
from qstash_jobs.publish import Settlement, UnrecordedError
from qstash_jobs.record import Record, State


def look(stage: Stage) -> dict[str, Record]:
    """Read the ledger while a run has it open, as another program would."""
    with closing(open_sqlite(stage.ledger_path, read_only=True)) as ledger:
        return {one.target.rpartition("/")[2]: one for one in ledger.messages()}


@pytest.mark.parametrize("size", [1, 4])
def test_a_claim_is_on_the_disk_before_its_first_byte_arrives(tmp_path: Path, size: int) -> None:
    service = Service()
    seen: list[tuple[str, State, bool]] = []
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)

        def note(call: Call) -> None:
            records = look(stage)
            seen.extend(
                (name, records[name].state, records[name].first_maybe_sent is not None) for name in call.names
            )

        service.on_call = note
        stage.run(jobs_to(*names(8)), batch_size=size, concurrency=2)
    assert sorted(seen) == [(name, State.SENDING, True) for name in names(8)]


def test_a_second_try_is_on_the_disk_with_the_moment_of_the_first(tmp_path: Path) -> None:
    service = Service(resets)
    seen: list[Record] = []
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        service.on_call = lambda call: seen.append(look(stage)["m"])
        stage.run(jobs_to("m"))
    assert [(one.state, one.attempt) for one in seen] == [(State.SENDING, 1), (State.SENDING, 2)]
    assert seen[0].first_maybe_sent == seen[1].first_maybe_sent


def test_a_second_try_after_one_that_was_surely_not_sent_counts_from_its_own_moment(tmp_path: Path) -> None:
    service = Service(answers(429))
    seen: list[Record] = []
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        service.on_call = lambda call: seen.append(look(stage)["m"])
        stage.run(jobs_to("m"))
    assert seen[0].first_maybe_sent != seen[1].first_maybe_sent


def test_nobody_is_told_before_the_ledger_has_it(tmp_path: Path) -> None:
    service = Service(answers(400), *[answers(503)] * 2)
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)

        def check(settlement: Settlement) -> None:
            (found,) = [one for one in look(stage).values() if one.id == settlement.envelope.id]
            assert (found.state, found.endpoints) == (settlement.state, settlement.endpoints)

        went = stage.run(jobs_to(*names(9)), tell=check, concurrency=3, batch_size=2)
    assert len(went.told) == 9


def test_a_claim_that_has_grown_old_is_made_again_before_anything_is_sent(tmp_path: Path) -> None:
    service = Service()

    class SlowDisk(Passing):
        def write(self, **what: Any) -> Outrun:
            outrun = super().write(**what)
            if what["intents"] and not slept:
                slept.append(True)
                stage.clock.ahead_after_write = 6.0
            return outrun

    slept: list[bool] = []
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        clock = stage.clock

        class Sleeper(type(clock)):  # type: ignore[misc]
            """The machine sleeps for a while, once, right after a claim."""

            ahead_after_write = 0.0

            def instant(self) -> Any:
                now = super().instant()
                self.ahead_s += self.ahead_after_write
                self.ahead_after_write = 0.0
                return now

        stage.clock = Sleeper()
        with closing(stage.open_ledger()) as ledger:
            went = stage.run(jobs_to("m"), ledger=SlowDisk(ledger))
    assert went.states == stage.states == {"m": "published"}
    assert len(service.calls) == 1
    assert stage.records()["m"].attempt == 2


# a ledger that fails


class Passing:
    """A ledger that hands everything on to another."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def write(self, **what: Any) -> Outrun:
        return self._ledger.write(**what)


class Failing(Passing):
    """A ledger whose disk is full from the n-th write on, for so many writes."""

    def __init__(self, ledger: Ledger, *, after: int, times: int = 1000) -> None:
        super().__init__(ledger)
        self.writes = 0
        self.bad = range(after, after + times)

    def write(self, **what: Any) -> Outrun:
        self.writes += 1
        if self.writes in self.bad:
            raise LedgerError("no room is left")
        return super().write(**what)


@contextmanager
def failing(stage: Stage, **how: Any) -> Iterator[Any]:
    with closing(stage.open_ledger()) as ledger:
        yield Failing(ledger, **how)


@pytest.mark.parametrize("after", [1, 2, 3, 5, 8])
@pytest.mark.parametrize(("concurrency", "size"), [(1, 1), (3, 1), (3, 2)])
def test_what_was_accepted_and_cannot_be_written_is_handed_over(
    tmp_path: Path, after: int, concurrency: int, size: int
) -> None:
    service = Service()
    told: list[Settlement] = []
    unwritten: list[Settlement] = []
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        with failing(stage, after=after) as ledger:
            how = {"concurrency": concurrency, "batch_size": size}
            try:
                stage.run(jobs_to(*names(6)), ledger=ledger, tell=told.append, **how)
            except UnrecordedError as error:
                unwritten = error.settlements
    known = {one.endpoints[0].message_id for one in (*told, *unwritten) if one.endpoints}
    assert known == {f"msg_{number}" for number in range(1, len(service.order) + 1)}
    assert not {one.envelope.id for one in told} & {one.envelope.id for one in unwritten}
    # and the next run, with room on the disk, finishes it
    with serve(service) as server:
        stage.url = server.url
        stage.run(jobs_to(*names(6)))
    assert set(stage.states.values()) == {"published"}
    assert set(service.accepted.values()) == {1}


def test_a_ledger_that_fails_once_still_gets_the_answers(tmp_path: Path) -> None:
    service = Service(latency_s=0.02)
    told: list[Settlement] = []
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        with (
            failing(stage, after=4, times=1) as ledger,
            pytest.raises(UnrecordedError, match="no room") as raised,
        ):
            stage.run(jobs_to(*names(6)), ledger=ledger, tell=told.append, concurrency=2)
    assert raised.value.settlements == []
    assert {one.state for one in told} == {"published"}
    published = [name for name, state in stage.states.items() if state == "published"]
    assert sorted(published) == sorted(service.order)


def test_what_is_in_doubt_is_handed_over_too(tmp_path: Path) -> None:
    service = Service(accepts_then(resets))
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        with failing(stage, after=2) as ledger, pytest.raises(UnrecordedError) as raised:
            stage.run(jobs_to("a", "b"), ledger=ledger)
    assert [(one.state, one.attempts) for one in raised.value.settlements] == [("in_doubt", 1)]
    assert (str(raised.value), raised.value.exit_code) == ("no room is left", 6)
    assert stage.states["a"] == "sending"


@pytest.mark.parametrize("call", ["find", "find_windows"])
def test_a_ledger_that_cannot_be_read_any_more_loses_no_answer(tmp_path: Path, call: str) -> None:
    service = Service(latency_s=0.05)
    told: list[Settlement] = []

    class Unreadable(Passing):
        asked = 0

        def __getattr__(self, name: str) -> Any:
            if name == call:
                self.asked += 1
                if self.asked == 2:
                    raise LedgerError("unreadable")
            return super().__getattr__(name)

    # more than are looked up at once
    jobs = jobs_to(*names(520), dedup={"key": "${{ job.id }}", "window": "1d"})
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        with closing(stage.open_ledger()) as ledger, pytest.raises(LedgerError, match="unreadable"):
            stage.run(jobs, ledger=Unreadable(ledger), tell=told.append, batch_size=100)  # type: ignore[arg-type]
    assert sorted(name for name, state in stage.states.items() if state == "published") == sorted(
        service.order
    )
    assert len(told) == len(service.order)


def test_a_disk_that_is_really_full_loses_no_answer(tmp_path: Path) -> None:
    """SQLite's own limit of pages is what a full disk looks like to it."""
    service = Service()
    told: list[Settlement] = []
    unwritten: list[Settlement] = []
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        with closing(open_sqlite(stage.ledger_path)) as ledger:
            connection = next(one for one in vars(ledger).values() if isinstance(one, sqlite3.Connection))
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages + 4}")
            with pytest.raises(UnrecordedError, match="no room is left") as raised:
                stage.run(jobs_to(*names(300)), ledger=ledger, tell=told.append, batch_size=3, concurrency=3)
            unwritten = raised.value.settlements
    known = {one.endpoints[0].message_id for one in (*told, *unwritten) if one.endpoints}
    assert known == {f"msg_{number}" for number in range(1, len(service.order) + 1)}


# whatever else breaks the run off


def test_rows_that_break_off_do_not_take_the_answers_on_the_wire_with_them(tmp_path: Path) -> None:
    service = Service(latency_s=0.1)
    told: list[Settlement] = []

    class Breaking(Stage):
        def envelopes(self, *given: Any, **named: Any) -> Iterator[Any]:
            yield from super().envelopes(*given, **named)
            raise UsageError("rows.csv has changed")

    with serve(service) as server:
        stage = Breaking(tmp_path, server.url)
        with pytest.raises(UsageError, match="has changed"):
            stage.run(jobs_to(*names(600)), tell=told.append, batch_size=250, concurrency=2)
    published = [name for name, state in stage.states.items() if state == "published"]
    assert sorted(published) == sorted(service.order)
    assert len(told) == len(published) > 0
    assert set(stage.states.values()) == {"published"}


def test_a_listener_that_breaks_does_not_keep_results_from_the_ledger(tmp_path: Path) -> None:
    service = Service(latency_s=0.05)

    def broken_pipe(settlement: Settlement) -> None:
        raise BrokenPipeError

    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        with pytest.raises(BrokenPipeError):
            stage.run(jobs_to(*names(9)), tell=broken_pipe, concurrency=3)
    assert set(stage.states.values()) == {"published"}
    assert len(stage.states) == len(service.order) < 9


def test_a_fault_in_a_sender_comes_out_and_the_other_answers_are_kept(tmp_path: Path) -> None:
    service = Service(latency_s=0.05)

    class Faulty(Stage):
        opened = 0

        def open_line(self) -> Any:
            self.opened += 1
            line = super().open_line()
            return Exploding(line) if self.opened == 2 else line

    with serve(service) as server:
        stage = Faulty(tmp_path, server.url)
        with pytest.raises(ZeroDivisionError):
            stage.run(jobs_to(*names(12)), concurrency=4)
    states = stage.states
    assert sorted(name for name, state in states.items() if state == "published") == sorted(service.order)
    assert list(states.values()).count("sending") == 1


class Exploding:
    """A line with a fault of ours in it."""

    def __init__(self, line: Any) -> None:
        self._line = line

    def __getattr__(self, name: str) -> Any:
        return getattr(self._line, name)

    def offer(self, request: Any, *, may_send: Any) -> Any:
        raise ZeroDivisionError


def test_a_fault_while_connecting_comes_out(tmp_path: Path) -> None:
    class Faulty(Stage):
        def open_line(self) -> Any:
            line = Exploding(super().open_line())
            line.connect = line.offer
            return line

    stage = Faulty(tmp_path, "http://127.0.0.1:9")
    with pytest.raises(TypeError):
        stage.run(jobs_to("a"))


def test_a_second_interrupt_ends_it_at_once_and_keeps_what_is_known(tmp_path: Path) -> None:
    service = Service()
    asked: list[bool] = []

    def interrupt() -> bool:
        asked.append(True)
        if len(asked) == 6:
            raise KeyboardInterrupt
        return False

    def slow(service: Service, call: Call, peer: Peer) -> None:
        peer.wait(20)

    service.faults.extend([*[lambda service, call, peer: peer.write(service.act(call))] * 3, slow])
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        began_s = stage.clock.monotonic_s()
        with pytest.raises(KeyboardInterrupt):
            stage.run(jobs_to(*names(9)), stopping=interrupt)
        assert stage.clock.monotonic_s() - began_s < 10
    published = [name for name, state in stage.states.items() if state == "published"]
    assert published == service.order


def test_a_stop_finishes_what_is_on_the_wire_and_leaves_the_rest_planned(tmp_path: Path) -> None:
    service = Service(latency_s=0.1)
    stop: list[bool] = []
    service.on_call = lambda call: stop.append(True)
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        went = stage.run(jobs_to(*names(9)), stopping=lambda: len(stop) >= 2, concurrency=2)
    assert went.exit_code == 130
    assert 2 <= len(service.order) <= 3
    assert set(went.states.values()) == set(stage.states.values()) == {"published"}
    assert sorted(went.states) == sorted(service.order)


def test_a_stop_says_of_what_waits_for_another_try_where_it_stands(tmp_path: Path) -> None:
    service = Service(resets, answers(429))
    stop: list[bool] = []
    service.on_call = lambda call: stop.append(True)
    with serve(service) as server:
        stage = Stage(tmp_path, server.url, chance=1.0)
        went = stage.run(jobs_to("a", "b"), stopping=lambda: len(stop) >= 2)
    assert went.exit_code == 130
    assert went.states["a"] == stage.states["a"] == "in_doubt"
    assert (went.reasons["a"] or "").startswith("it may have been accepted: ")
    assert {one.attempts for one in went.told} == {1}


def test_a_stop_when_everything_is_through_is_none(tmp_path: Path) -> None:
    service = Service()
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        went: Went = stage.run(jobs_to("a"), stopping=lambda: len(service.order) == 1)
    assert went.states == {"a": "published"}
