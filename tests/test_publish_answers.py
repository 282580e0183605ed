"""Every row of the answer table: what QStash, or the network, does to a message, and what becomes of it."""

from pathlib import Path
from typing import Any

import pytest
from chaos_server import ChaosServer, closed_port, make_certificate, serve_tls
from publishing import (
    URL,
    Fault,
    Service,
    Stage,
    accepts_then,
    answers,
    cut,
    dedup_ids,
    http,
    jobs_to,
    resets,
    serve,
    well,
)


def run_one(
    folder: Path, *faults: Fault, job: dict[str, Any] | None = None, deadline_s: float = 10
) -> tuple[Stage, Service, Any]:
    service = Service(*faults)
    with serve(service) as server:
        stage = Stage(folder, server.url, deadline_s=deadline_s)
        went = stage.run({"m": {"url": URL + "m", "body": "x", **(job or {})}})
    return stage, service, went


def test_a_message_with_an_id_in_its_answer_is_published(tmp_path: Path) -> None:
    stage, service, went = run_one(tmp_path)
    assert went.states == stage.states == {"m": "published"}
    assert went.ending is None
    assert len(service.calls) == 1
    record = stage.records()["m"]
    assert (record.message_ids, record.attempt, record.status) == (("msg_1",), 1, 201)
    assert (went.told[0].attempts, went.told[0].endpoints) == (1, record.endpoints)


MAYBE: dict[str, Fault] = {
    "500": answers(500, {"error": "oops"}),
    "502 with a page": answers(502, b"<html><title>Bad gateway</title></html>"),
    "503": answers(503),
    "599": answers(599),
    "408": answers(408),
    "409": answers(409),
    "425": answers(425),
    "reset after the request": resets,
    "closed after the request": lambda service, call, peer: peer.close(),
    "cut in the head": cut(10),
    "cut behind the head": cut(38),
    "cut in the body": cut(-3),
    "not HTTP": lambda service, call, peer: peer.write(b"hello\r\n\r\n"),
    "100 in its place": lambda service, call, peer: peer.write(b"HTTP/1.1 103 Early\r\n\r\n"),
    "200 with nothing": answers(200),
    "200 that is not JSON": answers(200, b"ok"),
    "200 that is a list": answers(200, [{"messageId": "msg_9"}]),
    "200 without an id": answers(200, {"id": "msg_9"}),
    "200 with an empty id": answers(200, {"messageId": ""}),
    "200 with a number for an id": answers(200, {"messageId": 9}),
    "204": answers(204),
}


@pytest.mark.parametrize("fault", MAYBE.values(), ids=MAYBE.keys())
def test_what_may_have_been_sent_is_sent_again_with_the_same_bytes_and_id(
    tmp_path: Path, fault: Fault
) -> None:
    stage, service, went = run_one(tmp_path, fault)
    assert went.states == stage.states == {"m": "published"}
    assert went.ending is None
    first, second = service.calls
    assert first.raw == second.raw
    assert len(set(dedup_ids(service.calls))) == 1
    assert stage.records()["m"].attempt == went.told[0].attempts == 2


@pytest.mark.parametrize("fault", [answers(503), resets, cut(38), answers(200, b"ok")])
def test_what_arrived_unseen_is_published_when_the_second_try_is_known_already(
    tmp_path: Path, fault: Fault
) -> None:
    stage, service, went = run_one(tmp_path, accepts_then(fault))
    assert went.states == stage.states == {"m": "published"}
    assert went.reasons == {"m": "an earlier attempt had arrived"}
    assert went.told[0].foreign is False
    assert service.accepted.total() == 1
    assert stage.records()["m"].message_ids == ("msg_1",)


def test_an_answer_that_never_comes_leaves_doubt_that_another_try_settles(tmp_path: Path) -> None:
    _, service, went = run_one(tmp_path, accepts_then(lambda service, call, peer: peer.wait(5)), deadline_s=1)
    assert went.states == {"m": "published"}
    assert service.accepted.total() == 1


@pytest.mark.parametrize("fault", [answers(503), resets], ids=["503", "reset"])
def test_a_message_is_offered_five_times_and_then_in_doubt(tmp_path: Path, fault: Fault) -> None:
    stage, service, went = run_one(tmp_path, *[fault] * 9)
    assert len(service.calls) == 5
    assert len({call.raw for call in service.calls}) == 1
    assert went.states == stage.states == {"m": "in_doubt"}
    assert went.told[0].attempts == stage.records()["m"].attempt == 5
    assert (went.reasons["m"] or "").startswith("it may have been accepted: ")


