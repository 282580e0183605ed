"""What an account holds, read from the local server as the official SDK made it there."""

from base64 import b64encode, urlsafe_b64encode
from datetime import UTC, datetime
from hashlib import sha256

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qstash import QStash

from qstash_jobs.local.serve import start_server
from qstash_jobs.message import FlowControl
from qstash_jobs.outcome import Misconfigured, Unknown
from qstash_jobs.transport import open_line
from qstash_jobs.wire.http import Reply, Request
from qstash_jobs.wire.resources import flow_controls, groups, queues, schedules
from qstash_jobs.wire.resources.fields import Redacted, read_value
from qstash_jobs.wire.resources.lists import (
    ask_flow_controls,
    ask_groups,
    ask_queues,
    ask_schedules,
    read_list,
    read_names,
)
from qstash_jobs.wire.server import read_server

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def server():
    with start_server() as server:
        yield server


@pytest.fixture
def client(server):
    client = QStash(server.token, base_url=server.url)
    yield client
    client.http._client.close()


def send(server, request: Request, token: str | None = None):
    line = open_line(read_server(server.url), token or server.token, environment={})
    try:
        return line.connect() or line.send(request, may_send=lambda: True)
    finally:
        line.close()


def names(server, request: Request, token: str | None = None):
    return read_names(send(server, request, token), now=NOW)


def test_what_the_sdk_makes_is_found_by_name(server, client):
    client.url_group.upsert_endpoints("orders", [{"url": "https://example.com/hook", "name": "one"}])
    client.queue.upsert("invoices")
    assert names(server, ask_groups()) == {"orders"}
    assert names(server, ask_queues()) == {"invoices"}


def test_an_empty_account_has_no_names(server):
    assert names(server, ask_groups()) == frozenset()


def test_a_wrong_token_is_said_to_be_one(server):
    assert isinstance(names(server, ask_groups(), "wrong"), Misconfigured)


@given(body=st.binary(max_size=200))
def test_no_answer_is_taken_for_a_list_that_is_none(body):
    names = read_names(Reply(status=200, body=body), now=NOW)
    assert isinstance(names, Unknown | frozenset)


def test_a_schedule_of_the_sdk_is_read_with_all_that_it_was_given(server, client):
    client.schedule.create(
        destination="https://example.com/nightly?a=1",
        cron="CRON_TZ=Europe/Berlin  0 4 * * *",
        schedule_id="nightly",
        body='{"a": 1}',
        content_type="application/json",
        method="PUT",
        headers={"x-one": "1"},
        retries=2,
        retry_delay="1000 * retried",
        timeout="30s",
        delay="1h30m",
        callback="https://example.com/callback",
        failure_callback="https://example.com/failed",
        label="a,b",
        flow_control={"key": "k", "parallelism": 2, "rate": 3, "period": "1m"},
    )
    client.schedule.pause("nightly")
    (found,) = read_list(send(server, ask_schedules()), schedules.read_schedule, now=NOW)
    assert found == schedules.ObservedSchedule(
        id="nightly",
        destination="https://example.com/nightly?a=1",
        cron="0 4 * * *",
        timezone="Europe/Berlin",
        method="PUT",
        body=b'{"a": 1}',
        headers=(("X-One", "1"),),
        content_type="application/json",
        delay_s=5400,
        retries=2,
        retry_delay="1000 * retried",
        timeout_s=30,
        callback="https://example.com/callback",
        failure_callback="https://example.com/failed",
        flow_control=FlowControl(key="k", parallelism=2, rate=3, period_s=60),
        labels=("a", "b"),
        paused=True,
    )


def test_a_schedule_of_the_sdk_for_a_queue_and_a_group_is_read_with_both(server, client):
    client.url_group.upsert_endpoints("orders", [{"url": "https://example.com/1"}])
    client.schedule.create(destination="orders", cron="* * * * *", queue="invoices")
    (found,) = read_list(send(server, ask_schedules()), schedules.read_schedule, now=NOW)
    assert (found.destination, found.queue, found.timezone, found.body) == ("orders", "invoices", None, b"")


def test_what_is_redacted_is_known_by_its_digest_and_not_given_back(server, client):
    client.schedule.create(
        destination="https://example.com",
        cron="* * * * *",
        body="secret",
        headers={"Authorization": "Bearer t"},
        redact={"body": True, "header": ["Authorization"]},
    )
    (found,) = read_list(send(server, ask_schedules()), schedules.read_schedule, now=NOW)
    (header,) = found.headers
    assert header[0] == "Authorization"
    assert header[1].hides(b"Bearer t")
    assert not header[1].hides(b"Bearer u")
    assert found.body.hides(b"secret")
    assert "secret" not in repr(found)
    assert "Bearer" not in repr(found)


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_a_digest_is_the_same_in_hex_and_in_base64(value, other):
    digest = sha256(value)
    for text in (
        digest.hexdigest(),
        digest.hexdigest().upper(),
        b64encode(digest.digest()).decode(),
        urlsafe_b64encode(digest.digest()).decode(),
        urlsafe_b64encode(digest.digest()).decode().rstrip("="),
    ):
        hidden = read_value(f"REDACTED:{text}")
        assert isinstance(hidden, Redacted)
        assert hidden.hides(value)
        assert hidden.hides(other) == (other == value)


