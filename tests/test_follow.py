"""Following messages by QStash's log: what is said of each, in how many questions, and how long it may take."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from chaos_server import ChaosServer, Peer, closed_port
from publishing import MovableClock, http

from qstash_jobs.errors import AuthenticationError, ServiceError
from qstash_jobs.follow import Progress, Target, follow
from qstash_jobs.transport import open_line
from qstash_jobs.wire.server import read_server

Answer = bytes | Callable[[Peer], None]


class Log:
    """Answers questions about messages: the answers given in their order, and then out of its events."""

    def __init__(self, *answers: Answer, events: list[dict[str, Any]] | None = None, page: int = 100) -> None:
        self.answers = list(answers)
        self.events = events or []
        self.page = page
        self.questions: list[list[str]] = []

    def __call__(self, peer: Peer) -> None:
        while raw := peer.read_request():
            query = parse_qs(urlsplit(raw.split(b" ")[1].decode()).query)
            self.questions.append(query["messageIds"])
            answer = self.answers.pop(0) if self.answers else self.look_up(query)
            if isinstance(answer, bytes):
                peer.write(answer)
            else:
                answer(peer)

    def look_up(self, query: dict[str, list[str]]) -> bytes:
        found = [one for one in self.events if one["messageId"] in query["messageIds"]]
        start = int(query.get("cursor", ["0"])[0])
        end = start + self.page
        return events(*found[start:end], cursor=str(end) if end < len(found) else None)


def events(*found: dict[str, Any], cursor: str | None = None) -> bytes:
    return http(200, {"events": found, "cursor": cursor})


def event(message_id: str, state: str, ms: int = 0, **more: Any) -> dict[str, Any]:
    return {"messageId": message_id, "state": state, "time": 1767312000000 + ms, **more}


def at(ms: int) -> datetime:
    return datetime.fromtimestamp((1767312000000 + ms) / 1000, UTC)


def target(message_id: str, name: str | None = None) -> Target:
    return Target(message_id=message_id, name=name or message_id, id="qj-1", url=None)


def look(
    log: Log, *ids: str, wait_s: float = 0, targets: list[Target] | None = None
) -> tuple[list[Progress], float]:
    """Follow messages on a clock that moves only while it is waited; say how long that was."""
    clock = MovableClock()
    with ChaosServer(log) as server:
        line = open_line(read_server(server.url), "token", environment={}, deadline_s=1)
        try:
            wanted = targets if targets is not None else [target(one) for one in ids]
            progress = list(follow(wanted, line=line, clock=clock, wait_s=wait_s))
        finally:
            line.close()
    return progress, clock.ahead_s


def states(progress: list[Progress]) -> list[tuple[str, str | None]]:
    return [(one.target.name, one.latest.state if one.latest else None) for one in progress]


def test_without_a_wait_each_message_is_asked_about_once() -> None:
    log = Log(events=[event("a", "DELIVERED"), event("b", "RETRY")])
    progress, waited_s = look(log, "a", "b", "c")
    assert states(progress) == [("a", "DELIVERED"), ("b", "RETRY"), ("c", None)]
    assert [one.is_over for one in progress] == [True, False, False]
    assert (len(log.questions), waited_s) == (1, 0)


def test_nothing_to_follow_asks_nothing() -> None:
    log = Log()
    assert look(log)[0] == []
    assert log.questions == []


def test_everything_that_the_log_says_of_a_message_is_put_together() -> None:
    log = Log(
        events=[
            event("a", "FAILED", 900, responseStatus=500),
            event("a", "ERROR", 900),
            event("a", "ACTIVE", 800),
            event("a", "RETRY", 400),
            event("a", "ACTIVE", 300),
            event("a", "CREATED", 100),
        ]
    )
    ((progress,), _) = look(log, "a")
    assert progress.latest is not None
    assert (progress.latest.state, progress.latest.response_status) == ("FAILED", 500)
    assert (progress.created_at, progress.attempts) == (at(100), 2)


@pytest.mark.parametrize("order", [1, -1])
def test_an_end_outranks_what_came_in_the_same_millisecond(order: int) -> None:
    found = [event("a", "ACTIVE", 5), event("a", "DELIVERED", 5), event("a", "CREATED", 5)]
    ((progress,), _) = look(Log(events=found[::order]), "a")
    assert progress.is_over


def test_a_message_that_was_delivered_after_it_had_failed_is_delivered() -> None:
    found = [event("a", "FAILED", 5), event("a", "DELIVERED", 9), event("a", "RETRY", 7)]
    ((progress,), _) = look(Log(events=found), "a")
    assert states([progress]) == [("a", "DELIVERED")]


def test_what_ends_is_told_at_once_and_no_longer_asked_about() -> None:
    log = Log(
        events(event("b", "DELIVERED", 5), event("a", "ACTIVE")),
        events(event("a", "ACTIVE")),
        events(event("a", "DELIVERED", 9), event("a", "ACTIVE")),
    )
    progress, waited_s = look(log, "a", "b", wait_s=60)
    assert states(progress) == [("b", "DELIVERED"), ("a", "DELIVERED")]
    assert log.questions == [["a", "b"], ["a"], ["a"]]
    assert waited_s == pytest.approx(0.25)


def test_when_the_time_is_over_the_rest_is_told_as_it_stands() -> None:
    log = Log(events=[event("a", "DELIVERED"), event("b", "CREATED")])
    progress, waited_s = look(log, "a", "b", "c", wait_s=30)
    assert states(progress) == [("a", "DELIVERED"), ("b", "CREATED"), ("c", None)]
    assert waited_s == pytest.approx(30, abs=0.1)
    assert len(log.questions) < 20


def test_two_messages_that_qstash_took_for_one_are_both_told_of() -> None:
    log = Log(events=[event("msg", "DELIVERED")])
    progress, _ = look(log, targets=[target("msg", "first"), target("msg", "second")])
    assert states(progress) == [("first", "DELIVERED"), ("second", "DELIVERED")]
    progress, _ = look(Log(), targets=[target("msg", "first"), target("msg", "second")])
    assert states(progress) == [("first", None), ("second", None)]


def test_many_messages_are_asked_about_forty_at_a_time() -> None:
    ids = [f"msg_{number}" for number in range(95)]
    log = Log(events=[event(one, "DELIVERED") for one in ids])
    progress, _ = look(log, *ids)
    assert [len(question) for question in log.questions] == [40, 40, 15]
    assert states(progress) == [(one, "DELIVERED") for one in ids]


def test_every_page_of_an_answer_is_read() -> None:
    found = [event("a", "ACTIVE", ms) for ms in range(24, 0, -1)]
    log = Log(events=[*found, event("b", "DELIVERED")], page=10)
    progress, _ = look(log, "a", "b")
    assert len(log.questions) == 3
    assert [(one.target.name, one.attempts) for one in progress] == [("b", 0), ("a", 24)]


def test_pages_that_never_end_are_not_read_for_ever() -> None:
    def same(peer: Peer) -> None:
        peer.write(events(event("a", "ACTIVE"), cursor="again"))

    log = Log(*[same] * 300)
    assert states(look(log, "a")[0]) == [("a", "ACTIVE")]
    assert len(log.questions) == 2
    numbers = iter(range(1000))
    log = Log(*[lambda peer: peer.write(events(cursor=str(next(numbers))))] * 300)
    assert states(look(log, "a")[0]) == [("a", None)]
    assert len(log.questions) == 100


def test_events_of_other_messages_are_nothing_to_us() -> None:
    log = Log(events(event("x", "DELIVERED"), {"state": "DELIVERED"}, event("a", "CREATED")))
    assert states(look(log, "a")[0]) == [("a", "CREATED")]


def test_a_state_that_is_new_to_us_is_no_end() -> None:
    progress, _ = look(Log(events=[event("a", "PONDERING")]), "a")
    assert states(progress) == [("a", "PONDERING")]
    assert not progress[0].is_over


FAULTS: dict[str, Answer] = {
    "500": http(500, b""),
    "503 with a page": http(503, b"<html>"),
    "reset": lambda peer: peer.reset(),
    "not a log": http(200, {"messages": []}),
    "not JSON": http(200, b"{"),
    "429": http(429, b""),
    "429 with a wait": http(429, b"", {"Retry-After": "2"}),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_question_that_comes_to_nothing_is_asked_again(fault: Answer) -> None:
    log = Log(fault, fault, fault, fault, events=[event("a", "DELIVERED")])
    progress, waited_s = look(log, "a")
    assert states(progress) == [("a", "DELIVERED")]
    assert 1 < waited_s <= 8


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_five_questions_that_come_to_nothing_end_it_with_a_reason(fault: Answer) -> None:
    log = Log(*[fault] * 9)
    with pytest.raises(ServiceError, match="QStash's log cannot be read: ") as raised:
        look(log, "a", wait_s=600)
    assert raised.value.exit_code == 5
    assert len(log.questions) == 5


def test_nobody_listening_ends_it_with_a_reason() -> None:
    clock = MovableClock()
    with closed_port() as port:
        line = open_line(read_server(f"http://127.0.0.1:{port}"), "token", environment={})
        with pytest.raises(ServiceError, match="cannot be read"):
            list(follow([target("a")], line=line, clock=clock, wait_s=0))
    assert clock.ahead_s < 4


def test_a_wait_that_is_longer_than_the_time_there_is_is_not_waited_for() -> None:
    log = Log(
        *[http(429, {"error": "slow down"}, {"Retry-After": "50"})] * 9, events=[event("a", "DELIVERED")]
    )
    with pytest.raises(ServiceError, match="slow down"):
        look(log, "a", wait_s=20)
    assert len(log.questions) == 1
    progress, waited_s = look(
        Log(http(429, b"", {"Retry-After": "50"}), events=[event("a", "DELIVERED")]), "a", wait_s=600
    )
    assert states(progress) == [("a", "DELIVERED")]
    assert waited_s == pytest.approx(50)


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, AuthenticationError), (403, AuthenticationError), (307, ServiceError), (400, ServiceError)],
)
def test_what_asking_again_cannot_mend_ends_it_at_once(status: int, error: type[Exception]) -> None:
    log = Log(*[http(status, {"error": "no"})] * 9)
    with pytest.raises(error):
        look(log, "a", wait_s=600)
    assert len(log.questions) == 1


def test_a_look_at_very_many_messages_does_not_go_on_long_after_the_time_is_over() -> None:
    ids = [f"msg_{number}" for number in range(400)]
    log = Log()
    clock = MovableClock()

    def slow(peer: Peer) -> None:
        clock.advance(2)
        peer.write(http(200, json.dumps({"events": []}).encode()))

    log.answers = [slow] * 500
    with ChaosServer(log) as server:
        line = open_line(read_server(server.url), "token", environment={}, deadline_s=1)
        began_s = clock.monotonic_s()
        progress = list(follow(map(target, ids), line=line, clock=clock, wait_s=30))
        line.close()
    assert len(progress) == 400
    # one look takes 20 s
    assert 30 <= clock.monotonic_s() - began_s <= 40