REFUSALS = [400, 404, 405, 410, 412, 413, 422, 451]


@pytest.mark.parametrize("status", REFUSALS)
def test_a_refusal_is_final_and_keeps_the_services_words(tmp_path: Path, status: int) -> None:
    stage, service, went = run_one(tmp_path, answers(status, {"error": "no such thing"}))
    assert went.states == stage.states == {"m": "rejected"}
    assert went.ending is None
    assert len(service.calls) == 1
    record = stage.records()["m"]
    assert (record.status, record.error, record.message_ids) == (status, "no such thing", ())


@pytest.mark.parametrize(
    ("fault", "exit_code"),
    [
        (answers(401, {"error": "unauthorized"}), 4),
        (answers(403), 4),
        (answers(404, {"error": "user not found in this region (eu-central-1)"}), 4),
        (answers(301, Location="https://elsewhere.example/"), 2),
        (answers(307, Location="https://elsewhere.example/"), 2),
        (answers(304), 2),
    ],
    ids=["401", "403", "region", "301", "307", "304"],
)
def test_what_is_wrong_for_every_message_stops_the_run_with_all_of_them_planned(
    tmp_path: Path, fault: Fault, exit_code: int
) -> None:
    service = Service(fault)
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        went = stage.run(jobs_to("a", "b", "c"))
    assert went.exit_code == exit_code
    assert len(service.calls) == 1
    assert went.states == {"a": "planned"}
    assert stage.states == {"a": "planned"}


def test_a_certificate_that_is_not_trusted_stops_the_run_before_anything_is_claimed(tmp_path: Path) -> None:
    service = Service()
    with ChaosServer(service, tls=serve_tls(make_certificate(tmp_path))) as server:
        stage = Stage(tmp_path, server.url)
        went = stage.run(jobs_to("a", "b"))
    assert went.exit_code == 2
    assert "certificate" in went.ending.reason if went.ending else False
    assert service.calls == []
    assert stage.states == went.states == {}


def test_a_daily_limit_stops_the_run_and_says_when_it_resets(tmp_path: Path) -> None:
    limit = {"RateLimit-Limit": "1000", "RateLimit-Remaining": "0", "RateLimit-Reset": "1893456000"}
    service = Service(
        well,
        lambda service, call, peer: peer.write(http(429, {"error": "Exceeded daily rate limit"}, limit)),
    )
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        went = stage.run(jobs_to("a", "b", "c"))
    assert went.exit_code == 5
    assert went.ending is not None
    assert went.ending.reason == "the account's daily limit is reached; it resets 2030-01-01 00:00 UTC"
    assert went.states == stage.states == {"a": "published", "b": "planned"}
    assert len(service.calls) == 2


def test_too_many_requests_are_waited_for_as_long_as_the_answer_asks(tmp_path: Path) -> None:
    moments: list[float] = []
    service = Service(answers(429, {"error": "slow down"}, Retry_After="1"))
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        service.on_call = lambda call: moments.append(stage.clock.monotonic_s())
        went = stage.run(jobs_to("a", "b"))
    assert went.states == stage.states == {"a": "published", "b": "published"}
    assert moments[1] - moments[0] >= 0.95


@pytest.mark.parametrize("retry_after", ["soon", "-7", "", "nan", "9" * 400])
def test_a_wait_that_makes_no_sense_keeps_nobody_waiting(tmp_path: Path, retry_after: str) -> None:
    service = Service(answers(429, b"x", Retry_After=retry_after))
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        service.on_call = lambda call: stage.clock.advance(60)
        assert stage.run(jobs_to("a")).states == {"a": "published"}


def test_a_message_that_is_throttled_five_times_stays_planned(tmp_path: Path) -> None:
    stage, service, went = run_one(tmp_path, *[answers(429)] * 9)
    assert len(service.calls) == 5
    assert went.states == stage.states == {"m": "planned"}
    assert went.reasons == {"m": "not sent: too many requests"}


def test_nobody_listening_is_surely_not_sent(tmp_path: Path) -> None:
    with closed_port() as port:
        stage = Stage(tmp_path, f"http://127.0.0.1:{port}")
        went = stage.run(jobs_to("a", "b"))
    assert went.exit_code == 5
    assert went.ending is not None
    assert went.ending.reason.startswith("gave up after 5 failures in a row: ")
    assert went.states == stage.states == {}


# url groups