def test_a_group_of_the_sdk_is_read_and_its_headers_with_it(server, client):
    client.url_group.upsert_endpoints(
        "orders", [{"url": "https://example.com/1", "name": "one"}, {"url": "https://example.com/2"}]
    )
    assert send(server, groups.put_group_headers("orders", {"X-Group": "orders"})).status == 200
    (found,) = read_list(send(server, ask_groups()), groups.read_group, now=NOW)
    assert found == groups.ObservedGroup(
        name="orders",
        endpoints=(
            groups.Endpoint(url="https://example.com/1", name="one"),
            groups.Endpoint(url="https://example.com/2"),
        ),
        headers=(("X-Group", "orders"),),
    )


def test_a_group_loses_the_endpoints_that_were_named_and_no_others(server, client):
    one, two = (groups.Endpoint(url="https://example.com/1", name=name) for name in ("one", "two"))
    send(server, groups.put_endpoints("orders", [one, two]))
    send(server, groups.remove_endpoints("orders", [one]))
    assert [each.name for each in client.url_group.get("orders").endpoints] == ["two"]


def test_a_queue_is_changed_with_both_of_its_settings(server, client):
    client.queue.upsert("invoices", parallelism=4, paused=True)
    (found,) = read_list(send(server, ask_queues()), queues.read_queue, now=NOW)
    assert found == queues.ObservedQueue(name="invoices", parallelism=4, paused=True)
    send(server, queues.put_queue("invoices", parallelism=5, paused=found.paused))
    changed = client.queue.get("invoices")
    assert (changed.parallelism, changed.paused) == (5, True)


def test_only_what_is_pinned_of_a_flow_control_key_is_observed(server):
    send(server, flow_controls.pin_flow_control("api", parallelism=3, rate=None, period_s=None))
    read = flow_controls.read_flow_control
    (found,) = read_list(send(server, ask_flow_controls()), read, now=NOW)
    assert found == flow_controls.ObservedFlowControl(key="api", parallelism=3)
    send(server, flow_controls.pin_flow_control("api", parallelism=None, rate=10, period_s=60))
    (found,) = read_list(send(server, ask_flow_controls()), read, now=NOW)
    assert found == flow_controls.ObservedFlowControl(key="api", parallelism=3, rate=10, period_s=60)
    send(server, flow_controls.unpin_flow_control("api", parallelism=True, rate=True))
    (found,) = read_list(send(server, ask_flow_controls()), read, now=NOW)
    assert found == flow_controls.ObservedFlowControl(key="api")


READERS = (
    schedules.read_schedule,
    groups.read_group,
    queues.read_queue,
    flow_controls.read_flow_control,
)
FIELDS = [
    *("scheduleId", "destination", "cron", "header", "body", "bodyBase64", "delay", "callback", "isPaused"),
    *("flowControlKey", "parallelism", "period", "label", "labels", "name", "endpoints", "headers", "lag"),
    *("isPinnedRate", "isPinnedParallelism", "rateMax", "ratePeriod"),
]
TEXTS = st.sampled_from(["", "a", "5s", "* * * * *", "REDACTED:00", "\U0001f600"])
JSON = st.one_of(
    st.sampled_from([None, True, False, 0, -1, 2**40, 1.5, [], {}, [{}], [{"url": 1}], [{"url": "u"}]]),
    TEXTS,
    st.lists(TEXTS, max_size=2),
    st.dictionaries(TEXTS, st.lists(TEXTS, max_size=2) | TEXTS | st.integers(-9, 9), max_size=2),
)


@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=8), max_size=2))
def test_whatever_an_entry_holds_it_is_read_or_the_whole_list_is_in_doubt(entries):
    for read in READERS:
        found = read_list(Reply(status=200, body=orjson.dumps(entries)), read, now=NOW)
        assert isinstance(found, Unknown) or len(found) == len(entries)


def test_an_entry_that_cannot_be_made_out_is_told_and_not_taken_for_absent():
    body = orjson.dumps([{"name": "a", "parallelism": 1}, {"name": "b"}])
    found = read_list(Reply(status=200, body=body), queues.read_queue, now=NOW)
    assert isinstance(found, Unknown)
    assert "entry 2" in found.reason


def test_a_list_that_was_never_filled_is_empty():
    assert read_list(Reply(status=200, body=b"null"), queues.read_queue, now=NOW) == ()
