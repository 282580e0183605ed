"""What QStash's log and its messages say."""

from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qstash_jobs.outcome import Misconfigured, NotSent, Throttled, Unknown
from qstash_jobs.wire.http import Lost, Reply, Unreachable
from qstash_jobs.wire.logs import Event, EventPage, EventState, ask_events, read_events
from qstash_jobs.wire.messages import Gone, PendingMessage, ask_message, read_message

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def page(value: object, status: int = 200) -> Reply:
    return Reply(status=status, body=orjson.dumps(value))


def read_one(entry: dict[str, object]) -> Event:
    read = read_events(page({"events": [entry]}), now=NOW)
    assert isinstance(read, EventPage)
    return read.events[0]


def test_a_question_is_encoded_so_that_it_comes_out_as_it_went_in() -> None:
    request = ask_events(label="a&b=ü", message_ids=["msg_1", "msg 2"], cursor="17/+=", count=5)
    assert request.method == "GET"
    assert urlsplit(request.target).path == "/v2/events"
    assert parse_qsl(urlsplit(request.target).query) == [
        ("count", "5"),
        ("label", "a&b=ü"),
        ("messageIds", "msg_1"),
        ("messageIds", "msg 2"),
        ("cursor", "17/+="),
    ]
    assert request.target.isascii()


def test_an_event_is_read_with_everything_it_says() -> None:
    event = read_one(
        {
            "time": 1767312000000,
            "messageId": "msg_1",
            "state": "RETRY",
            "url": "https://x",
            "error": "timeout",
            "nextDeliveryTime": "1767312060000",
            "labels": ["a", "b"],
            "label": "a",
            "queueName": "q",
            "topicName": "g",
            "scheduleId": "s",
            "responseStatus": 503,
            "responseBody": "bm8=",
        }
    )
    assert event == Event(
        message_id="msg_1",
        state=EventState.RETRY,
        at=datetime(2026, 1, 2, tzinfo=UTC),
        url="https://x",
        error="timeout",
        next_delivery_at=datetime(2026, 1, 2, 0, 1, tzinfo=UTC),
        labels=("a", "b"),
        queue="q",
        group="g",
        schedule="s",
        response_status=503,
        response_body="no",
    )


@pytest.mark.parametrize("key", ["events", "logs"])
def test_both_names_of_the_list_are_read(key: str) -> None:
    read = read_events(page({key: [{"messageId": "m", "state": "ACTIVE"}], "cursor": "7"}), now=NOW)
    assert read == EventPage(events=(Event(message_id="m", state="ACTIVE"),), cursor="7")


@pytest.mark.parametrize("state", ["CANCELLED", "CANCELED"])
def test_both_spellings_of_cancelled_are_one_state(state: str) -> None:
    event = read_one({"messageId": "m", "state": state})
    assert event.state == EventState.CANCELLED
    assert event.is_terminal


@pytest.mark.parametrize(
    ("state", "terminal"),
    [
        ("CREATED", False),
        ("ACTIVE", False),
        ("ERROR", False),
        ("DELIVERED", True),
        ("FAILED", True),
        ("NEW", False),
    ],
)
def test_a_message_is_through_when_delivered_failed_or_cancelled(state: str, terminal: bool) -> None:
    event = read_one({"messageId": "m", "state": state})
    assert (event.state, event.is_terminal) == (state, terminal)


@pytest.mark.parametrize("cursor", [None, "", 0])
def test_an_empty_cursor_is_the_end(cursor: object) -> None:
    assert read_events(page({"events": [], "cursor": cursor}), now=NOW) == EventPage(events=())


def test_labels_are_read_in_every_form() -> None:
    assert read_one({"messageId": "m", "label": "a, b"}).labels == ("a", "b")
    assert read_one({"messageId": "m", "label": ["a"]}).labels == ("a",)
    assert read_one({"messageId": "m", "labels": [], "label": 3}).labels == ()


def test_a_body_that_is_not_base64_stays_as_it_came_and_is_bounded() -> None:
    assert read_one({"messageId": "m", "responseBody": "not base64!"}).response_body == "not base64!"
    long = read_one({"messageId": "m", "responseBody": "QUJD" * 100_000}).response_body
    assert long is not None
    assert long.startswith("ABC")
    assert len(long) == 2000


def test_entries_that_name_no_message_are_left_out() -> None:
    read = read_events(
        page({"events": [None, {"state": "ACTIVE"}, {"messageId": 4}, {"messageId": "m"}]}), now=NOW
    )
    assert read == EventPage(events=(Event(message_id="m", state=""),))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"events": {}}', b"\xff"])
def test_an_answer_that_is_no_log_is_unknown(body: bytes) -> None:
    assert isinstance(read_events(Reply(status=200, body=body), now=NOW), Unknown)


def test_a_log_that_cannot_be_read_says_why() -> None:
    assert isinstance(read_events(Unreachable(reason="x"), now=NOW), NotSent)
    assert isinstance(read_events(Lost(reason="x"), now=NOW), Unknown)
    assert isinstance(read_events(page({"error": "no"}, 401), now=NOW), Misconfigured)
    assert isinstance(read_events(page({"error": "no"}, 429), now=NOW), Throttled)


values = (
    st.none() | st.booleans() | st.integers(-9, 2**63) | st.floats() | st.text(max_size=8) | st.just([1, "a"])
)
names = [
    "messageId",
    "time",
    "state",
    "labels",
    "label",
    "nextDeliveryTime",
    "responseStatus",
    "responseBody",
    "cursor",
]
entries = st.dictionaries(st.sampled_from(names), values)


@settings(deadline=None, max_examples=300)
@given(entry=entries, cursor=values)
def test_any_entry_is_read_without_an_error(entry: dict[str, object], cursor: object) -> None:
    read = read_events(page({"events": [{**entry, "messageId": "m"}], "cursor": cursor}), now=NOW)
    assert isinstance(read, EventPage)
    assert read.events[0].message_id == "m"
    read_message(page(entry), now=NOW)


# -- messages


def test_a_message_that_waits_is_read() -> None:
    assert ask_message("msg/1?").target == "/v2/messages/msg%2F1%3F"
    body = {"messageId": "msg_1", "url": "https://x", "labels": ["a"], "notBefore": 1767312000000}
    assert read_message(page(body), now=NOW) == PendingMessage(
        message_id="msg_1", url="https://x", labels=("a",), not_before=datetime(2026, 1, 2, tzinfo=UTC)
    )


def test_an_empty_id_is_never_asked_for_because_it_would_mean_all_messages() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        ask_message("")


def test_a_message_that_is_gone_is_told_apart_from_a_token_of_another_region() -> None:
    assert read_message(page({"error": "message not found"}, 404), now=NOW) == Gone()
    elsewhere = page({"error": "user (a) not found in this region (eu-central-1)"}, 404)
    assert isinstance(read_message(elsewhere, now=NOW), Misconfigured)
    assert isinstance(read_message(page({}), now=NOW), Unknown)
