"""What an answer means for a message."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qstash_jobs.outcome import (
    Deduplicated,
    Endpoint,
    Limit,
    Misconfigured,
    NotSent,
    Outcome,
    Partial,
    Published,
    Rejected,
    Throttled,
    Unknown,
)
from qstash_jobs.wire.http import Answer, Held, Lost, Reply, Unreachable, Untrusted
from qstash_jobs.wire.refusal import TEXT_LENGTH
from qstash_jobs.wire.reply import WholeRefused, read_batch, read_publish

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def reply(status: int, value: object = b"", **headers: str) -> Reply:
    body = value if isinstance(value, bytes) else orjson.dumps(value)
    return Reply(
        status=status, body=body, headers=tuple((k.replace("_", "-"), v) for k, v in headers.items())
    )


def one(answer: Answer, *, group: bool = False) -> Outcome:
    return read_publish(answer, group=group, now=NOW)


def many(answer: Answer, *groups: bool) -> tuple[Outcome, ...] | WholeRefused:
    return read_batch(answer, groups=groups, now=NOW)


def endpoints(*ids: str, deduplicated: bool = False) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(message_id=id_, deduplicated=deduplicated) for id_ in ids)


# -- accepted


@pytest.mark.parametrize("status", [200, 201, 299])
def test_any_2xx_with_a_message_id_is_published(status: int) -> None:
    assert one(reply(status, {"messageId": "msg_1"})) == Published(
        status=status, endpoints=endpoints("msg_1")
    )


@pytest.mark.parametrize(
    ("status", "more"), [(202, {}), (200, {"deduplicated": True}), (202, {"deduplicated": True})]
)
def test_status_202_or_the_flag_is_a_duplicate(status: int, more: dict[str, object]) -> None:
    outcome = one(reply(status, {"messageId": "msg_1", **more}))
    assert outcome == Deduplicated(status=status, endpoints=endpoints("msg_1", deduplicated=True))


def test_an_explicit_flag_counts_more_than_status_202() -> None:
    outcome = one(reply(202, {"messageId": "msg_1", "deduplicated": False}))
    assert outcome == Published(status=202, endpoints=endpoints("msg_1"))


@pytest.mark.parametrize(
    "body",
    [
        [{"messageId": "a", "url": "https://x"}, {"messageId": "b"}],
        {"messages": [{"messageId": "a", "url": "https://x"}, {"messageId": "b"}]},
    ],
)
def test_a_group_is_published_with_one_id_for_each_endpoint(body: object) -> None:
    outcome = one(reply(200, body), group=True)
    assert outcome == Published(
        status=200, endpoints=(Endpoint(message_id="a", url="https://x"), Endpoint(message_id="b"))
    )


def test_a_group_may_answer_with_a_single_object() -> None:
    assert one(reply(200, {"messageId": "a"}), group=True) == Published(status=200, endpoints=endpoints("a"))


def test_a_group_without_endpoints_is_rejected() -> None:
    assert one(reply(200, []), group=True) == Rejected(status=200, error="the group has no endpoints")


def test_a_group_is_a_duplicate_only_where_every_endpoint_is() -> None:
    mixed = one(reply(202, [{"messageId": "a", "deduplicated": True}, {"messageId": "b"}]), group=True)
    assert isinstance(mixed, Published)
    assert [endpoint.deduplicated for endpoint in mixed.endpoints] == [True, False]
    assert isinstance(one(reply(200, [{"messageId": "a", "deduplicated": True}]), group=True), Deduplicated)
    assert isinstance(one(reply(202, [{"messageId": "a"}, {"messageId": "b"}]), group=True), Deduplicated)


def test_a_group_whose_endpoints_were_refused_in_part_is_partial() -> None:
    outcome = one(reply(200, [{"messageId": "a"}, {"url": "https://y", "error": "too large"}]), group=True)
    assert outcome == Partial(
        status=200,
        endpoints=(Endpoint(message_id="a"), Endpoint(message_id="", url="https://y", error="too large")),
    )


def test_a_group_whose_endpoints_were_all_refused_in_words_is_rejected() -> None:
    outcome = one(reply(200, [{"error": "too large"}, {"error": "too large"}]), group=True)
    assert outcome == Rejected(status=200, error="too large")


# -- a 2xx that proves nothing


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>hello</html>",
        b'{"messageId": "msg_1"',
        b'{"messageId": "msg_1"} x',
        b"\xff\xfe",
        b"null",
        b"[]",
        b'"msg_1"',
        b"{}",
        b'{"messageId": ""}',
        b'{"messageId": "  "}',
        b'{"messageId": 7}',
        b'{"messageId": ["msg_1"]}',
        b'[{"messageId": "msg_1"}]',
        b'{"error": "no"}',
        b"[" * 5000,
    ],
)
def test_a_2xx_without_a_message_id_is_in_doubt(body: bytes) -> None:
    outcome = one(reply(200, body))
    assert isinstance(outcome, Unknown)
    assert outcome.status == 200


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[null]", b"[{}]", b'[{"messageId": 3}]', b'{"messages": 3}', b"7"]
)
def test_a_2xx_of_a_group_without_any_id_is_in_doubt(body: bytes) -> None:
    assert isinstance(one(reply(200, body), group=True), Unknown)


def test_a_cut_at_any_byte_of_an_acceptance_is_never_published() -> None:
    body = b'{"messageId": "msg_1", "deduplicated": false}'
    for length in range(len(body)):
        assert isinstance(one(reply(200, body[:length])), Unknown), length


# -- refused


@pytest.mark.parametrize("status", [400, 404, 405, 406, 410, 411, 412, 413, 414, 415, 418, 422, 431, 499])
def test_a_refusal_keeps_the_services_own_words(status: int) -> None:
    outcome = one(reply(status, {"error": "quota maxDelay exceeded, current limit: 604800"}))
    assert outcome == Rejected(status=status, error="quota maxDelay exceeded, current limit: 604800")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "refused with status 400, without a reason"),
        (b"\n  no such thing \nstack", "no such thing"),
        (b"<!DOCTYPE html>\n<html><head><title>Request  too large</title></head>", "Request too large"),
        (b'{"error": {"message": "bad", "code": 7}}', "bad"),
        (b'{"error": {"code": 7}}', '{"code":7}'),
        (b'{"detail": "bad"}', '{"detail":"bad"}'),
        (b'"plain"', "plain"),
        (b"\xff\xfe", "��"),
        (b'{"a":' * 600 + b"1" + b"}" * 600, "refused with status 400, without a reason"),
    ],
)
def test_a_refusal_in_any_shape_has_words(body: bytes, error: str) -> None:
    assert one(reply(400, body)) == Rejected(status=400, error=error)


def test_a_long_refusal_is_shortened_to_one_line() -> None:
    outcome = one(reply(400, {"error": "long \n" * 100_000}))
    assert isinstance(outcome, Rejected)
    assert len(outcome.error) == TEXT_LENGTH
    assert "\n" not in outcome.error


def test_a_group_taken_for_an_address_says_what_that_means() -> None:
    refused = reply(
        400, {"error": "invalid destination url: endpoint has invalid scheme, add http:// or https://"}
    )
    grouped = one(refused, group=True)
    assert isinstance(grouped, Rejected)
    assert grouped.error.endswith("is there no URL group of this name?")
    single = one(refused)
    assert isinstance(single, Rejected)
    assert single.error.endswith("https://")


@pytest.mark.parametrize("status", [100, 103, 408, 409, 425, 500, 502, 503, 504, 599, 600, 999])
def test_a_status_that_does_not_say_refused_is_in_doubt(status: int) -> None:
    outcome = one(reply(status, {"error": "oops"}))
    assert isinstance(outcome, Unknown)
    assert outcome.status == status
    assert "oops" in outcome.reason


# -- for every message alike


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_stops_the_run_with_exit_4(status: int) -> None:
    outcome = one(reply(status, {"error": "invalid token"}))
    assert isinstance(outcome, Misconfigured)
    assert (outcome.exit_code, outcome.status) == (4, status)
    assert "invalid token" in outcome.error


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("user (x@y) not found in this region (eu-central-1)", "https://qstash-us-east-1.upstash.io"),
        ("user (x@y) not found in this region (US_EAST_1)", "https://qstash-eu-central-1.upstash.io"),
        (
            "User not found in this region.",
            "https://qstash-us-east-1.upstash.io or https://qstash-eu-central-1.upstash.io",
        ),
    ],
)
def test_a_token_of_another_region_names_the_address_to_set(text: str, hint: str) -> None:
    outcome = one(reply(404, {"error": text}))
    assert isinstance(outcome, Misconfigured)
    assert outcome.exit_code == 4
    assert outcome.hint == f"set QSTASH_URL to {hint}"


@pytest.mark.parametrize(
    ("location", "where"),
    [
        ("https://token@login.example/x?y", " to login.example"),
        ("/elsewhere", ""),
        ("http://[broken", ""),
        ("", ""),
    ],
)
def test_a_redirect_stops_the_run_and_names_the_other_host(location: str, where: str) -> None:
    outcome = one(reply(302, b"", Location=location))
    assert isinstance(outcome, Misconfigured)
    assert outcome.exit_code == 2
    assert outcome.error == f"the server answers with a redirect (302){where}, which is never followed"


# -- throttled


def test_the_daily_quota_says_when_it_resets() -> None:
    reset = NOW + timedelta(hours=5)
    headers = {"RateLimit_Limit": "1000", "RateLimit_Remaining": "0"}
    for text in (str(int(reset.timestamp())), str(int(reset.timestamp() * 1000)), "18000"):
        outcome = one(reply(429, {"error": "daily"}, RateLimit_Reset=text, **headers))
        assert outcome == Throttled(status=429, limit=Limit.DAILY, resets_at=reset, error="daily"), text


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"Retry_After": "7"}, 7),
        ({"Retry_After": "0.5"}, 0.5),
        ({"Retry_After": "99999999999999"}, 60),
        ({"Retry_After": "-3"}, 0),
        ({"Retry_After": "Fri, 02 Jan 2026 03:04:35 GMT"}, 30),
        ({"Retry_After": "Fri, 02 Jan 2015 03:04:35 GMT"}, 0),
        ({"Retry_After": "soon"}, None),
        ({"Retry_After": "nan"}, None),
        ({"Retry_After": "inf"}, None),
        ({"Retry_After": "Fri, 99 Jan 99999999999 03:04:35 GMT"}, None),
        ({"Burst_RateLimit_Reset": str(int(NOW.timestamp()) + 2)}, 2),
        ({"Burst_RateLimit_Reset": str((int(NOW.timestamp()) + 2) * 1000)}, 2),
        ({"Burst_RateLimit_Reset": "3"}, 3),
        ({"Burst_RateLimit_Reset": "9" * 20}, None),
        ({"Burst_RateLimit_Reset": "x"}, None),
        ({"Burst_RateLimit_Reset": "3", "Retry_After": "1"}, 1),
        ({"RateLimit_Limit": "9", "RateLimit_Remaining": "5", "Burst_RateLimit_Remaining": "0"}, None),
    ],
)
def test_a_burst_limit_waits_as_asked_but_a_minute_at_most(
    headers: dict[str, str], wait_s: float | None
) -> None:
    assert one(reply(429, b"", **headers)) == Throttled(status=429, limit=Limit.BURST, wait_s=wait_s)


# -- no answer


def test_an_exchange_without_an_answer_keeps_what_is_known_of_it() -> None:
    assert one(Unreachable(reason="refused")) == NotSent(reason="refused")
    assert isinstance(one(Held()), NotSent)
    assert one(Untrusted(reason="bad certificate")) == Misconfigured(error="bad certificate", exit_code=2)
    assert one(Lost(reason="cut", status=200)) == Unknown(reason="cut", status=200)
    assert many(Lost(reason="cut"), False, True) == (Unknown(reason="cut"),) * 2


# -- batches


def test_a_batch_is_read_by_index() -> None:
    answer = reply(
        200,
        [
            {"messageId": "a"},
            [{"messageId": "b", "deduplicated": True}],
            {"error": "too large"},
            [],
            {"foo": 1},
            {"messageId": 3},
            None,
            {"messageId": 3, "error": {"message": "no"}},
        ],
    )
    assert many(answer, False, True, False, True, False, False, False, False) == (
        Published(status=200, endpoints=endpoints("a")),
        Deduplicated(status=200, endpoints=endpoints("b", deduplicated=True)),
        Rejected(status=200, error="too large"),
        Rejected(status=200, error="the group has no endpoints"),
        Rejected(status=200, error='{"foo":1}'),
        Unknown(status=200, reason='answered 200 without a message id: {"messageId":3}'),
        Unknown(status=200, reason="answered 200 without a message id"),
        Rejected(status=200, error="no"),
    )


def test_a_batch_of_one_may_be_answered_with_a_bare_object() -> None:
    assert many(reply(200, {"messageId": "a"}), False) == (Published(status=200, endpoints=endpoints("a")),)


@pytest.mark.parametrize("body", [b"{}", b'{"error":"no"}', b'{"foo":1}', b"null", b"[{}]", b"x"])
def test_a_batch_of_one_without_an_id_or_a_list_is_in_doubt(body: bytes) -> None:
    outcomes = many(reply(200, body), False)
    assert isinstance(outcomes, tuple)
    assert [type(outcome) for outcome in outcomes] == [Unknown]


@pytest.mark.parametrize(
    "body", [b"[]", b'[{"messageId":"a"}]', b'[{"messageId":"a"},{"messageId":"b"}', b"{}", b"x"]
)
def test_a_batch_whose_answer_does_not_fit_is_in_doubt_as_a_whole(body: bytes) -> None:
    outcomes = many(reply(200, body), False, False)
    assert isinstance(outcomes, tuple)
    assert [type(outcome) for outcome in outcomes] == [Unknown, Unknown]


def test_a_batch_refused_as_a_whole_is_told_apart_from_refused_messages() -> None:
    assert many(reply(400, {"error": "bad"}), False, False) == WholeRefused(
        outcome=Rejected(status=400, error="bad")
    )


def test_a_batch_refused_for_every_message_alike_says_so_of_each() -> None:
    outcomes = many(reply(401, {"error": "bad"}), False, False)
    assert isinstance(outcomes, tuple)
    assert [type(outcome) for outcome in outcomes] == [Misconfigured, Misconfigured]


# -- anything at all

json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 2**63) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["messageId", "error", "messages", "url", "deduplicated"]), inner)
    ),
    max_leaves=8,
)
bodies = st.binary(max_size=60) | json.map(orjson.dumps)
names = st.sampled_from(
    [
        "Retry-After",
        "Location",
        "RateLimit-Reset",
        "RateLimit-Limit",
        "Burst-RateLimit-Reset",
        "RateLimit-Remaining",
    ]
)
texts = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=30) | st.integers().map(str)
replies = st.builds(
    Reply,
    status=st.integers(0, 999) | st.sampled_from([200, 202, 302, 404, 429]),
    headers=st.lists(st.tuples(names, texts), max_size=4).map(tuple),
    body=bodies,
)


def assert_proven(outcome: Outcome, answer: Reply) -> None:
    if isinstance(outcome, Published | Deduplicated | Partial):
        assert 200 <= answer.status < 300
        assert any(endpoint.message_id.strip() for endpoint in outcome.endpoints)
        orjson.loads(answer.body)
    if isinstance(outcome, Throttled) and outcome.wait_s is not None:
        assert 0 <= outcome.wait_s <= 60


@settings(deadline=None, max_examples=500)
@given(answer=replies, group=st.booleans())
def test_any_answer_is_an_outcome_and_published_is_always_proven(answer: Reply, group: bool) -> None:
    assert_proven(one(answer, group=group), answer)


@settings(deadline=None, max_examples=500)
@given(answer=replies, groups=st.lists(st.booleans(), max_size=3))
def test_any_answer_to_a_batch_is_one_outcome_for_each_message(answer: Reply, groups: list[bool]) -> None:
    outcomes = many(answer, *groups)
    if isinstance(outcomes, WholeRefused):
        assert 400 <= answer.status < 500
        return
    assert len(outcomes) == len(groups)
    for outcome in outcomes:
        assert_proven(outcome, answer)
