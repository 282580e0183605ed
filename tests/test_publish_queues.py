"""Queues: what is published to one stays in order, whatever happens, and holds up nothing else."""

from pathlib import Path
from typing import Any

import pytest
from chaos_server import Peer
from publishing import (
    URL,
    Call,
    Fault,
    Service,
    Stage,
    Went,
    accepts_then,
    answers,
    http,
    jobs_to,
    names,
    resets,
    serve,
)


def run_queues(folder: Path, service: Service, jobs: dict[str, Any], **options: Any) -> tuple[Stage, Went]:
    with serve(service) as server:
        stage = Stage(folder, server.url)
        went = stage.run(jobs, **{"concurrency": 4, "batch_size": 1, **options})
    return stage, went


@pytest.mark.parametrize("size", [1, 3, 10])
def test_a_queue_keeps_its_order_with_one_request_on_the_wire(tmp_path: Path, size: int) -> None:
    service = Service(latency_s=0.01)
    _, went = run_queues(tmp_path, service, jobs_to(*names(12), queue="q"), batch_size=size)
    assert service.order == names(12)
    assert service.most_in_flight == 1
    assert set(went.states.values()) == {"published"}


@pytest.mark.parametrize("fault", [resets, accepts_then(resets), answers(503), answers(429)])
def test_a_queue_keeps_its_order_while_one_of_its_messages_is_tried_again(
    tmp_path: Path, fault: Fault
) -> None:
    service = Service(fault, fault, latency_s=0.005)
    run_queues(tmp_path, service, jobs_to(*names(6), queue="q"))
    assert service.order == names(6)


def test_other_queues_and_messages_without_one_do_not_wait(tmp_path: Path) -> None:
    jobs: dict[str, Any] = {}
    for number in range(8):
        jobs |= jobs_to(f"a{number}", queue="a") | jobs_to(f"b{number}", queue="b") | jobs_to(f"n{number}")
    service = Service(latency_s=0.03)
    run_queues(tmp_path, service, jobs)
    assert service.most_in_flight >= 3
    for letter in "ab":
        assert [name for name in service.order if name[0] == letter] == [f"{letter}{n}" for n in range(8)]


def test_many_queues_that_wait_for_each_other_all_come_through(tmp_path: Path) -> None:
    jobs = {
        f"m{number:03}": {"url": f"{URL}m{number:03}", "queue": f"q{number * number % 7}"}
        for number in range(150)
    }
    service = Service()
    _, went = run_queues(tmp_path, service, jobs, batch_size=4)
    assert len(service.order) == 150
    assert set(went.states.values()) == {"published"}
    for queue in {job["queue"] for job in jobs.values()}:
        mine = [name for name, job in jobs.items() if job["queue"] == queue]
        assert [name for name in service.order if name in mine] == mine


STOPPERS: dict[str, tuple[list[Fault], str]] = {
    "rejected": ([answers(400, {"error": "bad"})], "rejected"),
    "in doubt": ([answers(503)] * 5, "in_doubt"),
    "throttled to the end": ([answers(429)] * 5, "planned"),
}


@pytest.mark.parametrize(("faults", "state"), STOPPERS.values(), ids=STOPPERS.keys())
def test_nothing_overtakes_a_message_that_did_not_get_through(
    tmp_path: Path, faults: list[Fault], state: str
) -> None:
    stage, went = run_queues(tmp_path, Service(*faults), jobs_to("a", "b", "c", queue="q"), concurrency=1)
    assert went.states == {"a": state, "b": "planned", "c": "planned"}
    assert stage.states == {"a": state}
    name = went.told[0].envelope.message.name
    assert went.reasons["b"] == went.reasons["c"] == f"the queue q waits for {name}"


def test_what_is_in_other_queues_goes_on_behind_a_queue_that_stopped(tmp_path: Path) -> None:
    jobs = jobs_to("bad", "a1", "a2", queue="a") | jobs_to("b1", "b2", queue="b") | jobs_to("n1")
    _, went = run_queues(tmp_path, Service(refuses=["bad"]), jobs)
    assert went.states == {
        "bad": "rejected",
        "a1": "planned",
        "a2": "planned",
        "b1": "published",
        "b2": "published",
        "n1": "published",
    }


