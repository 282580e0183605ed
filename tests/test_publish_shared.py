"""Several runners of one run key on one ledger in PostgreSQL: each message is sent by one of them."""

import json
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from faults.postgres_storm import Storm
from publishing import Call, Service, Stage, jobs_to, names, resets, serve

from qstash_jobs.clock import SystemClock
from qstash_jobs.ledger.postgres.address import Address
from qstash_jobs.ledger.postgres.ledger import open_postgres
from qstash_jobs.publish.aside import Aside
from qstash_jobs.publish.work import Try
from qstash_jobs.record import Endpoint, Result, State

RUNNER = Path(__file__).parent / "faults" / "run_shared.py"


def start(
    folder: Path,
    url: str,
    address: str,
    *,
    messages: int,
    queue: str = "-",
    batch_size: int = 3,
    lease_s: float = 6,
) -> "subprocess.Popen[str]":
    folder.mkdir()
    words = [folder, url, address, folder.name, messages, batch_size, 3, lease_s, queue]
    return subprocess.Popen([sys.executable, RUNNER, *map(str, words)], stdout=subprocess.PIPE, text=True)


def end(runner: "subprocess.Popen[str]") -> dict[str, int]:
    """Wait for a runner that gets everything through, and return what it told."""
    said, _ = runner.communicate(timeout=60)
    assert runner.returncode == 0
    told = json.loads(said)
    assert told["ending"] is None
    states: dict[str, int] = told["states"]
    return states


def test_runners_share_the_work_and_each_knows_at_the_end_that_all_is_done(
    tmp_path: Path, postgres_url: str
) -> None:
    service = Service(latency_s=0.02)
    with serve(service) as server:
        started = [start(tmp_path / str(one), server.url, postgres_url, messages=300) for one in range(3)]
        told = [end(one) for one in started]
        stage = Stage(tmp_path, server.url, address=postgres_url)
        assert stage.states == dict.fromkeys(names(300), "published")
    assert sorted(service.order) == names(300)
    assert sum(len(call.messages) for call in service.calls) == 300, "nothing was sent in vain"
    assert sum(states.get("published", 0) for states in told) == 300
    assert [sum(states.values()) for states in told] == [300, 300, 300]


def test_a_queue_keeps_its_order_with_several_runners(tmp_path: Path, postgres_url: str) -> None:
    service = Service(latency_s=0.005)
    with serve(service) as server:
        started = [
            start(tmp_path / str(one), server.url, postgres_url, messages=90, queue="mails")
            for one in range(3)
        ]
        for one in started:
            end(one)
    assert service.order == names(90)


def test_a_queue_goes_on_in_order_when_the_runner_that_has_it_is_killed(
    tmp_path: Path, postgres_url: str
) -> None:
    service = Service(latency_s=0.01)
    with serve(service) as server:
        first = start(tmp_path / "0", server.url, postgres_url, messages=60, queue="mails")

        def kill(call: Call) -> None:
            if len(service.calls) == 8:
                first.kill()

        service.on_call = kill
        first.communicate(timeout=30)
        assert first.returncode == -9
        end(start(tmp_path / "1", server.url, postgres_url, messages=60, queue="mails"))
    assert service.order == names(60)


def test_what_a_killed_runner_had_is_sent_by_another_when_its_time_is_over(
    tmp_path: Path, postgres_url: str
) -> None:
    service = Service()
    with serve(service) as server:
        first = start(tmp_path / "0", server.url, postgres_url, messages=30)

        def kill(call: Call) -> None:
            if len(service.calls) == 4:
                first.kill()

        service.on_call = kill
        first.communicate(timeout=30)
        stage = Stage(tmp_path, server.url, address=postgres_url)
        assert "sending" in stage.states.values()
        end(start(tmp_path / "1", server.url, postgres_url, messages=30))
        assert stage.states == dict.fromkeys(names(30), "published")
    assert sorted(service.order) == names(30)


def test_a_runner_that_is_stopped_says_which_messages_another_one_has(
    tmp_path: Path, postgres_url: str
) -> None:
    with serve(Service()) as server:
        stage = Stage(tmp_path, server.url, address=postgres_url)
        with closing(open_postgres(Address(url=postgres_url))) as other:
            (envelope,) = stage.envelopes(jobs_to("m000"), other)
            other.write(intents=[Try(envelope=envelope, attempt=1).intent("other", SystemClock().instant())])
            asked = []

            def stopping() -> bool:
                asked.append(True)
                return len(asked) > 2

            went = stage.run(jobs_to("m000", "m001"), stopping=stopping)
    assert went.exit_code == 130
    assert went.states == {"m001": "published", "m000": "sending"}
    assert "another runner has it" in (went.reasons["m000"] or "")


