"""However many messages come and go, the local server holds no more of them than it is to remember."""

import gc
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from qstash_jobs.local import DEV_USERS, Retention
from qstash_jobs.local.routes import Call, answer
from qstash_jobs.local.world.deliver import next_attempt, settle
from qstash_jobs.local.world.message import Answer, Event, Message
from qstash_jobs.local.world.world import World

REMEMBERED = 50
MANY = 3_000
URL = "https://example.com"
TOKEN = DEV_USERS[0].token
NOW_MS = 1_700_000_000_000


class Life:
    """A world that remembers little, a client, and destinations that all say the same."""

    def __init__(self) -> None:
        self.at_ms = NOW_MS
        self.status = 200
        self.world = World(
            now_ms=NOW_MS,
            make_secret=lambda: "secret",
            real_time=True,
            retention=Retention(messages=REMEMBERED),
        )

    def ask(self, method: str, target: str, body: bytes = b"", **settings: str) -> str:
        """Ask for something that the server does; return a message's id where it tells one."""
        headers = [("Authorization", f"Bearer {TOKEN}")]
        headers += [(f"Upstash-{name.replace('_', '-')}", value) for name, value in settings.items()]
        self.world.tick(self.at_ms)
        reply = answer(self.world, Call(method=method, target=target, headers=tuple(headers), body=body))
        assert reply.status in (200, 202), reply.body
        told = json.loads(reply.body or b"{}")
        return str(told.get("messageId", ""))

    def deliver(self) -> None:
        """Deliver whatever is due."""
        self.world.tick(self.at_ms)
        while (attempt := next_attempt(self.world)) is not None:
            settle(self.world, attempt, Answer(self.status, (), b"said"))

    def count(self, kind: type[Any]) -> int:
        """Count what is in memory of a kind of this world."""
        gc.collect()
        account = self.world.accounts[0]
        found = [one for one in gc.get_objects() if isinstance(one, kind)]
        return sum(1 for one in found if getattr(one, "message", one).account is account)


Way = Callable[[Life, int], object]


def deliver(life: Life, number: int) -> None:
    life.ask("POST", f"/v2/publish/{URL}/{number}", b"x", Deduplication_Id=f"id-{number}")
    life.deliver()


def report(life: Life, number: int) -> None:
    life.ask("POST", f"/v2/publish/{URL}/{number}", Callback=f"{URL}/callback")
    life.deliver()


def fail(life: Life, number: int) -> None:
    life.status = 500
    life.ask("POST", f"/v2/publish/{URL}/{number}", Retries="0", Failure_Callback=f"{URL}/failed")
    life.deliver()


def cancel_what_is_delayed(life: Life, number: int) -> None:
    life.ask("DELETE", f"/v2/messages/{life.ask('POST', f'/v2/publish/{URL}/{number}', Delay='90d')}")


def cancel_in_a_queue(life: Life, number: int) -> None:
    if not number:
        life.ask("POST", "/v2/queues", b'{"queueName": "paused", "parallelism": 1}')
        life.ask("POST", "/v2/queues/paused/pause")
    life.ask("DELETE", f"/v2/messages/{life.ask('POST', f'/v2/enqueue/paused/{URL}/{number}')}")


def cancel_at_a_flow_control_key(life: Life, number: int) -> None:
    limit = {"Flow_Control_Key": "key", "Flow_Control_Value": "parallelism=1"}
    if not number:
        life.ask("POST", f"/v2/publish/{URL}/first", **limit)
        life.ask("POST", "/v2/flowControl/key/pause")
    message_id = life.ask("POST", f"/v2/publish/{URL}/{number}", **limit)
    life.deliver()
    life.ask("DELETE", f"/v2/messages/{message_id}")


@pytest.mark.parametrize(
    "go",
    [deliver, report, fail, cancel_what_is_delayed, cancel_in_a_queue, cancel_at_a_flow_control_key],
)
def test_messages_that_are_over_are_let_go(go: Way) -> None:
    life = Life()
    for number in range(MANY):
        go(life, number)
    assert life.count(Message) <= 5 * REMEMBERED
    assert life.count(Event) <= 5 * REMEMBERED
    assert life.count(Message) >= REMEMBERED


def test_what_waits_is_kept_among_whatever_was_cancelled() -> None:
    life = Life()
    limit = {"Flow_Control_Key": "key", "Flow_Control_Value": "parallelism=1"}
    life.ask("POST", "/v2/queues", b'{"queueName": "paused", "parallelism": 1}')
    life.ask("POST", "/v2/queues/paused/pause")
    waiting = [life.ask("POST", f"/v2/publish/{URL}/first", **limit)]
    life.ask("POST", "/v2/flowControl/key/pause")
    for number in range(300):
        for target, settings in (
            (f"/v2/enqueue/paused/{URL}/{number}", {}),
            (f"/v2/publish/{URL}/{number}", limit),
            (f"/v2/publish/{URL}/{number}", {"Delay": "1h"}),
        ):
            message_id = life.ask("POST", target, **settings)
            life.deliver()
            if number % 10:
                life.ask("DELETE", f"/v2/messages/{message_id}")
            else:
                waiting.append(message_id)
    life.ask("POST", "/v2/queues/paused/resume")
    life.ask("POST", "/v2/flowControl/key/resume")
    life.at_ms += 3_600_000
    delivered = []
    life.world.tick(life.at_ms)
    while (attempt := next_attempt(life.world)) is not None:
        delivered.append(attempt.message.id)
        settle(life.world, attempt, Answer(200))
    assert sorted(delivered) == sorted(waiting)
    in_queue = waiting[1::3]
    assert [one for one in delivered if one in in_queue] == in_queue


def test_a_schedule_that_is_changed_again_and_again_takes_no_more_memory() -> None:
    life = Life()

    def change(times: int) -> int:
        for minute in range(times):
            life.ask("POST", f"/v2/schedules/{URL}", Cron=f"{minute % 60} 0 1 1 *", Schedule_Id="yearly")
            life.ask("POST", "/v2/schedules/yearly/pause")
            life.ask("POST", "/v2/schedules/yearly/resume")
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = change(100)
        assert change(400) < before + 50_000
    finally:
        tracemalloc.stop()
    assert len(life.world.accounts[0].schedules) == 1