@pytest.mark.parametrize(
    ("answer", "state", "ids"),
    [
        ([{"messageId": "msg_1", "url": "https://a"}, {"messageId": "msg_2"}], "published", 2),
        ({"messages": [{"messageId": "msg_1"}]}, "published", 1),
        ({"messageId": "msg_1"}, "published", 1),
        ([{"messageId": "msg_1"}, {"url": "https://b", "error": "no host"}], "partial", 1),
        ([], "rejected", 0),
        ([{"error": "no"}, {"error": "neither"}], "rejected", 0),
    ],
)
def test_a_url_groups_answer_counts_each_endpoint(
    tmp_path: Path, answer: object, state: str, ids: int
) -> None:
    service = Service(answers(200, answer))
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        went = stage.run({"m": {"url_group": "team", "body": "x"}})
    (record,) = stage.records().values()
    assert [one.state for one in went.told] == [record.state] == [state]
    assert len(record.message_ids) == ids
    assert len(service.calls) == 1


# deduplication


def deduplicated(service: Service, call: Any, peer: Any) -> None:
    peer.write(http(202, {"messageId": "msg_old", "deduplicated": True}))


@pytest.mark.parametrize("dedup", [{"key": "k"}, {"id": "k"}, "content"], ids=["key", "id", "content"])
def test_an_id_that_messages_share_is_deduplicated_as_was_asked_for(tmp_path: Path, dedup: object) -> None:
    stage, _, went = run_one(tmp_path, deduplicated, job={"dedup": dedup})
    assert went.states == stage.states == {"m": "deduplicated"}
    assert not went.told[0].foreign


@pytest.mark.parametrize("dedup", [{"key": "k"}, {"id": "k"}, "content"], ids=["key", "id", "content"])
def test_a_shared_id_does_not_prove_that_the_attempt_in_doubt_arrived(tmp_path: Path, dedup: object) -> None:
    stage, _, went = run_one(tmp_path, resets, deduplicated, job={"dedup": dedup})
    assert went.states == stage.states == {"m": "deduplicated"}


def test_a_message_that_nobody_would_recognise_is_never_sent_twice(tmp_path: Path) -> None:
    stage, service, went = run_one(tmp_path, resets, job={"dedup": "none"})
    assert len(service.calls) == 1
    assert went.states == stage.states == {"m": "in_doubt"}


def test_not_even_by_the_next_run(tmp_path: Path) -> None:
    service = Service(resets)
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        jobs = jobs_to("m", dedup="none")
        stage.run(jobs)
        went = stage.run(jobs)
    assert len(service.calls) == 1
    assert went.states == {"m": "in_doubt"}
    assert "lets nobody recognise a second try, and QStash's log does not list it" in (
        went.reasons["m"] or ""
    )


@pytest.mark.parametrize("fault", [answers(429), answers(400)], ids=["429", "400"])
def test_without_an_id_what_was_surely_not_accepted_may_go_again(tmp_path: Path, fault: Fault) -> None:
    service = Service(fault)
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        jobs = jobs_to("m", dedup="none")
        stage.run(jobs)
        stage.run(jobs)
    assert stage.states == {"m": "published"}
    assert service.accepted.total() == 1


# doubt is sticky


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (answers(400, {"error": "bad"}), "it may have been accepted: bad"),
        (answers(401), "it may have been accepted: the token is not accepted (401)"),
        (answers(307), "it may have been accepted: the server answers with a redirect"),
    ],
    ids=["400", "401", "307"],
)
def test_a_refusal_says_nothing_about_the_attempt_before_it(tmp_path: Path, fault: Fault, told: str) -> None:
    stage, service, went = run_one(tmp_path, resets, fault)
    assert len(service.calls) == 2
    assert went.states == stage.states == {"m": "in_doubt"}
    assert (went.reasons["m"] or "").startswith(told)


def test_doubt_is_sticky_over_runs_and_an_acceptance_clears_it(tmp_path: Path) -> None:
    service = Service(resets, answers(400), answers(400))
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        first = stage.run(jobs_to("m"))
        second = stage.run(jobs_to("m"))
        third = stage.run(jobs_to("m"))
    assert [went.states["m"] for went in (first, second, third)] == ["in_doubt", "in_doubt", "published"]
    assert [one.attempts for went in (first, second, third) for one in went.told] == [2, 3, 4]
    assert len(set(dedup_ids(service.calls))) == 1


def test_a_message_that_becomes_too_old_while_it_waits_is_not_sent_again(tmp_path: Path) -> None:
    service = Service(resets)
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        service.on_call = lambda call: stage.clock.advance(511)
        went = stage.run(jobs_to("m"))
    assert len(service.calls) == 1
    assert went.states == stage.states == {"m": "in_doubt"}
    assert (went.reasons["m"] or "").endswith("it is too late to send it again: QStash forgets its id")