def test_a_long_queue_that_stopped_ends_at_once_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    jobs = jobs_to("bad", *names(120), queue="q") | jobs_to("last")
    service = Service(refuses=["bad"])
    _, went = run_queues(tmp_path, service, jobs)
    assert list(went.states.values()).count("planned") == 120
    assert went.states["last"] == "published"
    assert len(service.calls) == 2


def test_the_next_run_takes_a_queue_up_where_it_stopped(tmp_path: Path) -> None:
    service = Service(answers(400))
    jobs = jobs_to("a", "b", "c", queue="q")
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        stage.run(jobs)
        stage.run(jobs)
    assert service.order == ["a", "b", "c"]
    assert set(stage.states.values()) == {"published"}


def test_a_batch_is_one_step_of_its_queue(tmp_path: Path) -> None:
    parts = [{"messageId": "msg_1"}, {"error": "bad"}, {"messageId": "msg_3"}]
    jobs = jobs_to(*names(6), queue="q")
    _, went = run_queues(tmp_path, Service(answers(200, parts)), jobs, batch_size=3)
    assert list(went.states.values()) == ["published", "rejected", "published", *["planned"] * 3]


def test_a_queue_keeps_its_order_while_the_message_at_fault_is_looked_for(tmp_path: Path) -> None:
    service = Service(latency_s=0.005)
    bad = "m005"

    def refuse(service: Service, call: Call, peer: Peer) -> None:
        service.faults.append(refuse)
        peer.write(http(400, {"error": "bad"}) if bad in call.names else service.act(call))

    service.faults.append(refuse)
    _, went = run_queues(tmp_path, service, jobs_to(*names(16), queue="q"), batch_size=8)
    assert service.order == names(5)
    assert service.most_in_flight == 1
    assert [name for name, state in went.states.items() if state == "rejected"] == [bad]
    assert {name for name, state in went.states.items() if state == "planned"} == set(names(16)[6:])


def test_the_first_half_that_has_to_be_tried_again_is_not_overtaken_by_the_second(tmp_path: Path) -> None:
    service = Service(answers(400), answers(503), answers(503))
    run_queues(tmp_path, service, jobs_to(*names(4), queue="q"), batch_size=4)
    assert [call.names for call in service.calls][:4] == [names(4), names(2), names(2), names(2)]
    assert service.order == names(4)


def test_what_is_in_doubt_overtakes_nobody_either(tmp_path: Path) -> None:
    parts = [{"messageId": "msg_1"}, {"error": "bad"}, {"messageId": 0}]
    stage, went = run_queues(
        tmp_path, Service(answers(200, parts)), jobs_to("a", "b", "c", "d", queue="q"), batch_size=3
    )
    assert went.states == {"a": "published", "b": "rejected", "c": "in_doubt", "d": "planned"}
    assert stage.states == {"a": "published", "b": "rejected", "c": "in_doubt"}


def test_a_message_held_in_doubt_stops_what_stands_behind_it_and_nothing_before(tmp_path: Path) -> None:
    service = Service(*[resets] * 5)
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        stage.run(jobs_to("b", queue="q"))
        stage.clock.advance(3600)
        went = stage.run(jobs_to("a", "b", "c", queue="q") | jobs_to("n"), batch_size=10)
    assert went.states == {"a": "published", "b": "in_doubt", "c": "planned", "n": "published"}
    assert service.order == ["a", "n"]


def test_a_message_in_doubt_is_told_as_such_when_its_queue_stops_before_it(tmp_path: Path) -> None:
    service = Service(*[resets] * 5, answers(400))
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        stage.run(jobs_to("b", queue="q"))
        went = stage.run(jobs_to("a", "b", queue="q"))
    assert went.states == {"a": "rejected", "b": "in_doubt"}
    assert "it may have been accepted, and the queue q waits for" in (went.reasons["b"] or "")
    assert stage.states == went.states