def test_nothing_is_sent_on_a_claim_whose_time_is_over(tmp_path: Path, postgres_url: str) -> None:
    """The runner stands still between the durable claim and the first byte."""
    service = Service()

    class Sleepy:
        """A ledger that takes longer to say that a claim is written than the claim is good for, once."""

        def __init__(self, ledger: object) -> None:
            self._ledger = ledger
            self.slept = 0

        def __getattr__(self, name: str) -> object:
            return getattr(self._ledger, name)

        def write(self, **what: object) -> object:
            outrun = self._ledger.write(**what)  # type: ignore[attr-defined]
            if what.get("intents") and not self.slept:
                self.slept += 1
                calls_then.append(len(service.calls))
                SystemClock().sleep(0.5)
            return outrun

    calls_then: list[int] = []
    with serve(service) as server:
        stage = Stage(tmp_path, server.url, address=postgres_url, lease_s=1.2)
        went = stage.run(jobs_to("m"), ledger=Sleepy(stage.open_ledger()))  # type: ignore[arg-type]
        assert went.states == stage.states == {"m": "published"}
        assert stage.records()["m"].attempt == 2
    assert len(service.calls) == 1


def test_runners_and_their_database_are_killed_and_nothing_is_lost_doubled_or_told_wrongly(
    tmp_path: Path, postgres_programs: Path
) -> None:
    storm = Storm(tmp_path, postgres_programs, messages=300, runners=3, seed=1)
    figures = storm.rage(kills=5, restarts=1)
    assert (figures.lost, figures.doubled, figures.lies) == (0, 0, 0), figures
    assert (figures.kills, figures.restarts) == (5, 1)
    # a runner that begins while the database is down ends with the ledger's exit code
    assert set(figures.exits) <= {0, 6}


def test_who_waits_for_another_runner_is_told_so_once(tmp_path: Path, postgres_url: str) -> None:
    with serve(Service()) as server:
        stage = Stage(tmp_path, server.url, address=postgres_url)
        with closing(open_postgres(Address(url=postgres_url))) as other:
            (envelope,) = stage.envelopes(jobs_to("m"), other)
            notes: list[str] = []
            aside = Aside(other, stage.clock, notes.append)
            aside.put(0, envelope)
            for _ in range(12):
                stage.clock.advance(1.1)
                assert aside.due() == [0]
    assert notes == ["1 message is with other runners; waiting for them"]


# while QStash's log is asked


def publish_elsewhere(address: str, *, job: str = "m") -> None:
    """Be another runner, which claims a message once more and gets it through."""
    with closing(open_postgres(Address(url=address))) as other:
        (known,) = [one for one in other.messages() if one.name.endswith(job)]
        mine = replace(known, attempt=known.attempt + 1, state=State.SENDING, run="other", settled_at=None)
        taken = other.write(intents=[mine])
        assert not taken.claims
        now = SystemClock().now()
        endpoints = (Endpoint(message_id="msg_other"),)
        other.write(
            results=[
                Result(
                    slot=mine.slot,
                    attempt=mine.attempt,
                    state=State.PUBLISHED,
                    settled_at=now,
                    endpoints=endpoints,
                )
            ]
        )


@pytest.mark.parametrize("look", [1, 2])
@pytest.mark.parametrize("killed", [True, False])
@pytest.mark.parametrize("resends_doubts", [True, False])
def test_what_another_runner_settles_while_the_log_is_asked_is_told_as_that_runner_settled_it(
    tmp_path: Path, postgres_url: str, look: int, killed: bool, resends_doubts: bool
) -> None:
    service = Service(*[resets] * 5)
    with serve(service) as server:
        stage = Stage(tmp_path, server.url, address=postgres_url)
        if killed:
            stage.lease_s = 0.2
            with closing(stage.open_ledger()) as first:
                (envelope,) = stage.envelopes(jobs_to("m"), first)
                first.write(intents=[Try(envelope=envelope, attempt=1).intent("run", stage.clock.instant())])
            SystemClock().sleep(0.3)
        else:
            stage.run(jobs_to("m"))
        sent_before = len(service.calls)
        service.faults.clear()
        stage.clock.advance(540)
        moments: list[float] = []

        def now() -> float:
            moments.append(stage.clock.now().timestamp())
            if len(moments) == look:
                publish_elsewhere(postgres_url)
            return moments[-1]

        service.log.now = now
        went = stage.run(jobs_to("m"), resends_doubts=resends_doubts)
        assert stage.states == {"m": "published"}
        (told,) = went.told
        assert (str(told.state), told.endpoints[0].message_id) == ("skipped", "msg_other")
    assert len(service.calls) == sent_before


def test_a_duplicate_that_another_runner_has_settled_meanwhile_is_told_as_that_runner_settled_it(
    tmp_path: Path, postgres_url: str
) -> None:
    """The runner's answer comes so late that another one has taken the message over."""
    service = Service()
    with serve(service) as server:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        Stage(elsewhere, server.url).run(jobs_to("m"))
        stage = Stage(tmp_path, server.url, address=postgres_url, lease_s=1.2)
        service.log.lists = lambda message_id: False

        def overtake(call: Call) -> None:
            SystemClock().sleep(1.3)
            publish_elsewhere(postgres_url)

        service.on_call = overtake
        went = stage.run(jobs_to("m"))
        assert stage.states == {"m": "published"}
        (told,) = went.told
    assert (str(told.state), told.endpoints[0].message_id) == ("skipped", "msg_other")
