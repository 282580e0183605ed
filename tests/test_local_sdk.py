"""The local server, with the official SDK as its client and the official Receiver as the judge of its deliveries."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from qstash import AsyncQStash, QStash, Receiver
from qstash.errors import QStashError, SignatureError
from qstash.log import LogState

from qstash_jobs.local import Delivery, LocalServer, SinkAnswer, Switches, start_server

URL = "https://example.com/hook"


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with start_server() as running:
        yield running
        for delivery in running.deliveries():
            verify(running, delivery)


@pytest.fixture
def client(server: LocalServer) -> Iterator[QStash]:
    yield from connect(server)


def connect(server: LocalServer) -> Iterator[QStash]:
    sdk = QStash(server.token, base_url=server.url, retry=False)
    yield sdk
    sdk.http._client.close()


def verify(server: LocalServer, delivery: Delivery) -> None:
    receiver = Receiver(server.current_signing_key, server.next_signing_key)
    receiver.verify(
        signature=dict(delivery.headers)["Upstash-Signature"],
        body=delivery.body.decode(),
        url=delivery.url,
    )


def delivered(server: LocalServer) -> list[Delivery]:
    assert server.wait_idle(5)
    return server.deliveries()


def test_a_published_message_is_delivered_with_its_method_headers_and_body(
    server: LocalServer, client: QStash
) -> None:
    answer = client.message.publish(
        url=URL + "?a=1&b=%2F",
        body="hello",
        content_type="text/plain",
        method="PUT",
        headers={"x-my-header": "1", "Authorization": "Bearer theirs"},
    )
    assert not isinstance(answer, list)
    (delivery,) = delivered(server)
    headers = dict(delivery.headers)
    assert delivery.message_id == answer.message_id == headers["Upstash-Message-Id"]
    assert (delivery.method, delivery.url, delivery.body) == ("PUT", URL + "?a=1&b=%2F", b"hello")
    assert (delivery.status, delivery.attempt, delivery.kind) == (200, 0, "message")
    assert headers["Content-Type"] == "text/plain"
    assert headers["X-My-Header"] == "1"
    assert headers["Authorization"] == "Bearer theirs"
    assert headers["User-Agent"] == "Upstash-QStash"
    assert headers["Upstash-Retried"] == "0"


def test_a_json_message_is_delivered_as_the_bytes_that_were_sent(server: LocalServer, client: QStash) -> None:
    client.message.publish_json(url=URL, body={"é": [1, None]})
    (delivery,) = delivered(server)
    assert json.loads(delivery.body) == {"é": [1, None]}
    assert dict(delivery.headers)["Content-Type"] == "application/json"


def test_a_url_group_delivers_to_each_endpoint(server: LocalServer, client: QStash) -> None:
    client.url_group.upsert_endpoints("orders", [{"url": URL + "/1", "name": "one"}, {"url": URL + "/2"}])
    answers = client.message.publish(url_group="orders", body="x")
    assert isinstance(answers, list)
    assert [answer.url for answer in answers] == [URL + "/1", URL + "/2"]
    deliveries = delivered(server)
    assert [d.message_id for d in deliveries] == [answer.message_id for answer in answers]
    assert all(dict(d.headers)["Upstash-Topic-Name"] == "orders" for d in deliveries)


def test_url_groups_are_made_read_changed_and_removed(client: QStash) -> None:
    client.url_group.upsert_endpoints("orders", [{"url": URL, "name": "one"}, {"url": URL + "/2"}])
    client.url_group.upsert_endpoints("orders", [{"url": URL + "/new", "name": "one"}])
    group = client.url_group.get("orders")
    assert [(e.name, e.url) for e in group.endpoints] == [("one", URL + "/new"), (None, URL + "/2")]
    assert [g.name for g in client.url_group.list()] == ["orders"]
    client.url_group.remove_endpoints("orders", [{"name": "one"}])
    client.url_group.remove_endpoints("orders", [{"url": URL + "/2"}])
    assert client.url_group.list() == []
    client.url_group.upsert_endpoints("orders", [{"url": URL}])
    client.url_group.delete("orders")
    with pytest.raises(QStashError, match="404"):
        client.url_group.get("orders")


def test_a_batch_answers_in_the_order_of_its_items(server: LocalServer, client: QStash) -> None:
    server.make_group("orders", {"one": URL + "/1", "two": URL + "/2"})
    answers = client.message.batch_json(
        [
            {"url": URL, "body": {"n": 1}},
            {"url_group": "orders", "body": {"n": 2}},
            {"queue": "slow", "url": URL, "body": {"n": 3}},
        ]
    )
    single, group, queued = answers
    assert isinstance(group, list)
    assert not isinstance(single, list)
    assert not isinstance(queued, list)
    ids = [single.message_id, *[one.message_id for one in group], queued.message_id]
    assert sorted(d.message_id for d in delivered(server)) == sorted(ids)
    assert client.queue.get("slow").parallelism == 1


def test_a_batch_with_one_bad_item_is_refused_as_a_whole(server: LocalServer, client: QStash) -> None:
    with pytest.raises(QStashError, match="invalid scheme"):
        client.message.batch([{"url": URL, "body": "x"}, {"url": "no-such-group", "body": "x"}])
    assert delivered(server) == []


def test_a_batch_can_be_made_to_answer_bad_items_in_their_place() -> None:
    with start_server(switches=Switches(batch_failure="item")) as server:
        for client in connect(server):
            with pytest.raises(KeyError):  # the SDK cannot read it (wire contract, section 19)
                client.message.batch([{"url": "nowhere", "body": "x"}, {"url": URL, "body": "x"}])
        assert [d.url for d in delivered(server)] == [URL]


def test_a_second_message_with_the_same_id_is_a_duplicate(server: LocalServer, client: QStash) -> None:
    first = client.message.publish(url=URL, body="1", deduplication_id="order-1")
    second = client.message.publish(url=URL, body="2", deduplication_id="order-1")
    other = client.message.publish(url=URL, body="2", deduplication_id="order-2")
    assert not isinstance(first, list)
    assert not isinstance(second, list)
    assert not isinstance(other, list)
    assert (second.message_id, second.deduplicated) == (first.message_id, True)
    assert (first.deduplicated, other.deduplicated) == (False, False)
    assert len(delivered(server)) == 2


def test_content_based_deduplication_looks_at_destination_body_and_headers(
    server: LocalServer, client: QStash
) -> None:
    def publish(**changed: object) -> bool:
        given = {"url": URL, "body": "x", "content_type": "text/plain", "headers": {"A": "1"}} | changed
        answer = client.message.publish(**given, content_based_deduplication=True)  # type: ignore[arg-type]
        assert not isinstance(answer, list)
        return answer.deduplicated

    assert not publish()
    assert publish()
    assert not publish(url=URL + "/2")
    assert not publish(body="y")
    assert not publish(content_type="text/html")
    assert not publish(headers={"A": "2"})
    assert publish(retries=1)
    assert len(delivered(server)) == 5


def test_a_group_is_deduplicated_endpoint_by_endpoint(server: LocalServer, client: QStash) -> None:
    server.make_group("orders", {"one": URL + "/1"})
    client.message.publish(url_group="orders", deduplication_id="a")
    server.make_group("orders", {"two": URL + "/2"})
    answers = client.message.publish(url_group="orders", deduplication_id="a")
    assert isinstance(answers, list)
    assert [answer.deduplicated for answer in answers] == [True, False]


def test_the_window_of_a_deduplication_id_is_ten_minutes_of_real_time(
    server: LocalServer, client: QStash
) -> None:
    def publish() -> bool:
        answer = client.message.publish(url=URL, deduplication_id="a", delay="7d")
        assert not isinstance(answer, list)
        return answer.deduplicated

    assert not publish()
    delivered(server)  # virtual time has jumped by a week
    assert publish()
    server.advance(599)
    assert publish()
    server.advance(2)
    assert not publish()


def test_a_message_can_be_read_until_it_is_delivered(client: QStash, server: LocalServer) -> None:
    server.make_queue("held", paused=True)
    answer = client.message.enqueue_json(
        queue="held",
        url=URL,
        body={"a": 1},
        retries=2,
        retry_delay="1000 * (1 + retried)",
        timeout="30s",
        label="red,blue",
        callback="https://example.com/callback",
        failure_callback="https://example.com/failure",
        headers={"X": "1"},
    )
    assert not isinstance(answer, list)
    message = client.message.get(answer.message_id)
    assert (message.url, message.queue, message.method, message.label) == (URL, "held", "POST", "red")
    assert (message.max_retries, message.retry_delay_expression) == (2, "1000 * (1 + retried)")
    assert (message.body, message.headers) == (
        '{"a": 1}',
        {"X": ["1"], "Content-Type": ["application/json"]},
    )
    assert (message.callback, message.failure_callback) == (
        "https://example.com/callback",
        "https://example.com/failure",
    )
    client.queue.resume("held")
    delivered(server)
    with pytest.raises(QStashError, match="404"):
        client.message.get(answer.message_id)


def test_a_cancelled_message_is_not_delivered(server: LocalServer, client: QStash) -> None:
    server.make_queue("held", paused=True)
    ids = [client.message.enqueue(queue="held", url=URL).message_id for _ in range(4)]  # type: ignore[union-attr]
    client.message.cancel(ids[0])
    assert client.message.cancel_many(ids[:2]) == 1
    with pytest.raises(QStashError, match="404"):
        client.message.cancel(ids[0])
    assert client.message.cancel_all() == 2
    client.queue.resume("held")
    assert delivered(server) == []
    states = [log.state for log in client.log.list(filter={"message_id": ids[0]}).logs]
    assert states == [LogState.CANCELED, LogState.CANCEL_REQUESTED, LogState.CREATED]


def test_the_log_tells_what_happened_newest_first_page_by_page(server: LocalServer, client: QStash) -> None:
    ids = [
        client.message.publish(url=URL, label=f"run-1,row-{n}").message_id  # type: ignore[union-attr]
        for n in range(5)
    ]
    client.message.publish(url=URL + "/other", label="run-2")
    delivered(server)
    states: dict[str, list[LogState]] = {}
    cursor = None
    pages = 0
    while pages == 0 or cursor:
        page = client.log.list(cursor=cursor, count=4, filter={"label": "run-1"})
        cursor, pages = page.cursor, pages + 1
        for log in page.logs:
            states.setdefault(log.message_id, []).append(log.state)
    assert pages == 4
    assert states == {one: [LogState.DELIVERED, LogState.ACTIVE, LogState.CREATED] for one in ids}
    assert list(states) == list(reversed(ids))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"state": LogState.DELIVERED}, 3),
        ({"state": LogState.IN_PROGRESS}, 3),
        ({"url": URL + "/2"}, 3),
        ({"url_group": "orders"}, 6),
        ({"queue": "slow"}, 3),
        ({"label": "red"}, 3),
        ({"label": "no"}, 0),
        ({"label": "red", "queue": "slow"}, 0),
        ({"message_ids": ["msg_none"]}, 0),
        ({"from_time": 1, "to_time": 2}, 0),
    ],
)
def test_the_log_is_filtered(
    server: LocalServer, client: QStash, wanted: dict[str, object], found: int
) -> None:
    server.make_group("orders", {"one": URL + "/1", "two": URL + "/2"})
    client.message.publish(url_group="orders")
    client.message.enqueue(queue="slow", url=URL)
    client.message.publish(url=URL, label="red")
    delivered(server)
    extra = 1 if "state" in wanted else 0  # four messages, one event of that state each
    assert len(client.log.list(filter=wanted).logs) == found + extra  # type: ignore[arg-type]


def test_what_is_redacted_is_delivered_but_never_shown(server: LocalServer, client: QStash) -> None:
    server.make_queue("held", paused=True)
    answer = client.message.enqueue(
        queue="held",
        url=URL,
        body="secret body",
        headers={"X-Key": "secret", "X-Open": "1"},
        redact={"body": True, "header": ["x-key"]},
    )
    assert not isinstance(answer, list)
    message = client.message.get(answer.message_id)
    assert message.headers is not None
    assert message.headers["X-Open"] == ["1"]
    assert message.headers["X-Key"][0].startswith("REDACTED:")
    assert str(message.body).startswith("REDACTED:")
    client.queue.resume("held")
    (delivery,) = delivered(server)
    assert (delivery.body, dict(delivery.headers)["X-Key"]) == (b"secret body", "secret")
    assert "secret" not in str(client.log.list())


def test_queues_are_made_read_changed_and_removed(client: QStash) -> None:
    client.queue.upsert("slow", parallelism=3)
    client.queue.pause("slow")
    client.message.enqueue(queue="slow", url=URL)
    queue = client.queue.get("slow")
    assert (queue.parallelism, queue.paused, queue.lag) == (3, True, 1)
    client.queue.resume("slow")
    assert [q.paused for q in client.queue.list()] == [False]
    client.queue.delete("slow")
    with pytest.raises(QStashError, match="404"):
        client.queue.get("slow")


def test_a_message_that_failed_for_good_is_in_the_dlq() -> None:
    def refuse(delivery: Delivery) -> SinkAnswer:
        return SinkAnswer(status=500 if delivery.url == URL else 200, body=b"sorry")

    with start_server(answer=refuse) as server:
        for client in connect(server):
            ids = [client.message.publish(url=URL, body="x", retries=0).message_id for _ in range(5)]  # type: ignore[union-attr]
            client.message.publish(url=URL + "/fine")
            delivered(server)
            page = client.dlq.list(count=2)
            assert [m.message_id for m in page.messages] == [ids[4], ids[3]]
            letter = client.dlq.get(page.messages[0].dlq_id)
            assert (letter.response_status, letter.response_body, letter.body) == (500, "sorry", "x")
            rest = client.dlq.list(cursor=page.cursor)
            assert [m.message_id for m in rest.messages] == [ids[2], ids[1], ids[0]]
            assert rest.cursor is None
            assert client.dlq.list(filter={"response_status": 404}).messages == []
            client.dlq.delete(letter.dlq_id)
            with pytest.raises(QStashError, match="404"):
                client.dlq.get(letter.dlq_id)
            assert client.dlq.delete_many([m.dlq_id for m in rest.messages]) == 3
            assert [m.message_id for m in client.dlq.list().messages] == [ids[3]]


def test_signing_keys_rotate(server: LocalServer, client: QStash) -> None:
    before = client.signing_key.get()
    after = client.signing_key.rotate()
    assert after.current == before.next == server.current_signing_key
    assert after.next == server.next_signing_key != before.next
    client.message.publish(url=URL)
    (delivery,) = delivered(server)
    verify(server, delivery)
    assert [len(key) for key in (after.current, after.next)] == [32, 32]
    with pytest.raises(SignatureError):
        Receiver(before.current, "another").verify(
            signature=dict(delivery.headers)["Upstash-Signature"], body="", url=URL
        )


def test_flow_control_keys_are_read_and_managed(server: LocalServer, client: QStash) -> None:
    flow = {"key": "api", "parallelism": 2, "rate": 10, "period": "1m"}
    client.message.publish(url=URL, flow_control=flow)  # type: ignore[arg-type]
    delivered(server)
    info = client.flow_control.get("api")
    assert (info.parallelism_max, info.rate_max, info.rate_period) == (2, 10, 60)
    client.flow_control.pin("api", {"parallelism": 1})
    client.flow_control.pause("api")
    client.message.publish(url=URL, flow_control=flow)  # type: ignore[arg-type]
    assert len(delivered(server)) == 1
    info = client.flow_control.get("api")
    assert (info.parallelism_max, info.is_paused, info.wait_list_size) == (1, True, 1)
    client.flow_control.unpin("api", {"parallelism": True})
    client.flow_control.reset_rate("api")
    client.flow_control.resume("api")
    assert len(delivered(server)) == 2
    assert client.flow_control.get_global_parallelism().parallelism_count == 0


def test_a_wrong_token_is_refused(server: LocalServer) -> None:
    stranger = QStash("nobody", base_url=server.url, retry=False)
    with pytest.raises(QStashError, match="401"):
        stranger.schedule.list()
    stranger.http._client.close()


def test_the_asynchronous_client_works_as_well(server: LocalServer) -> None:
    async def use() -> None:
        client = AsyncQStash(server.token, base_url=server.url, retry=False)
        answers = await asyncio.gather(
            *(client.message.publish_json(url=URL, body={"n": n}, delay=n) for n in range(20))
        )
        await client.message.batch_json([{"url": URL, "body": 1}])
        await client.queue.upsert("slow")
        await client.message.enqueue(queue="slow", url=URL)
        assert len({answer.message_id for answer in answers}) == 20  # type: ignore[union-attr]
        await asyncio.to_thread(server.wait_idle, 5)
        page = await client.log.list(filter={"state": LogState.DELIVERED})
        assert len(page.logs) == 22
        await client.http._client.aclose()

    asyncio.run(use())


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"url": "example.com"}, "endpoint has invalid scheme, add http:// or https://"),
        ({"url": "https%3A%2F%2Fexample.com"}, "endpoint has invalid scheme"),
        ({"deduplication_id": "a:b"}, "DeduplicationId cannot contain ':'"),
        ({"delay": "90"}, "missing unit in duration"),
        ({"delay": "soon"}, "invalid duration"),
        ({"delay": "10ms"}, "unknown unit"),
        ({"delay": "400d"}, "quota maxDelay exceeded, current limit: 31536000"),
        ({"not_before": 1_900_000_000_000}, "quota maxDelay exceeded"),
        ({"retries": 1000}, "quota maxRetries exceeded, current limit: 999"),
        ({"retries": -1}, "invalid retries"),
        ({"retry_delay": "retried ^ 2"}, "invalid retry delay"),
        ({"method": "HEAD"}, "invalid method"),
        ({"callback": "example.com"}, "invalid callback url"),
        ({"callback": URL, "callback_headers": {"Delay": "3s"}}, "delay is not supported"),
        ({"body": "x" * (10 * 1024 * 1024 + 1)}, "quota maxMessageSize exceeded"),
        ({"flow_control": {"key": "a"}}, "flow control value is missing"),
        ({"flow_control": {"key": "a", "rate": 1, "period": "8d"}}, "at most 7d"),
        ({"flow_control": {"key": "a", "period": "1s"}}, "neither parallelism nor rate"),
    ],
)
def test_what_the_service_would_refuse_is_refused_with_its_words(
    client: QStash, given: dict[str, object], text: str
) -> None:
    with pytest.raises(QStashError) as refused:
        client.message.publish(**({"url": URL} | given))  # type: ignore[arg-type]
    assert "status: 400" in str(refused.value)
    assert text in json.loads(str(refused.value).partition("body: ")[2])["error"]
