"""Every public method of the official Python clients, synchronous and asynchronous, once against the local server."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from qstash import AsyncQStash, QStash, Receiver
from qstash.errors import QStashError
from qstash.log import LogState

from qstash_jobs.local import Delivery, LocalServer, SinkAnswer, start_server

URL = "https://example.com/hook"
NOT_AN_OPERATION = {"http"}
"""Of a client's parts: how all the others send their requests."""

Steps = Callable[["Client"], Awaitable[None]]


class Client:
    """Either client, each method of it a coroutine; it remembers which ones were called."""

    def __init__(self, server: LocalServer, make: type[QStash] | type[AsyncQStash]) -> None:
        self.server = server
        self.sdk = make(server.token, base_url=server.url, retry=False)
        self.called: set[str] = set()

    def __call__(self, name: str, *given: Any, **options: Any) -> Awaitable[Any]:
        part, _, method = name.partition(".")
        self.called.add(name)
        return awaited(getattr(getattr(self.sdk, part), method)(*given, **options))

    async def idle(self) -> None:
        assert await asyncio.to_thread(self.server.wait_idle, 5)

    async def close(self) -> None:
        http = self.sdk.http._client
        await awaited(http.aclose() if isinstance(self.sdk, AsyncQStash) else http.close())

    def methods(self) -> set[str]:
        """List whatever can be called on the client or a part of it, as `part.method`."""
        parts = {name: part for name, part in vars(self.sdk).items() if name not in NOT_AN_OPERATION}
        return {
            f"{name}.{method}"
            for name, part in [("", self.sdk), *parts.items()]
            for method in dir(part)
            if not method.startswith("_") and callable(getattr(part, method))
        }


