"""Where a message is now, and what the local receiver got, fits on a line."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qstash_jobs.report.deliveries import (
    Arrival,
    Followed,
    name_event,
    summarise_deliveries,
    write_arrival,
    write_followed,
    write_followed_json,
)
from qstash_jobs.report.escape import UNSAFE
from qstash_jobs.wire.logs import EventState

NOW = datetime(2026, 11, 23, 20, 20, tzinfo=UTC)
DELIVERED = Followed(
    name="hello",
    id="qj-0",
    message_id="msg_x",
    url="https://api.example.com/hello",
    state="delivered",
    at=NOW - timedelta(seconds=4),
    attempts=1,
    response_status=200,
    response_body="ok",
    delivered=True,
)
ARRIVAL = Arrival(
    name="hello",
    message_id="msg_x",
    method="POST",
    url="https://api.example.com/hello",
    status=200,
    after_s=3,
    body=b'{"hello":"world"}',
)
TEXT = st.text(st.characters())


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({}, "delivered hello msg_x 200 4 s ago"),
        (
            {
                "state": "retrying",
                "attempts": 2,
                "next_at": NOW + timedelta(seconds=12),
                "response_status": 500,
                "response_body": "out of\nmemory",
            },
            "retrying hello msg_x after 2 attempts, next in 12 s 500 out of …",
        ),
        (
            {"state": "failed", "attempts": 4, "response_status": 404, "response_body": "no such page"},
            "failed hello msg_x after 4 attempts 404 no such page",
        ),
        (
            {"state": "failed", "response_status": None, "response_body": None, "error": "no route"},
            "failed hello msg_x after 1 attempt no route",
        ),
        ({"state": "waiting", "next_at": NOW + timedelta(hours=3)}, "waiting hello msg_x due in 3 h"),
        ({"state": "unknown", "at": None}, "unknown hello msg_x not in QStash's log yet"),
        ({"state": "cancelled"}, "cancelled hello msg_x 4 s ago"),
    ],
)
def test_each_state_says_what_there_is_to_know(change: dict[str, object], line: str) -> None:
    assert write_followed(replace(DELIVERED, **change), now=NOW) == line  # type: ignore[arg-type]


def test_every_event_of_qstash_has_a_word() -> None:
    assert {name_event(state) for state in EventState} == {
        "waiting",
        "delivering",
        "retrying",
        "delivered",
        "failed",
        "cancelled",
    }
    assert (name_event(None), name_event("PAUSED")) == ("unknown", "paused")


def test_a_long_answer_is_cut_to_the_terminal() -> None:
    followed = replace(DELIVERED, state="failed", response_status=500, response_body="x" * 1_000)

    assert len(write_followed(followed, now=NOW, width=80)) == 80


def test_states_are_summed_up_in_order() -> None:
    assert (
        summarise_deliveries({"retrying": 1, "delivered": 1_200, "failed": 0})
        == "delivered 1,200, retrying 1"
    )
    assert summarise_deliveries({}) == "no messages"


def test_json_holds_every_fact() -> None:
    assert json.loads(write_followed_json(DELIVERED)) == {
        "name": "hello",
        "id": "qj-0",
        "message_id": "msg_x",
        "url": "https://api.example.com/hello",
        "state": "delivered",
        "delivered": True,
        "at": "2026-11-23T20:19:56Z",
        "next_at": None,
        "attempts": 1,
        "response_status": 200,
        "response_body": "ok",
        "error": None,
    }


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({}, 'delivered hello POST https://api.example.com/hello 200 after 3s {"hello":"world"}'),
        ({"after_s": 0.01, "body": b""}, "delivered hello POST https://api.example.com/hello 200 at once"),
        (
            {"status": 503, "attempt": 1, "body": b"\xff\xfe"},
            "failed hello POST https://api.example.com/hello 503 after 3s try 2 (2 bytes that are not text)",
        ),
        (
            {"status": None, "error": "connection refused", "body": b""},
            "failed hello POST https://api.example.com/hello no answer after 3s connection refused",
        ),
    ],
)
def test_the_local_receiver_shows_what_it_got(change: dict[str, object], line: str) -> None:
    assert write_arrival(replace(ARRIVAL, **change)) == line  # type: ignore[arg-type]


def test_a_body_is_cut_to_the_terminal() -> None:
    assert len(write_arrival(replace(ARRIVAL, body=b"x" * 100_000), width=100)) == 100
    assert len(write_arrival(replace(ARRIVAL, body="ü".encode() * 100_000))) < 300


@settings(deadline=None)
@given(
    text=TEXT,
    body=st.binary() | st.text(st.characters(exclude_categories=["Cs"])).map(str.encode),
    state=st.sampled_from([*EventState, None]) | TEXT,
)
def test_no_text_reaches_the_terminal_raw(text: str, body: bytes, state: str | None) -> None:
    followed = replace(
        DELIVERED, name=text, url=text, response_body=text, error=text, state=name_event(state)
    )
    lines = [
        summarise_deliveries({followed.state: 1}),
        write_followed(followed, now=NOW, width=40),
        write_followed_json(followed),
        write_arrival(replace(ARRIVAL, name=text, url=text, body=body, error=text), width=40),
    ]

    assert not [line for line in lines if UNSAFE.search(line)]
    assert json.loads(lines[2])["response_body"] == text
