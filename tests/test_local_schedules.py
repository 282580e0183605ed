"""The local server's schedules: made and changed by the official SDK, fired by time that passes, never by a jump."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from qstash import QStash, Receiver
from qstash.errors import QStashError
from qstash.schedule import ScheduleState

from qstash_jobs.local import FREE, Delivery, LocalServer, SinkAnswer, start_server
from qstash_jobs.local.routes import Call, answer
from qstash_jobs.local.world.account import DEV_USERS
from qstash_jobs.local.world.schedules import fire_due
from qstash_jobs.local.world.world import World

URL = "https://example.com/hook"


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with start_server() as running:
        leave_the_minute(running)
        yield running
        receiver = Receiver(running.current_signing_key, running.next_signing_key)
        for delivery in running.deliveries():
            receiver.verify(
                signature=dict(delivery.headers)["Upstash-Signature"],
                body=delivery.body.decode(),
                url=delivery.url,
            )


@pytest.fixture
def client(server: LocalServer) -> Iterator[QStash]:
    sdk = QStash(server.token, base_url=server.url, retry=False)
    yield sdk
    sdk.http._client.close()


def leave_the_minute(server: LocalServer) -> None:
    """Let time pass to just behind a full minute: during a test, the wall clock then reaches no other."""
    server.advance(60.5 - datetime.now(UTC).timestamp() % 60)


def pass_time(server: LocalServer, **time: float) -> list[Delivery]:
    """Let time pass; return what was delivered meanwhile."""
    before = server.delivery_count
    server.advance(timedelta(**time).total_seconds())
    assert server.wait_idle(10)
    return server.deliveries()[before:]


def moment(milliseconds: int | None) -> datetime:
    assert milliseconds is not None
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def test_a_schedule_reads_back_as_it_was_made(server: LocalServer, client: QStash) -> None:
    made = client.schedule.create(
        destination=URL + "?a=1",
        cron="*/10 * * * *",
        body="x",
        content_type="text/plain",
        method="PUT",
        headers={"x-mine": "1"},
        retries=2,
        retry_delay="1000",
        callback="https://example.com/callback",
        failure_callback="https://example.com/failure",
        delay=10,
        timeout="30s",
        schedule_id="nightly",
        flow_control={"key": "api", "rate": 2, "period": "1m"},
        label="red",
    )
    assert made == "nightly"
    found = client.schedule.get("nightly")
    assert (found.destination, found.cron, found.method) == (URL + "?a=1", "*/10 * * * *", "PUT")
    assert (found.body, found.headers) == ("x", {"X-Mine": ["1"], "Content-Type": ["text/plain"]})
    assert (found.retries, found.retry_delay_expression, found.delay, found.timeout) == (2, "1000", 10, 30)
    assert (found.callback, found.failure_callback) == (
        "https://example.com/callback",
        "https://example.com/failure",
    )
    assert found.flow_control is not None
    assert (found.flow_control.key, found.flow_control.rate, found.flow_control.period) == ("api", 2, 60)
    assert (found.label, found.paused, found.queue, found.caller_ip) == ("red", False, None, "127.0.0.1")
    assert found.last_schedule_time is None
    upcoming = moment(found.next_schedule_time)
    assert (upcoming.minute % 10, upcoming.second) == (0, 0)
    assert timedelta() < upcoming - datetime.now(UTC) <= timedelta(minutes=11)
    assert [one.schedule_id for one in client.schedule.list()] == ["nightly"]


def test_a_schedule_publishes_each_time_that_it_is_due(server: LocalServer, client: QStash) -> None:
    made = client.schedule.create_json(destination=URL, cron="* * * * *", body={"n": 1}, label="red")
    assert made.startswith("scd_")
    due = moment(client.schedule.get(made).next_schedule_time)
    found = pass_time(server, minutes=5)
    assert len(found) == 5
    assert all(dict(one.headers)["Upstash-Schedule-Id"] == made for one in found)
    assert len({one.message_id for one in found}) == 5
    assert [round((one.at - found[0].at).total_seconds()) for one in found] == [0, 60, 120, 180, 240]
    schedule = client.schedule.get(made)
    assert moment(schedule.last_schedule_time) == due + timedelta(minutes=4)
    assert moment(schedule.next_schedule_time) == due + timedelta(minutes=5)
    assert schedule.last_schedule_states == {found[4].message_id: ScheduleState.SUCCESS}
    assert len(client.log.list(filter={"schedule_id": made, "label": "red"}).logs) == 15
    assert client.log.list(filter={"schedule_id": "scd_other"}).logs == []


def test_a_zone_moves_the_times(server: LocalServer, client: QStash) -> None:
    client.schedule.create(destination=URL, cron="CRON_TZ=Asia/Kathmandu 30 4 * * *", schedule_id="a")
    upcoming = moment(client.schedule.get("a").next_schedule_time).astimezone(ZoneInfo("Asia/Kathmandu"))
    assert (upcoming.hour, upcoming.minute) == (4, 30)
    assert client.schedule.get("a").cron == "CRON_TZ=Asia/Kathmandu 30 4 * * *"
    assert len(pass_time(server, days=3)) == 3


def test_a_second_schedule_with_the_same_id_takes_the_place_of_the_first(
    server: LocalServer, client: QStash
) -> None:
    client.schedule.create(destination=URL, cron="* * * * *", schedule_id="a", body="1", label="red")
    created_at = client.schedule.get("a").created_at
    client.schedule.pause("a")
    client.schedule.create(destination=URL + "/2", cron="0 * * * *", schedule_id="a", body="2")
    (found,) = client.schedule.list()
    assert (found.destination, found.cron, found.body, found.label) == (URL + "/2", "0 * * * *", "2", None)
    assert (found.created_at, found.paused) == (created_at, True)
    client.schedule.resume("a")
    assert {one.body for one in pass_time(server, hours=2)} == {b"2"}
    assert server.delivery_count == 2


def test_a_paused_schedule_rests_and_makes_up_for_nothing(server: LocalServer, client: QStash) -> None:
    client.schedule.create(destination=URL, cron="* * * * *", schedule_id="a")
    client.schedule.pause("a")
    assert client.schedule.get("a").paused
    assert client.schedule.get("a").next_schedule_time is None
    assert pass_time(server, minutes=10) == []
    client.schedule.resume("a")
    assert len(pass_time(server, minutes=2)) == 2


@pytest.mark.parametrize("verb", ["POST", "PATCH"])
def test_both_verbs_pause_and_resume(client: QStash, verb: str) -> None:
    client.schedule.create(destination=URL, cron="* * * * *", schedule_id="a")
    for word in ("pause", "resume"):
        client.http.request(path=f"/v2/schedules/a/{word}", method=verb, parse_response=False)  # type: ignore[arg-type]
        assert client.schedule.get("a").paused == (word == "pause")


def test_a_deleted_schedule_is_gone_and_its_messages_are_not(server: LocalServer, client: QStash) -> None:
    server.make_queue("held", paused=True)
    client.schedule.create(destination=URL, cron="* * * * *", schedule_id="a", queue="held")
    assert pass_time(server, minutes=2) == []
    client.schedule.delete("a")
    for gone in (client.schedule.get, client.schedule.delete, client.schedule.pause):
        with pytest.raises(QStashError, match="404"):
            gone("a")
    client.queue.resume("held")
    pass_time(server, minutes=10)
    assert server.delivery_count == 2


def test_what_became_of_the_last_time_is_told() -> None:
    with start_server(answer=lambda _: SinkAnswer(status=500)) as server:
        client = QStash(server.token, base_url=server.url, retry=False)
        leave_the_minute(server)
        server.make_group("orders", {"one": URL + "/1", "two": URL + "/2"})
        server.make_queue("held", paused=True)
        client.schedule.create(destination="orders", cron="* * * * *", retries=0, schedule_id="fails")
        client.schedule.create(destination=URL, cron="* * * * *", queue="held", schedule_id="waits")
        pass_time(server, minutes=1)
        failed = client.schedule.get("fails").last_schedule_states
        waiting = client.schedule.get("waits").last_schedule_states
        assert failed is not None
        assert waiting is not None
        assert list(failed.values()) == [ScheduleState.FAIL] * 2
        assert list(waiting.values()) == [ScheduleState.IN_PROGRESS]
        assert len(client.dlq.list(filter={"schedule_id": "fails"}).messages) == 2
        client.url_group.delete("orders")
        pass_time(server, minutes=1)
        assert "invalid scheme" in str(client.schedule.get("fails").error)
        assert client.schedule.get("fails").last_schedule_states == {}
        client.http._client.close()


def test_a_delay_counts_from_each_time(server: LocalServer, client: QStash) -> None:
    client.schedule.create(destination=URL, cron="0 * * * *", delay="10m", schedule_id="a")
    due = moment(client.schedule.get("a").next_schedule_time)
    found = pass_time(server, minutes=75)
    assert abs(found[0].at - due - timedelta(minutes=10)) < timedelta(seconds=5)


def test_a_jump_to_a_delayed_message_fires_no_schedule(server: LocalServer, client: QStash) -> None:
    client.schedule.create(destination=URL + "/scheduled", cron="0 0 1 1 *", delay="10d", schedule_id="a")
    client.message.publish(url=URL, delay="300d")
    assert server.wait_idle(5)
    assert [one.url for one in server.deliveries()] == [URL]


def test_a_schedule_is_redacted_like_a_message(server: LocalServer, client: QStash) -> None:
    client.schedule.create(
        destination=URL,
        cron="* * * * *",
        body="secret",
        headers={"X-Key": "secret"},
        redact={"body": True, "header": True},
        schedule_id="a",
    )
    found = client.schedule.get("a")
    assert "secret" not in str(found)
    assert str(found.body).startswith("REDACTED:")
    assert pass_time(server, minutes=1)[0].body == b"secret"


def test_publishing_with_a_cron_expression_makes_a_schedule(server: LocalServer, client: QStash) -> None:
    made = client.http.request(
        path=f"/v2/publish/{URL}?a=1&upstash-cron=*+*+*+*+*",
        method="POST",
        headers={"Upstash-Cron": "* * * * *"},
        body="x",
    )
    assert client.schedule.get(made["scheduleId"]).destination == URL + "?a=1"
    assert len(pass_time(server, minutes=1)) == 1


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"cron": ""}, "Invalid cron expression empty spec string"),
        ({"cron": "* * * *"}, "Invalid cron expression"),
        ({"cron": "* * * * 7"}, "Invalid cron expression"),
        ({"cron": "CRON_TZ=Mars/Olympus * * * * *"}, "bad location Mars/Olympus"),
        ({"cron": "CRON_TZ=../../etc/passwd * * * * *"}, "bad location"),
        ({"cron": "CRON_TZ=Europe * * * * *"}, "bad location"),
        ({"cron": "CRON_TZ=Europe/Berlin"}, "Invalid cron expression"),
        ({"cron": "@every 1s"}, "Invalid cron expression"),
        ({"schedule_id": "a b"}, "invalid schedule id"),
        ({"destination": "nowhere"}, "endpoint has invalid scheme"),
        ({"queue": "a b"}, "invalid queue name"),
        ({"delay": "2y"}, "unknown unit"),
        ({"retries": 5000}, "quota maxRetries exceeded"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(client: QStash, given: dict[str, object], text: str) -> None:
    with pytest.raises(QStashError, match="status: 400") as refused:
        client.schedule.create(**({"destination": URL, "cron": "* * * * *"} | given))  # type: ignore[arg-type]
    assert text in str(refused.value)
    assert client.schedule.list() == []


@pytest.mark.parametrize("cron", ["@daily", "TZ=Asia/Tokyo @hourly", "0 0 31 2 *", "0 0 * jan-MAR ?"])
def test_what_robfig_reads_is_taken(client: QStash, cron: str) -> None:
    made = client.schedule.create(destination=URL, cron=cron)
    assert client.schedule.get(made).cron == cron
    assert (client.schedule.get(made).next_schedule_time is None) == ("31 2" in cron)


def test_a_plan_allows_so_many_schedules() -> None:
    with start_server(quota=FREE) as server:
        client = QStash(server.token, base_url=server.url, retry=False)
        for number in range(10):
            client.schedule.create(destination=URL, cron="* * * * *", schedule_id=f"s{number}")
        client.schedule.create(destination=URL, cron="0 * * * *", schedule_id="s1")
        with pytest.raises(QStashError, match=r"status: 412.*maxSchedules.*10"):
            client.schedule.create(destination=URL, cron="* * * * *")
        client.http._client.close()


def test_in_real_time_a_machine_that_slept_catches_up_with_one_time() -> None:
    start = 1_800_000_000_000  # on a full minute
    world = World(now_ms=start, make_secret=lambda: "s", real_time=True)
    headers = (("Authorization", f"Bearer {DEV_USERS[0].token}"), ("Upstash-Cron", "* * * * *"))
    answer(world, Call(method="POST", target=f"/v2/schedules/{URL}", headers=headers))
    account = world.accounts[0]
    fired = []
    for seconds in (59, 60, 61, 120, 3600, 3659, 3660):
        world.tick(start + seconds * 1000)
        fire_due(world)
        fired.append(len(account.messages))
    assert fired == [0, 1, 1, 2, 3, 3, 4]
