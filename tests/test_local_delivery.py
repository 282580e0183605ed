"""The local server's deliveries: when they happen, what they say, what happens after a failure. Time is virtual."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.client import HTTPConnection
from itertools import pairwise

import pytest
from qstash import Receiver

from qstash_jobs.local import Delivery, LocalServer, SinkAnswer, start_server

URL = "https://example.com/hook"
Publish = Callable[..., str]


@contextmanager
def serving(answer: Callable[[Delivery], SinkAnswer] | None = None) -> Iterator[tuple[LocalServer, Publish]]:
    with start_server(answer=answer) as server:
        connection = HTTPConnection(server.url.removeprefix("http://"))

        def publish(
            destination: str = URL, *, path: str = "publish", body: bytes = b"x", **settings: str
        ) -> str:
            headers = {f"Upstash-{name.replace('_', '-')}": value for name, value in settings.items()}
            connection.request(
                "POST",
                f"/v2/{path}/{destination}",
                body,
                {"Authorization": f"Bearer {server.token}"} | headers,
            )
            reply = connection.getresponse()
            answered = json.loads(reply.read())
            assert reply.status == 200, answered
            return str(answered["messageId"])

        yield server, publish
        connection.close()
        receiver = Receiver(server.current_signing_key, server.next_signing_key)
        for delivery in server.deliveries():
            receiver.verify(
                signature=dict(delivery.headers)["Upstash-Signature"],
                body=delivery.body.decode(),
                url=delivery.url,
            )


def refuse(**given: object) -> Callable[[Delivery], SinkAnswer]:
    return lambda delivery: SinkAnswer(**({"status": 500} | given))  # type: ignore[arg-type]


def waits_s(server: LocalServer) -> list[float]:
    assert server.wait_idle(5)
    times = [delivery.at for delivery in server.deliveries()]
    return [(b - a).total_seconds() for a, b in pairwise(times)]


def test_messages_that_are_published_together_are_delivered_in_the_order_of_their_delays() -> None:
    with serving() as (server, publish):
        week = publish(URL + "/week", Delay="7d")
        seconds = publish(URL + "/seconds", Delay="3s")
        now = publish(URL + "/now")
        compound = publish(URL + "/compound", Delay="1d10h30m")
        assert server.wait_idle(5)
        found = server.deliveries()
        assert [d.message_id for d in found] == [now, seconds, compound, week]
        assert found[3].at - found[0].at == pytest.approx(timedelta(days=7), abs=timedelta(seconds=5))


def test_time_can_be_held_while_a_slow_program_publishes() -> None:
    with serving() as (server, publish):
        with server.hold():
            later = publish(Delay="1h")
            assert not server.wait_idle(0.2)
            first = publish(Delay="1m")
        assert server.wait_idle(5)
        assert [d.message_id for d in server.deliveries()] == [first, later]


def test_an_absolute_time_wins_over_a_delay_and_the_past_is_now() -> None:
    with serving() as (server, publish):
        publish(Not_Before="1", Delay="7d")
        assert server.wait_idle(5)
        start = server.deliveries()[0].at
        target = int(start.timestamp()) + 1000
        publish(Not_Before=str(target), Delay="7d")
        assert server.wait_idle(5)
        assert server.deliveries()[1].at.timestamp() == target


def test_the_default_back_off_is_the_documented_one() -> None:
    with serving(refuse()) as (server, publish):
        publish(Retries="6")
        assert waits_s(server) == pytest.approx(
            [12.182, 148.413, 1808.042, 22026.466, 86400, 86400], abs=0.001
        )
        assert [d.attempt for d in server.deliveries()] == list(range(7))
        assert [dict(d.headers)["Upstash-Retried"] for d in server.deliveries()] == list("0123456")


def test_without_a_number_of_retries_there_are_three() -> None:
    with serving(refuse()) as (server, publish):
        publish()
        assert len(waits_s(server)) == 3


def test_no_retries_means_one_attempt() -> None:
    with serving(refuse()) as (server, publish):
        publish(Retries="0")
        assert waits_s(server) == []


def test_a_retry_delay_expression_says_when_the_next_attempt_is() -> None:
    with serving(refuse()) as (server, publish):
        publish(Retries="4", Retry_Delay="pow(2, retried) * 1000")
        assert waits_s(server) == [1, 2, 4, 8]


@pytest.mark.parametrize(
    ("header", "value", "wait_s"),
    [
        ("Retry-After", "7", 7),
        ("retry-after", "1.5", 1.5),
        ("X-RateLimit-Reset", "20", 20),
        ("X-RateLimit-Reset-Requests", "1m30s", 90),
        ("X-RateLimit-Reset-Tokens", "250ms", 0.25),
        ("Retry-After", "86401", 12.182),
        ("Retry-After", "soon", 12.182),
        ("Retry-After", "Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ],
)
def test_the_destination_may_ask_for_a_time(header: str, value: str, wait_s: float) -> None:
    with serving(refuse(status=429, headers=((header, value),))) as (server, publish):
        publish(Retries="1")
        assert waits_s(server) == [pytest.approx(wait_s, abs=0.001)]


def test_status_489_with_its_header_is_not_tried_again() -> None:
    marked = refuse(status=489, headers=(("Upstash-NonRetryable-Error", "true"),))
    with serving(marked) as (server, publish):
        publish()
        assert waits_s(server) == []
    with serving(refuse(status=489)) as (server, publish):
        publish(Retries="2")
        assert len(waits_s(server)) == 2


def test_a_destination_that_recovers_gets_the_message() -> None:
    def recover(delivery: Delivery) -> SinkAnswer:
        return SinkAnswer(status=503 if delivery.attempt < 2 else 204)

    with serving(recover) as (server, publish):
        publish()
        assert len(waits_s(server)) == 2
        assert [d.status for d in server.deliveries()] == [503, 503, 204]


def test_no_answer_and_a_redirect_are_failures_too() -> None:
    def fail(delivery: Delivery) -> SinkAnswer:
        return SinkAnswer(error="connection refused") if delivery.attempt else SinkAnswer(status=302)

    with serving(fail) as (server, publish):
        publish(Retries="1")
        assert server.wait_idle(5)
        assert [d.status for d in server.deliveries()] == [302, 0]


def test_an_attempt_that_takes_longer_than_its_timeout_fails() -> None:
    def slow(delivery: Delivery) -> SinkAnswer:
        return SinkAnswer(took_s=31 if delivery.attempt == 0 else 29)

    with serving(slow) as (server, publish):
        publish(Timeout="30s", Retry_Delay="1000")
        assert waits_s(server) == [31]
        assert [d.status for d in server.deliveries()] == [0, 200]


def test_a_callback_reports_every_attempt_and_a_failure_callback_the_end() -> None:
    def fail(delivery: Delivery) -> SinkAnswer:
        if delivery.kind == "message":
            return SinkAnswer(status=500, body=b"sorry", headers=(("X-Why", "because"),))
        return SinkAnswer()

    with serving(fail) as (server, publish):
        source = publish(
            body=b"original",
            Retries="1",
            Forward_X_Mine="1",
            Callback="https://example.com/callback?a=1",
            Callback_Method="PUT",
            Callback_Forward_X_Secret="s",
            Failure_Callback="https://example.com/failure",
        )
        assert server.wait_idle(5)
        found = server.deliveries()
        assert [(d.kind, d.url.rpartition("/")[2]) for d in found] == [
            ("message", "hook"),
            ("callback", "callback?a=1"),
            ("message", "hook"),
            ("callback", "callback?a=1"),
            ("failure_callback", "failure"),
        ]
        first, last, failure = (json.loads(found[n].body) for n in (1, 3, 4))
        assert (found[1].method, dict(found[1].headers)["X-Secret"]) == ("PUT", "s")
        assert dict(found[1].headers)["Content-Type"] == "application/json"
        assert [one["retried"] for one in (first, last, failure)] == [0, 1, 1]
        assert (last["status"], last["maxRetries"], last["sourceMessageId"]) == (500, 1, source)
        assert base64.b64decode(last["body"]) == b"sorry"
        assert base64.b64decode(last["sourceBody"]) == b"original"
        assert last["header"] == {"X-Why": ["because"]}
        assert last["sourceHeader"] == {"X-Mine": ["1"]}
        assert (last["url"], last["method"]) == (URL, "POST")
        assert "dlqId" not in last
        assert failure["dlqId"]
        assert len({d.message_id for d in found}) == 4


def test_a_callback_that_fails_is_tried_again_as_often_as_its_message() -> None:
    def fail(delivery: Delivery) -> SinkAnswer:
        return SinkAnswer(status=200 if delivery.kind == "message" else 500)

    with serving(fail) as (server, publish):
        publish(Retries="2", Callback=URL + "/callback")
        publish(Retries="2", Callback=URL + "/other", Callback_Retries="0")
        assert server.wait_idle(5)
        urls = [d.url.rpartition("/")[2] for d in server.deliveries() if d.kind == "callback"]
        assert (urls.count("callback"), urls.count("other")) == (3, 1)


def test_a_queue_delivers_in_order_and_waits_for_retries_and_callbacks() -> None:
    def fail_first(delivery: Delivery) -> SinkAnswer:
        return SinkAnswer(status=500 if delivery.body == b"0" and delivery.attempt == 0 else 200)

    with serving(fail_first) as (server, publish):
        server.make_queue("slow", paused=True)
        for n in range(3):
            publish(path="enqueue/slow", body=b"%d" % n, Callback=URL + "/callback")
        assert server.wait_idle(5)
        assert server.deliveries() == []
        server.make_queue("slow")
        assert server.wait_idle(5)
        seen = [d.body if d.kind == "message" else d.kind for d in server.deliveries()]
        assert seen == [b"0", "callback", b"0", "callback", b"1", "callback", b"2", "callback"]


def test_a_queue_has_as_many_under_way_as_its_parallelism_says() -> None:
    with serving(lambda _: SinkAnswer(took_s=10)) as (server, publish):
        server.make_queue("slow", 2, paused=True)
        for n in range(5):
            publish(path="enqueue/slow", body=b"%d" % n)
        server.make_queue("slow", 2)
        assert waits_s(server) == [0, 10, 0, 10]
        assert [d.body for d in server.deliveries()] == [b"0", b"1", b"2", b"3", b"4"]


def test_flow_control_limits_how_many_are_under_way() -> None:
    with serving(lambda _: SinkAnswer(took_s=10)) as (server, publish):
        for _ in range(5):
            publish(Flow_Control_Key="api", Flow_Control_Value="parallelism=2", Delay="1h")
        found = waits_s(server)
        assert [round(wait) for wait in found] == [0, 10, 0, 10]


def test_flow_control_limits_how_many_start_in_a_period() -> None:
    with serving() as (server, publish):
        for _ in range(5):
            publish(Flow_Control_Key="api", Flow_Control_Value="rate=2, period=1m", Delay="1h")
        assert server.wait_idle(5)
        times = [d.at for d in server.deliveries()]
        minutes = [(at - times[0]).total_seconds() // 59.9 for at in times]
        assert minutes == [0, 0, 1, 1, 2]


def test_a_delivery_that_outlasts_its_period_holds_the_others_and_nothing_else() -> None:
    with serving(lambda _: SinkAnswer(took_s=10)) as (server, publish):
        for _ in range(3):
            publish(Flow_Control_Key="api", Flow_Control_Value="rate=1, parallelism=1, period=3s", Delay="1h")
        assert [round(wait) for wait in waits_s(server)] == [10, 10]


def test_a_dead_letter_can_be_delivered_again() -> None:
    broken = True

    def fail(_: Delivery) -> SinkAnswer:
        return SinkAnswer(status=500 if broken else 200)

    with serving(fail) as (server, publish):
        publish(body=b"precious", Retries="0", Forward_X="1")
        publish(body=b"other", Retries="0")
        assert server.wait_idle(5)
        broken = False
        host = server.url.removeprefix("http://")
        connection = HTTPConnection(host)
        headers = {"Authorization": f"Bearer {server.token}"}
        connection.request("GET", "/v2/dlq", headers=headers)
        letters = json.loads(connection.getresponse().read())["messages"]
        oldest = letters[-1]["dlqId"]
        connection.request("POST", f"/v2/dlq/retry/{oldest}", headers=headers)
        reply = connection.getresponse()
        assert (reply.status, bool(json.loads(reply.read())["messageId"])) == (201, True)
        connection.request("POST", "/v2/dlq/retry", headers=headers)
        assert len(json.loads(connection.getresponse().read())["responses"]) == 1
        connection.request("GET", "/v2/dlq", headers=headers)
        assert json.loads(connection.getresponse().read())["messages"] == []
        connection.close()
        assert server.wait_idle(5)
        again = server.deliveries()[2:]
        assert [(d.body, d.status, d.attempt) for d in again] == [(b"precious", 200, 0), (b"other", 200, 0)]
        assert dict(again[0].headers)["X"] == "1"


def test_an_answer_function_that_fails_is_an_attempt_that_fails() -> None:
    def broken(_: Delivery) -> SinkAnswer:
        raise RuntimeError("oh")

    with serving(broken) as (server, publish):
        publish(Retries="1")
        assert server.wait_idle(5)
        assert [d.status for d in server.deliveries()] == [0, 0]
