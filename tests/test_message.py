"""Rendered fields -> a message: units read, bodies encoded, moments placed in their zones."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipeline import envelopes, problems_of

from qstash_jobs.message import Message, UnreadableError, write_json
from qstash_jobs.message.content import read_content
from qstash_jobs.message.moment import read_not_before

URL = {"url": "https://api.example.com/x"}


def message(tmp_path, **fields: Any) -> Message:
    (envelope,) = envelopes(tmp_path, {**URL, **fields})
    return envelope.message


def moment(value: Any, zone: str | None = None) -> datetime:
    return read_not_before({"not_before": value} | ({"timezone": zone} if zone else {}))


def test_a_whole_number_with_a_point_is_a_whole_number(tmp_path) -> None:
    (tmp_path / "job.yaml").write_text(
        "url: https://a.example.com\ndelay: 3.0\ntimeout: 1e1\nretries: 2.0\n"
        "dedup: {key: a, window: 900.0}\nflow_control: {key: k, rate: 5.0, period: 60.0}\n"
        "callback: {url: 'https://b.example.com', timeout: 4.0}\n"
    )
    from pipeline import envelopes_of, open_session

    (envelope,) = envelopes_of(open_session(tmp_path))
    found = envelope.message
    assert (found.delay_s, found.timeout_s, found.retries, found.dedup.window_s) == (3, 10, 2, 900)
    assert found.flow_control is not None
    assert (found.flow_control.rate, found.flow_control.period_s) == (5, 60)
    assert found.callback is not None
    assert found.callback.timeout_s == 4


@pytest.mark.parametrize(
    ("value", "zone", "expected"),
    [
        ("2026-12-24T18:00:00+01:00", None, "2026-12-24T17:00:00"),
        ("2026-12-24T18:00:00Z", "Europe/Berlin", "2026-12-24T18:00:00"),
        ("2026-12-24T18:00:00", "Europe/Berlin", "2026-12-24T17:00:00"),
        ("2026-07-24T18:00:00.999", "America/New_York", "2026-07-24T22:00:00"),
        (1_800_000_000, None, "2027-01-15T08:00:00"),
        (Decimal("1800000000"), None, "2027-01-15T08:00:00"),
    ],
)
def test_a_time_is_one_moment(value: Any, zone: str | None, expected: str) -> None:
    assert moment(value, zone) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "zone", "sentence"),
    [
        ("2030-03-31T02:30:00", "Europe/Berlin", "does not exist: the clocks skip it"),
        ("2030-10-27T02:30:00", "Europe/Berlin", "happens twice: the clocks go back over it"),
        ("2030-10-27T02:30:00", None, "no offset"),
        ("2030-10-27T02:30:00", "Mars/Olympus", "there is no time zone Mars/Olympus"),
        ("2030-10-27T02:30:00", "../../etc/passwd", "there is no time zone"),
        ("2030-10-27T02:30:00", "\0", "there is no time zone"),
        ("tomorrow", None, "this is not a time: tomorrow"),
        ("9999-12-31T23:59:59-14:00", None, "before or after all years"),
        ("0001-01-01T00:00:00", "Asia/Tokyo", "before or after all years"),
        (1_800_000_000_000, None, "in milliseconds"),
    ],
)
def test_a_time_that_is_none_or_two_is_told(value: Any, zone: str | None, sentence: str) -> None:
    with pytest.raises(UnreadableError, match=sentence):
        moment(value, zone)


@settings(deadline=None, max_examples=300)
@given(
    st.datetimes(),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
def test_every_local_time_is_placed_or_refused_and_never_moved(local: datetime, name: str) -> None:
    try:
        placed = moment(local.isoformat(), name)
    except UnreadableError:
        return
    assert placed.astimezone(ZoneInfo(name)).replace(tzinfo=None) == local.replace(microsecond=0)
    assert placed.utcoffset() == timedelta(0)


def read_nothing(name: str) -> bytes:
    raise AssertionError(name)


@pytest.mark.parametrize(
    ("fields", "body", "content_type", "binary"),
    [
        ({}, b"", None, False),
        ({"body": "hi"}, b"hi", "text/plain; charset=utf-8", False),
        ({"body": {"b": 1, "a": [True, None]}}, b'{"b":1,"a":[true,null]}', "application/json", False),
        ({"body": Decimal("10.10")}, b"10.10", "application/json", False),
        ({"body": 2**70}, str(2**70).encode(), "application/json", False),
        ({"body": False}, b"false", "application/json", False),
        ({"body_base64": "AP8=\n"}, b"\0\xff", None, True),
        ({"body_base64": "aGk="}, b"hi", None, False),
    ],
)
def test_a_body_s_kind_decides_its_bytes_and_its_type(fields, body, content_type, binary) -> None:
    assert read_content(fields, read_nothing) == (body, content_type, binary)


@pytest.mark.parametrize(
    ("name", "content_type"),
    [("a.json", "application/json"), ("a.html", "text/html"), ("a", None), ("a.png", "image/png")],
)
def test_a_file_s_type_is_guessed_from_its_name(name: str, content_type: str | None) -> None:
    assert read_content({"body_file": name}, lambda _: b"{}") == (b"{}", content_type, False)


def test_what_is_no_base64_is_told() -> None:
    for text in ("a", "not base64!", "aGk=x", "ä"):
        with pytest.raises(UnreadableError, match="this is not base64"):
            read_content({"body_base64": text}, read_nothing)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(deadline=None)
@given(json_values)
def test_json_keeps_the_digits_of_numbers(value: Any) -> None:
    import json

    assert json.loads(write_json(value), parse_float=Decimal, parse_int=Decimal) == as_decimals(value)


def as_decimals(value: Any) -> Any:
    match value:
        case bool() | None | str():
            return value
        case int():
            return Decimal(value)
        case list():
            return [as_decimals(item) for item in value]
        case dict():
            return {key: as_decimals(item) for key, item in value.items()}
        case _:
            return value


def test_the_same_fields_are_the_same_bytes(tmp_path) -> None:
    fields = {"body": {"z": 1, "a": {"c": [1, 2], "b": "ü"}}, "headers": {"X-B": "1", "X-A": "2"}}
    first, second = (envelopes(tmp_path, {**URL, **fields})[0].request for _ in range(2))
    assert first == second
    assert first.body == orjson.dumps(fields["body"])


def test_a_duration_that_cannot_be_meant_is_told_at_its_place(tmp_path) -> None:
    for field in ("delay", "timeout"):
        (problem,) = problems_of(tmp_path, {**URL, field: "999999999999d"})
        assert problem.rule == "schema-duration"
        assert problem.path == (field,)


def test_a_body_goes_out_without_a_type_where_the_file_says_so(cli) -> None:
    cli.write("qstash-jobs.yaml", "project: p\n")
    typeless = (
        "schedules: {s: {cron: '0 4 * * *', url: https://example.com, body: plain, content_type: none}}\n"
        "jobs: {one: {url: https://example.com, body: {a: 1}, content_type: none}}\n"
    )
    cli.write("jobs/a.yaml", typeless)
    assert cli("apply", "jobs", "--yes").code == 0
    assert cli("plan", "jobs", "--exit-code").code == 0
    assert cli("run", "jobs", "--yes").code == 0
    sent = [one for one in cli.sent if one.body]
    assert [one.body for one in sent] == [b"plain", b'{"a":1}']
    assert not [one for one in sent if "content-type" in {name.lower() for name, _ in one.headers}]
    cli.write("jobs/a.yaml", typeless.replace("none", "text/plain"))
    assert cli("plan", "jobs", "--exit-code").code == 8
