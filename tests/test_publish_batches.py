"""Batches: which message each part of an answer is about, and what becomes of all of them when there is none."""

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
    dedup_ids,
    http,
    jobs_to,
    names,
    resets,
    serve,
)


def run_batch(folder: Path, service: Service, jobs: dict[str, Any], **options: Any) -> tuple[Stage, Went]:
    with serve(service) as server:
        stage = Stage(folder, server.url)
        went = stage.run(jobs, **{"batch_size": 100, **options})
    return stage, went


def test_messages_that_share_a_request_each_get_their_own_id(tmp_path: Path) -> None:
    service = Service()
    stage, went = run_batch(tmp_path, service, jobs_to(*names(25)), batch_size=10)
    assert [len(call.messages) for call in service.calls] == [10, 10, 5]
    assert set(went.states.values()) == {"published"}
    records = stage.records()
    assert {name: records[name].message_ids for name in names(25)} == {
        name: (f"msg_{number}",) for number, name in enumerate(names(25), 1)
    }
    assert len(set(dedup_ids(service.calls))) == 25


def test_one_message_travels_alone(tmp_path: Path) -> None:
    service = Service()
    run_batch(tmp_path, service, jobs_to("a"))
    assert [call.is_batch for call in service.calls] == [False]


def test_a_message_that_must_travel_in_a_batch_does_so_alone_too(tmp_path: Path) -> None:
    service = Service()
    stage, _ = run_batch(tmp_path, service, {"m": {"url": URL + "m?upstash-delay=5s", "dedup": "none"}})
    assert [call.is_batch for call in service.calls] == [True]
    assert set(stage.states.values()) == {"published"}


def test_who_may_not_be_repeated_or_is_not_text_goes_alone(tmp_path: Path) -> None:
    jobs = jobs_to("a", "b") | jobs_to("c", dedup="none") | jobs_to("d", "e")
    jobs["f"] = {"url": URL + "f", "body_base64": "/w=="}
    service = Service()
    run_batch(tmp_path, service, jobs)
    assert [call.names for call in service.calls] == [["a", "b"], ["c"], ["d", "e"], ["f"]]


def test_a_batch_stays_under_half_a_mebibyte(tmp_path: Path) -> None:
    jobs = {name: {"url": URL + name, "body": "x" * 200_000} for name in names(6)}
    service = Service()
    run_batch(tmp_path, service, jobs)
    assert [len(call.messages) for call in service.calls] == [2, 2, 2]
    assert max(len(call.raw) for call in service.calls) < 512 * 1024 + 1000


def test_each_item_ends_as_its_own_part_of_the_answer_says(tmp_path: Path) -> None:
    parts = [
        {"messageId": "msg_a"},
        {"error": "no such host"},
        {"messageId": "msg_c", "deduplicated": True},
        [{"messageId": "msg_d1"}, {"error": "unreachable", "url": "https://d2"}],
        [],
    ]
    jobs = jobs_to("a", "b", "c")
    jobs |= {"d": {"url_group": "d", "body": "x"}, "e": {"url_group": "e", "body": "x"}}
    stage, went = run_batch(tmp_path, Service(answers(200, parts)), jobs)
    states = {"a": "published", "b": "rejected", "c": "deduplicated", "d": "partial", "e": "rejected"}
    assert went.states == stage.states == states
    records = stage.records()
    assert records["a"].message_ids == ("msg_a",)
    assert records["b"].error == "no such host"
    assert records["d"].message_ids == ("msg_d1",)
    assert records["e"].error == "the group has no endpoints"


def test_only_the_items_that_cannot_be_understood_are_sent_again(tmp_path: Path) -> None:
    parts = [{"messageId": "msg_a"}, {"messageId": 7}, {"messageId": "msg_c"}, "?"]
    service = Service(answers(200, parts))
    stage, went = run_batch(tmp_path, service, jobs_to("a", "b", "c", "d"))
    assert [call.names for call in service.calls] == [["a", "b", "c", "d"], ["b", "d"]]
    assert set(stage.states.values()) == set(went.states.values()) == {"published"}


MAYBE: dict[str, Fault] = {
    "too few parts": answers(200, [{"messageId": "msg_x"}] * 3),
    "too many parts": answers(200, [{"messageId": "msg_x"}] * 5),
    "no parts": answers(200, []),
    "one object": answers(200, {"messageId": "msg_x"}),
    "500": answers(500),
    "503": answers(503),
    "reset": resets,
    "cut": lambda service, call, peer: (peer.write(http(200, [{"messageId": "x"}])[:45]), peer.reset())[1],
    "not JSON": answers(200, b"["),
}