async def awaited(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


async def publish(client: Client) -> None:
    one = await client("message.publish", url=URL, body="1", method="PUT")
    two = await client("message.publish_json", url=URL, body={"n": 2})
    three = await client("message.enqueue", queue="slow", url=URL, body="3")
    four = await client("message.enqueue_json", queue="slow", url=URL, body={"n": 4})
    (five,) = await client("message.batch", [{"url": URL, "body": "5"}])
    (six,) = await client("message.batch_json", [{"url": URL, "body": {"n": 6}}])
    await client.idle()
    found = {d.message_id: (d.method, d.body) for d in client.server.deliveries()}
    assert found == {
        one.message_id: ("PUT", b"1"),
        two.message_id: ("POST", b'{"n": 2}'),
        three.message_id: ("POST", b"3"),
        four.message_id: ("POST", b'{"n": 4}'),
        five.message_id: ("POST", b"5"),
        six.message_id: ("POST", b'{"n": 6}'),
    }


async def look_after_messages(client: Client) -> None:
    await client("queue.upsert", "held", paused=True)
    held = [await client("message.enqueue", queue="held", url=URL) for _ in range(4)]
    ids = [one.message_id for one in held]
    assert (await client("message.get", ids[0])).queue == "held"
    await client("message.cancel", ids[0])
    assert await client("message.cancel_many", ids[:2]) == 1
    assert await client("message.cancel_all") == 2
    with pytest.raises(QStashError, match="404"):
        await client("message.get", ids[3])


async def keep_url_groups(client: Client) -> None:
    await client("url_group.upsert_endpoints", "group", [{"url": URL, "name": "a"}, {"url": URL + "/2"}])
    assert [one.url for one in (await client("url_group.get", "group")).endpoints] == [URL, URL + "/2"]
    await client("url_group.remove_endpoints", "group", [{"name": "a"}])
    assert [len(one.endpoints) for one in await client("url_group.list")] == [1]
    await client("url_group.delete", "group")
    assert await client("url_group.list") == []


async def keep_queues(client: Client) -> None:
    await client("queue.upsert", "slow", parallelism=2)
    await client("queue.pause", "slow")
    queue = await client("queue.get", "slow")
    assert (queue.parallelism, queue.paused) == (2, True)
    await client("queue.resume", "slow")
    assert [one.paused for one in await client("queue.list")] == [False]
    await client("queue.delete", "slow")
    assert await client("queue.list") == []


async def keep_schedules(client: Client) -> None:
    one = await client("schedule.create", destination=URL, cron="* * * * *", body="x")
    two = await client("schedule.create_json", destination=URL, cron="0 4 * * *", body={"a": 1})
    await client("schedule.pause", two)
    assert [s.paused for s in await client("schedule.list")] == [False, True]
    await client("schedule.resume", two)
    schedule = await client("schedule.get", two)
    assert (schedule.paused, schedule.body, schedule.cron) == (False, '{"a": 1}', "0 4 * * *")
    client.server.advance(86_400)
    await client.idle()
    counts = [
        sum(("Upstash-Schedule-Id", made) in d.headers for d in client.server.deliveries())
        for made in (one, two)
    ]
    assert (counts[0] in (1440, 1441), counts[1]) == (True, 1)
    await client("schedule.delete", one)
    await client("schedule.delete", two)
    assert await client("schedule.list") == []


async def rotate_keys(client: Client) -> None:
    before = await client("signing_key.get")
    after = await client("signing_key.rotate")
    assert (after.current, after.next != before.next) == (before.next, True)


async def read_the_log(client: Client) -> None:
    answer = await client("message.publish", url=URL, label="red")
    await client.idle()
    page = await client("log.list", filter={"label": "red"})
    assert [one.state for one in page.logs] == [LogState.DELIVERED, LogState.ACTIVE, LogState.CREATED]
    assert {one.message_id for one in page.logs} == {answer.message_id}


async def keep_dead_letters(client: Client) -> None:
    for _ in range(3):
        await client("message.publish", url=URL + "/fails", retries=0)
    await client.idle()
    letters = (await client("dlq.list")).messages
    assert len(letters) == 3
    assert (await client("dlq.get", letters[0].dlq_id)).response_status == 500
    await client("dlq.delete", letters[0].dlq_id)
    assert await client("dlq.delete_many", [one.dlq_id for one in letters]) == 2
    assert (await client("dlq.list")).messages == []


async def control_the_flow(client: Client) -> None:
    await client("flow_control.pause", "key")
    await client("message.publish", url=URL, flow_control={"key": "key", "rate": 2, "parallelism": 3})
    await client.idle()
    assert client.server.delivery_count == 0
    await client("flow_control.pin", "key", {"parallelism": 1, "rate": 9, "period": 60})
    info = await client("flow_control.get", "key")
    assert (info.parallelism_max, info.rate_max, info.rate_period, info.wait_list_size) == (1, 9, 60, 1)
    await client("flow_control.unpin", "key", {"parallelism": True, "rate": True})
    await client("flow_control.reset_rate", "key")
    await client("flow_control.resume", "key")
    await client.idle()
    assert client.server.delivery_count == 1
    assert (await client("flow_control.get_global_parallelism")).parallelism_count == 0


SCENARIOS: tuple[Steps, ...] = (
    publish,
    look_after_messages,
    keep_url_groups,
    keep_queues,
    keep_schedules,
    rotate_keys,
    read_the_log,
    keep_dead_letters,
    control_the_flow,
)


def fail(delivery: Delivery) -> SinkAnswer:
    return SinkAnswer(status=500 if delivery.url.endswith("/fails") else 200)


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with start_server(answer=fail) as running:
        yield running
        receiver = Receiver(running.current_signing_key, running.next_signing_key)
        for delivery in running.deliveries():
            receiver.verify(
                signature=dict(delivery.headers)["Upstash-Signature"],
                body=delivery.body.decode(),
                url=delivery.url,
            )


async def play(client: Client, steps: Steps) -> None:
    try:
        await steps(client)
    finally:
        await client.close()


@pytest.mark.parametrize("make", [QStash, AsyncQStash])
@pytest.mark.parametrize("steps", SCENARIOS, ids=lambda steps: steps.__name__)
def test_the_clients_can_do_it(
    server: LocalServer, make: type[QStash] | type[AsyncQStash], steps: Steps
) -> None:
    asyncio.run(play(Client(server, make), steps))


@pytest.mark.parametrize("make", [QStash, AsyncQStash])
def test_no_method_of_the_clients_is_left_out(make: type[QStash] | type[AsyncQStash]) -> None:
    called: set[str] = set()
    methods: set[str] = set()
    for steps in SCENARIOS:
        with start_server(answer=fail) as server:
            client = Client(server, make)
            asyncio.run(play(client, steps))
            called |= client.called
            methods |= client.methods()
    assert called == methods
    assert len(methods) == 42
