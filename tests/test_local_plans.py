"""What the local server holds back, hides and overrides: plans, redaction, dead letters, what is cancelled."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection
from itertools import pairwise
from typing import Any

import pytest
from qstash import QStash
from qstash.errors import DailyMessageLimitExceededError, QStashError

from qstash_jobs.local import FREE, Delivery, LocalServer, Quota, SinkAnswer, start_server

URL = "https://example.com/hook"


class Caller:
    """A plain HTTP client of a server."""

    def __init__(self, server: LocalServer) -> None:
        self.server = server
        self.sdk = QStash(server.token, base_url=server.url, retry=False)

    def __call__(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, Any]:
        connection = HTTPConnection(self.server.url.removeprefix("http://"))
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"Authorization": f"Bearer {self.server.token}"} | named)
        reply = connection.getresponse()
        content = reply.read()
        connection.close()
        return reply.status, json.loads(content) if content else None

    def publish(self, **settings: str) -> str:
        status, answer = self("POST", f"/v2/publish/{URL}", b"secret", **settings)
        assert status == 200, answer
        return str(answer["messageId"])

    def letters(self) -> list[Any]:
        assert self.server.wait_idle(5)
        return list(self("GET", "/v2/dlq")[1]["messages"])


def fail(delivery: Delivery) -> SinkAnswer:
    return SinkAnswer(status=500 if delivery.kind == "message" else 200)


@pytest.fixture
def failing() -> Iterator[Caller]:
    with start_server(answer=fail) as server:
        caller = Caller(server)
        yield caller
        caller.sdk.http._client.close()


def serving(quota: Quota) -> LocalServer:
    return start_server(quota=quota, answer=lambda _: SinkAnswer(took_s=10))


def test_a_plan_takes_so_many_messages_a_day() -> None:
    with serving(replace(FREE, messages_a_day=4)) as server:
        caller = Caller(server)
        server.make_group("orders", {"one": URL + "/1", "two": URL + "/2"})
        caller.sdk.message.publish(url_group="orders")
        with pytest.raises(DailyMessageLimitExceededError) as refused:
            caller.sdk.message.batch([{"url": URL}, {"url_group": "orders"}])
        assert (refused.value.limit, refused.value.remaining) == ("4", "2")
        assert int(str(refused.value.reset)) % 86_400 == 0
        caller.sdk.message.batch([{"url": URL}, {"url": URL}])
        with pytest.raises(DailyMessageLimitExceededError):
            caller.sdk.message.publish(url=URL)
        assert server.wait_idle(5)
        assert server.delivery_count == 4
        server.advance(86_400)
        caller.sdk.message.publish(url=URL)
        caller.sdk.http._client.close()


def test_a_plan_delivers_so_many_at_once() -> None:
    with serving(replace(FREE, parallelism=2)) as server:
        caller = Caller(server)
        with server.hold():
            for _ in range(5):
                caller.publish(Upstash_Delay="1h")
            assert caller("GET", "/v2/globalParallelism")[1] == {"parallelismMax": 2, "parallelismCount": 0}
        assert server.wait_idle(5)
        waits = [(b.at - a.at).total_seconds() for a, b in pairwise(server.deliveries())]
        assert [round(wait) for wait in waits] == [0, 10, 0, 10]
        caller.sdk.http._client.close()


def test_what_waits_for_a_place_can_be_cancelled_and_leaves_none_behind() -> None:
    with serving(replace(FREE, parallelism=1)) as server:
        caller = Caller(server)
        with server.hold():
            first, second, third = [
                caller.publish(Upstash_Flow_Control_Key="a", Upstash_Flow_Control_Value="parallelism=9")
                for _ in range(3)
            ]
            assert caller("DELETE", f"/v2/messages/{second}")[0] == 202
        assert server.wait_idle(5)
        assert [one.message_id for one in server.deliveries()] == [first, third]
        assert caller("GET", "/v2/globalParallelism")[1]["parallelismCount"] == 0
        assert caller("GET", "/v2/flowControl/a")[1]["parallelismCount"] == 0
        caller.sdk.http._client.close()


def test_a_callback_does_not_show_what_its_message_hides(failing: Caller) -> None:
    failing.publish(
        Upstash_Redact_Fields="body, header[X-Key]",
        Upstash_Forward_X_Key="hidden",
        Upstash_Callback="https://example.com/callback",
        Upstash_Failure_Callback="https://example.com/failure",
        Upstash_Retries="0",
    )
    assert failing.server.wait_idle(5)
    reports = [json.loads(d.body) for d in failing.server.deliveries() if d.kind != "message"]
    assert [base64.b64decode(one["sourceBody"]) for one in reports] == [b"secret", b"secret"]
    assert all(one["sourceHeader"]["X-Key"] == ["hidden"] for one in reports)
    shown = json.dumps([failing("GET", path)[1] for path in ("/v2/events", "/v2/dlq")])
    assert "hidden" not in shown
    assert base64.b64encode(b"secret").decode() not in shown
    bodies = {e["body"] for e in failing("GET", "/v2/events")[1]["events"]}
    assert all(body.startswith("REDACTED:") for body in bodies)


def test_a_dead_letter_is_delivered_again_as_the_request_says(failing: Caller) -> None:
    failing.publish(Upstash_Retries="0", Upstash_Forward_A="1", Upstash_Label="red", Upstash_Delay="1h")
    (letter,) = failing.letters()
    status, answer = failing(
        "POST",
        f"/v2/dlq/retry/{letter['dlqId']}",
        Upstash_Retries="1",
        Upstash_Retry_Delay="5000",
        Upstash_Method="PUT",
        Upstash_Delay="10s",
        Content_Type="text/ignored",
    )
    assert status == 201
    (again,) = failing.letters()
    assert again["messageId"] == answer["messageId"] != letter["messageId"]
    found = [d for d in failing.server.deliveries() if d.message_id == answer["messageId"]]
    assert [d.method for d in found] == ["PUT", "PUT"]
    assert (found[1].at - found[0].at).total_seconds() == 5
    assert 9 < (found[0].at - failing.server.deliveries()[0].at).total_seconds() < 15
    assert dict(found[0].headers)["A"] == "1"
    assert "Content-Type" not in dict(found[0].headers)
    assert again["labels"] == ["red"]


def test_a_dead_letter_stays_where_its_retry_is_refused(failing: Caller) -> None:
    failing.publish(Upstash_Retries="0")
    (letter,) = failing.letters()
    path = f"/v2/dlq/retry/{letter['dlqId']}"
    for name, value in {"Upstash_Delay": "999999999999999d", "Upstash_Retries": "1000"}.items():
        status, answer = failing("POST", path, **{name: value})
        assert (status, "exceeded" in answer["error"]) == (400, True)
    assert len(failing.letters()) == 1


@pytest.mark.parametrize(
    ("filters", "removed"),
    [
        ("label=red", 2),
        ("responseStatus=500", 3),
        ("responseStatus=404", 0),
        ("url=https://example.com/hook&label=blue", 1),
        ("flowControlKey=api", 1),
        ("fromDate=1&toDate=2", 0),
        ("count=2", 2),
        ("callerIp=127.0.0.1", 3),
        ("callerIP=10.0.0.1", 0),
        ("messageIds=a,b", 0),
        ("", 3),
    ],
)
@pytest.mark.parametrize("action", ["DELETE", "POST"])
def test_dead_letters_are_chosen_by_filter(failing: Caller, action: str, filters: str, removed: int) -> None:
    failing.publish(Upstash_Retries="0", Upstash_Label="red")
    failing.publish(
        Upstash_Retries="0",
        Upstash_Label="red,large",
        Upstash_Flow_Control_Key="api",
        Upstash_Flow_Control_Value="rate=9",
    )
    failing.publish(Upstash_Retries="0", Upstash_Label="blue")
    before = {one["dlqId"] for one in failing.letters()}
    path = "/v2/dlq" if action == "DELETE" else "/v2/dlq/retry"
    status, answer = failing(action, f"{path}?{filters}")
    assert status == (200 if action == "DELETE" else 201)
    count = answer["deleted"] if action == "DELETE" else len(answer["responses"])
    assert count == removed
    assert len(before & {one["dlqId"] for one in failing.letters()}) == 3 - removed


def test_a_filter_that_the_dlq_does_not_have_is_refused(failing: Caller) -> None:
    failing.publish(Upstash_Retries="0")
    assert len(failing.letters()) == 1
    assert failing("DELETE", "/v2/dlq?host=example.com")[0] == 400
    assert len(failing.letters()) == 1


@pytest.mark.parametrize(
    ("filters", "cancelled"),
    [
        ("label=red", 2),
        ("queueName=held", 3),
        ("host=example.com&path=/hook", 3),
        ("host=other.com", 0),
        ("count=1", 1),
        ("topicName=orders", 0),
        ("fromDate=1&toDate=9", 0),
    ],
)
def test_messages_are_cancelled_by_filter(failing: Caller, filters: str, cancelled: int) -> None:
    failing.server.make_queue("held", paused=True)
    for label in ("red", "red,blue", "blue"):
        failing("POST", f"/v2/enqueue/held/{URL}", Upstash_Label=label)
    assert failing("DELETE", f"/v2/messages?{filters}") == (200, {"cancelled": cancelled})


@pytest.mark.parametrize("count", ["0", "501", "-1", "x"])
def test_a_count_out_of_range_cancels_nothing(failing: Caller, count: str) -> None:
    failing.server.make_queue("held", paused=True)
    failing("POST", f"/v2/enqueue/held/{URL}")
    assert failing("DELETE", f"/v2/messages?count={count}")[0] == 400
    assert failing("GET", "/v2/queues/held")[1]["lag"] == 1


def test_retries_of_a_callback_are_held_to_the_plan_too(failing: Caller) -> None:
    with pytest.raises(QStashError, match="maxRetries"):
        failing.sdk.message.publish(url=URL, callback=URL, callback_headers={"Retries": "1000"})


def test_time_may_pass_beyond_what_a_calendar_can_write(failing: Caller) -> None:
    for _ in range(3):
        for _ in range(64):
            failing.server.advance(100 * 365 * 86_400)
        failing.publish(Upstash_Retries="0")
        assert failing.server.wait_idle(5)
    assert failing.server.deliveries()[-1].at.year == 9892
    status, answer = failing("POST", f"/v2/schedules/{URL}", Upstash_Cron="* * * * *")
    assert (status, "nextScheduleTime" in failing("GET", "/v2/schedules")[1][0]) == (200, False), answer