@pytest.mark.parametrize("fault", MAYBE.values(), ids=MAYBE.keys())
@pytest.mark.parametrize("arrived", [True, False], ids=["arrived", "did not arrive"])
def test_a_batch_in_doubt_is_sent_again_as_a_whole_which_settles_every_item(
    tmp_path: Path, fault: Fault, arrived: bool
) -> None:
    service = Service(accepts_then(fault) if arrived else fault)
    stage, went = run_batch(tmp_path, service, jobs_to("a", "b", "c", "d"))
    first, second = service.calls
    assert first.raw == second.raw
    assert went.states == stage.states == dict.fromkeys("abcd", "published")
    assert service.accepted.total() == 4
    assert set(went.reasons.values()) == {"an earlier attempt had arrived" if arrived else None}
    assert not any(one.foreign for one in went.told)


def test_a_batch_that_stays_in_doubt_leaves_every_item_in_doubt(tmp_path: Path) -> None:
    service = Service(*[answers(502)] * 9)
    stage, went = run_batch(tmp_path, service, jobs_to("a", "b"))
    assert len(service.calls) == 5
    assert went.states == stage.states == {"a": "in_doubt", "b": "in_doubt"}


@pytest.mark.parametrize("status", [400, 413])
@pytest.mark.parametrize("bad", [[0], [7], [3, 4], [0, 1, 2, 3, 4, 5, 6, 7], [1, 5, 6]], ids=str)
def test_a_refusal_of_the_whole_batch_is_narrowed_down_to_the_messages_at_fault(
    tmp_path: Path, status: int, bad: list[int]
) -> None:
    everything = names(8)
    wrong = {everything[index] for index in bad}
    service = Service()

    def refuse(service: Service, call: Call, peer: Peer) -> None:
        service.faults.append(refuse)
        peer.write(http(status, {"error": "bad"}) if wrong & set(call.names) else service.act(call))

    service.faults.append(refuse)
    stage, went = run_batch(tmp_path, service, jobs_to(*everything))
    expected = {name: "rejected" if name in wrong else "published" for name in everything}
    assert went.states == stage.states == expected
    assert set(service.accepted.values()) <= {1}
    assert sorted(service.order) == [name for name in everything if name not in wrong]
    assert all(one.error == "bad" for one in went.told if one.state == "rejected")
    assert len(service.calls) <= 15


def test_finding_the_message_at_fault_takes_few_requests(tmp_path: Path) -> None:
    service = Service(refuses=["m037"])
    _, went = run_batch(tmp_path, service, jobs_to(*names(100)))
    assert len(service.calls) <= 15
    assert sorted(went.states.values()).count("published") == 99


def test_no_message_runs_out_of_tries_while_the_one_at_fault_is_looked_for(tmp_path: Path) -> None:
    service = Service(refuses=["m000"])
    stage, _ = run_batch(tmp_path, service, jobs_to(*names(200)), batch_size=200)
    assert stage.records()["m000"].attempt > 5
    assert [state for state in stage.states.values() if state != "published"] == ["rejected"]


def test_a_batch_in_doubt_that_is_then_refused_as_a_whole_is_published_but_for_the_one_at_fault(
    tmp_path: Path,
) -> None:
    service = Service(resets, refuses=["c"])
    stage, went = run_batch(tmp_path, service, jobs_to("a", "b", "c", "d"))
    expected = {"a": "published", "b": "published", "c": "in_doubt", "d": "published"}
    assert went.states == stage.states == expected


def test_a_daily_limit_on_a_batch_leaves_all_of_it_planned(tmp_path: Path) -> None:
    service = Service(answers(429, b"", RateLimit_Limit="5", RateLimit_Remaining="0"))
    stage, went = run_batch(tmp_path, service, jobs_to(*names(30)), batch_size=10)
    assert went.exit_code == 5
    assert len(service.calls) == 1
    assert list(stage.states.values()) == ["planned"] * 10
    assert list(went.states.values()) == ["planned"] * 10


def test_a_batch_that_is_throttled_goes_again_as_it_was(tmp_path: Path) -> None:
    service = Service(answers(429))
    stage, _ = run_batch(tmp_path, service, jobs_to(*names(10)))
    assert service.calls[0].raw == service.calls[1].raw
    assert set(stage.states.values()) == {"published"}
