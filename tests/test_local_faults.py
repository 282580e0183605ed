"""Faults and switches of the local server: what a user's own tests can ask for, and what its clients then see."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection, IncompleteRead, RemoteDisconnected
from pathlib import Path
from typing import Any

import pytest
from qstash import QStash
from qstash.errors import DailyMessageLimitExceededError, RateLimitExceededError

from qstash_jobs.errors import UsageError
from qstash_jobs.local import LocalServer, User, start_server
from qstash_jobs.local.users import read_users

URL = "https://example.com/hook"
OTHER = "eyJVc2VySUQiOiJ0ZXN0VXNlcjEiLCJQYXNzd29yZCI6InRlc3RQYXNzd29yZCJ9"


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with start_server() as running:
        yield running


@pytest.fixture
def client(server: LocalServer) -> Iterator[QStash]:
    sdk = QStash(server.token, base_url=server.url, retry=False)
    yield sdk
    sdk.http._client.close()


def call(
    server: LocalServer,
    method: str,
    path: str,
    body: object = None,
    *,
    token: str | None = None,
    **headers: str,
) -> tuple[int, Any, dict[str, str]]:
    connection = HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, data, {"Authorization": f"Bearer {token or server.token}"} | named)
        reply = connection.getresponse()
        content = reply.read()
        return reply.status, json.loads(content) if content else None, dict(reply.getheaders())
    finally:
        connection.close()


def publish(server: LocalServer, **headers: str) -> tuple[int, Any, dict[str, str]]:
    return call(server, "POST", f"/v2/publish/{URL}", b"x", **headers)


def accepted(server: LocalServer) -> int:
    assert server.wait_idle(5)
    return server.delivery_count


def test_a_refused_request_is_not_acted_on(server: LocalServer) -> None:
    server.add_fault("refuse", times=2)
    for _ in range(2):
        with pytest.raises((RemoteDisconnected, ConnectionResetError)):
            publish(server)
    assert accepted(server) == 0
    assert publish(server)[0] == 200
    assert accepted(server) == 1


def test_a_cut_answer_belongs_to_a_message_that_was_accepted(server: LocalServer) -> None:
    server.add_fault("cut")
    with pytest.raises((RemoteDisconnected, ConnectionResetError)):
        publish(server)
    server.add_fault("cut", bytes=5)
    with pytest.raises(IncompleteRead) as broken:
        publish(server)
    assert broken.value.partial == b'{"mes'
    assert accepted(server) == 2


def test_an_answer_can_come_late(server: LocalServer) -> None:
    server.add_fault("delay", seconds=0.5, on="queues")
    started = time.monotonic()
    assert call(server, "GET", "/v2/queues")[0] == 200
    assert 0.5 <= time.monotonic() - started < 3
    assert publish(server)[0] == 200


def test_a_late_answer_keeps_nobody_else_waiting(server: LocalServer) -> None:
    server.add_fault("delay", seconds=30)
    connection = HTTPConnection(server.url.removeprefix("http://"))
    connection.request("POST", f"/v2/publish/{URL}", b"", {"Authorization": f"Bearer {server.token}"})
    started = time.monotonic()
    assert call(server, "GET", "/v2/queues")[0] == 200
    assert time.monotonic() - started < 5
    connection.close()


@pytest.mark.parametrize(
    ("family", "error", "names"),
    [
        (
            "daily",
            DailyMessageLimitExceededError,
            ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"],
        ),
        (
            "burst",
            RateLimitExceededError,
            ["Burst-RateLimit-Limit", "Burst-RateLimit-Remaining", "Burst-RateLimit-Reset"],
        ),
        ("chat", RateLimitExceededError, ["x-ratelimit-reset-requests", "x-ratelimit-reset-tokens"]),
        ("none", RateLimitExceededError, []),
    ],
)
def test_each_family_of_429_is_told_by_its_headers(
    server: LocalServer, client: QStash, family: str, error: type[Exception], names: list[str]
) -> None:
    server.add_fault("rate-limit", family=family, reset=90, times=2)
    with pytest.raises(error):
        client.message.publish(url=URL)
    status, _, headers = publish(server)
    assert (status, [name for name in names if name not in headers]) == (429, [])
    assert sum("imit" in name for name in headers) == {"none": 0, "chat": 6}.get(family, 3)
    resets = [int(value) - time.time() for name, value in headers.items() if "reset" in name.lower()]
    assert all(80 < reset < 95 for reset in resets)
    assert accepted(server) == 0


def test_an_error_can_come_before_or_after_the_message_is_accepted(server: LocalServer) -> None:
    server.add_fault("error", status=503, text="come back later")
    assert publish(server)[:2] == (503, {"error": "come back later"})
    assert accepted(server) == 0
    server.add_fault("accept-then-error")
    assert publish(server)[0] == 500
    assert accepted(server) == 1


def test_a_batch_fails_as_a_whole_or_item_by_item(server: LocalServer) -> None:
    items = [{"destination": f"{URL}/{number}"} for number in range(4)]
    server.add_fault("batch-error", text="quota maxDelay exceeded")
    assert publish(server)[0] == 200
    assert call(server, "POST", "/v2/batch", items)[:2] == (400, {"error": "quota maxDelay exceeded"})
    assert accepted(server) == 1
    server.add_fault("item-error", items=[1, 3], text="no")
    status, answer, _ = call(server, "POST", "/v2/batch", items)
    assert (status, [list(one) for one in answer]) == (
        200,
        [["messageId"], ["error", "status"], ["messageId"], ["error", "status"]],
    )
    assert accepted(server) == 3
    assert [d.url for d in server.deliveries()[1:]] == [f"{URL}/0", f"{URL}/2"]


def test_an_answer_can_call_a_new_message_a_duplicate(server: LocalServer, client: QStash) -> None:
    server.make_group("group", {"one": URL + "/1", "two": URL + "/2"})
    server.add_fault("duplicate", times=2)
    status, answer, _ = publish(server)
    assert (status, answer["deduplicated"]) == (202, True)
    assert [one.deduplicated for one in client.message.publish(url_group="group")] == [True, True]  # type: ignore[union-attr]
    assert accepted(server) == 3


def test_a_request_that_arrives_twice_is_a_duplicate_of_itself_if_it_has_an_id(server: LocalServer) -> None:
    server.add_fault("twice", times=2)
    status, answer, _ = publish(server, Upstash_Deduplication_Id="a")
    assert (status, answer["deduplicated"]) == (202, True)
    assert accepted(server) == 1
    assert publish(server)[0] == 200
    assert accepted(server) == 3


def test_a_destination_can_be_made_to_answer_otherwise(server: LocalServer, client: QStash) -> None:
    server.add_fault("answer", url=URL, status=503, text="sorry", retry_after="7", times=1)
    server.add_fault("answer", url="https://dead.example", status=0, text="no route", times="always")
    publish(server)
    client.message.publish(url="https://dead.example/a", retries=1)
    assert server.wait_idle(5)
    found = [d for d in server.deliveries() if d.url == URL]
    assert [d.status for d in found] == [503, 200]
    assert (found[1].at - found[0].at).total_seconds() == 7
    (letter,) = client.dlq.list().messages
    assert (letter.url, letter.response_status, letter.response_body) == (
        "https://dead.example/a",
        0,
        "no route",
    )


def test_a_fault_may_wait_and_last_and_end(server: LocalServer) -> None:
    server.add_fault("error", skip=1, times=2)
    assert [publish(server)[0] for _ in range(5)] == [200, 500, 500, 200, 200]
    server.add_fault("error", times="always")
    assert [publish(server)[0] for _ in range(3)] == [500] * 3
    server.clear_faults()
    assert publish(server)[0] == 200


def test_faults_are_asked_for_over_http_by_each_user_for_itself(server: LocalServer) -> None:
    status, fault, _ = call(
        server, "POST", "/local/faults", {"kind": "error", "on": ["keys"], "times": "always"}
    )
    assert (status, fault["kind"], fault["on"], fault["times"]) == (201, "error", ["keys"], "always")
    assert call(server, "GET", "/local/faults")[1] == [fault]
    assert call(server, "GET", "/v2/keys")[0] == 500
    assert call(server, "GET", "/v2/keys", token=OTHER)[0] == 200
    assert call(server, "GET", "/local/faults", token=OTHER)[1] == []
    assert call(server, "DELETE", f"/local/faults/{fault['id']}")[0] == 200
    assert call(server, "DELETE", f"/local/faults/{fault['id']}")[0] == 404
    assert call(server, "GET", "/v2/keys")[0] == 200
    call(server, "POST", "/local/faults", {"kind": "error", "on": "any"})
    assert call(server, "DELETE", "/local/faults")[0] == 200
    assert call(server, "GET", "/local/faults")[1] == []
    assert call(server, "GET", "/local/faults", token="nobody")[0] == 401


@pytest.mark.parametrize(
    ("fault", "part"),
    [
        ({}, "its kind is one of"),
        ({"kind": []}, "its kind is one of"),
        ({"kind": "explode"}, "its kind is one of"),
        ({"kind": "refuse", "status": 500}, "refuse has no field 'status'"),
        ({"kind": "answer", "on": "publish"}, "answer has no field 'on'"),
        ({"kind": "error", "status": 99}, "from 200 to 599"),
        ({"kind": "error", "status": True}, "whole number"),
        ({"kind": "error", "times": 0}, "at least 1"),
        ({"kind": "error", "times": -1}, "whole number"),
        ({"kind": "error", "on": ["nowhere"]}, "on is any, or some of"),
        ({"kind": "error", "on": [{}]}, "on is any, or some of"),
        ({"kind": "error", "text": "a\r\nSet-Cookie: b"}, "on one line"),
        ({"kind": "delay", "seconds": "nan"}, "up to 3600"),
        ({"kind": "delay", "seconds": 1e9}, "up to 3600"),
        ({"kind": "rate-limit", "family": "weekly"}, "family is one of"),
        ({"kind": "item-error", "items": []}, "items is a list"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(server: LocalServer, fault: dict[str, Any], part: str) -> None:
    status, answer, _ = call(server, "POST", "/local/faults", fault)
    assert (status, part in answer["error"]) == (400, True), answer
    if "kind" in fault and isinstance(fault["kind"], str):
        with pytest.raises(UsageError, match=re.escape(part)):
            server.add_fault(**fault)
    assert call(server, "GET", "/local/faults")[1] == []


@pytest.mark.parametrize(
    ("duplicate", "status", "flag"), [("both", 202, True), ("flag", 200, True), ("status", 202, None)]
)
def test_a_duplicate_shows_by_status_and_flag_or_by_one_of_them(
    server: LocalServer, duplicate: str, status: int, flag: bool | None
) -> None:
    server.turn(duplicate=duplicate)
    publish(server, Upstash_Deduplication_Id="a")
    found, answer, _ = publish(server, Upstash_Deduplication_Id="a")
    assert (found, answer.get("deduplicated")) == (status, flag)


@pytest.mark.parametrize(("verb", "other"), [("POST", "PATCH"), ("PATCH", "POST")])
def test_one_verb_of_pause_and_resume_can_be_turned_off(server: LocalServer, verb: str, other: str) -> None:
    server.turn(pause_verb=verb)
    server.make_queue("slow")
    call(server, "POST", f"/v2/schedules/{URL}", Upstash_Cron="* * * * *", Upstash_Schedule_Id="a")
    for thing in ("queues/slow", "schedules/a"):
        for word in ("pause", "resume"):
            assert call(server, other, f"/v2/{thing}/{word}")[0] == 405
            assert call(server, verb, f"/v2/{thing}/{word}")[0] == 200


def test_switches_are_read_and_turned_over_http(server: LocalServer) -> None:
    assert call(server, "GET", "/local/switches")[1]["dedup_window_s"] == 600
    status, switches, _ = call(
        server, "PATCH", "/local/switches", {"dedup_window_s": 7_776_000, "success_status": 201}
    )
    assert (status, switches["dedup_window_s"], switches["success_status"]) == (200, 7_776_000, 201)
    assert publish(server, Upstash_Deduplication_Id="a")[0] == 201
    server.advance(86_400 * 80)
    assert publish(server, Upstash_Deduplication_Id="a")[0] == 202
    server.turn(dedup_window_s=600)
    assert publish(server, Upstash_Deduplication_Id="a")[0] == 201
    for wrong in (
        {"group_answer": "list"},
        {"success_status": True},
        {"no": 1},
        {"dedup_window_s": -1},
        {"a": {}},
    ):
        assert call(server, "PATCH", "/local/switches", wrong)[0] == 400
    with pytest.raises(UsageError, match="there is no switch 'no'"):
        server.turn(no=1)
    assert (
        start_refused(switches={"success-status": "204"}) == "the switch success_status is 200 or 201 or 202"
    )


def start_refused(**given: Any) -> str:
    with pytest.raises(UsageError) as refused:
        start_server(**given)
    return str(refused.value)


def test_time_is_let_pass_over_http(server: LocalServer) -> None:
    call(server, "POST", f"/v2/schedules/{URL}", Upstash_Cron="0 * * * *")
    assert call(server, "POST", "/local/advance", {"seconds": 7200})[0] == 200
    assert accepted(server) == 2
    for wrong in (
        {},
        {"seconds": -1},
        {"seconds": True},
        {"seconds": "1"},
        b'{"seconds": NaN}',
        b'{"seconds": 1e400}',
    ):
        assert call(server, "POST", "/local/advance", wrong)[0] == 400
    assert call(server, "GET", "/local/advance")[0] == 405
    assert call(server, "GET", "/local/nothing")[0] == 404


def test_users_are_apart_and_a_read_only_token_reads_only() -> None:
    users = (
        User(
            token="alice",
            read_only_token="alice-reads",
            current_key="sig_" + "a" * 28,
            next_key="sig_" + "b" * 28,
        ),
        User(token="bob", current_key="sig_" + "c" * 28, next_key="sig_" + "d" * 28),
    )
    with start_server(users=users) as server:
        assert (server.token, server.current_signing_key) == ("alice", "sig_" + "a" * 28)
        assert publish(server)[0] == 200
        assert call(server, "POST", f"/v2/publish/{URL}", token="alice-reads")[0] == 403
        assert call(server, "POST", "/local/faults", {"kind": "error"}, token="alice-reads")[0] == 403
        assert len(call(server, "GET", "/v2/events", token="alice-reads")[1]["events"]) == 3
        assert call(server, "GET", "/v2/events", token="bob")[1]["events"] == []
        assert call(server, "GET", "/v2/events", token=OTHER)[0] == 401


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "at least one"),
        ('{"token": "a"}', "at least one"),
        ("[1]", "user 1 has no token"),
        ('[{"token": ""}]', "user 1 has no token"),
        ('[{"token": "a b"}]', "without blanks"),
        ('[{"token": ["a"]}]', "without blanks"),
        ('[{"token": "a"}, {"token": "a"}]', "the same token"),
        ('[{"token": "a", "read_only_token": "a"}]', "the same token"),
        ('[{"token": "a", "key": "b"}]', "a field 'key'"),
    ],
)
def test_users_that_cannot_be_are_refused(text: str, part: str) -> None:
    with pytest.raises(UsageError, match=re.escape(part)):
        read_users(text, make_secret=lambda: "s")


def test_the_command_line_has_all_of_it(tmp_path: Path) -> None:
    users = tmp_path / "users.json"
    users.write_text('[{"token": "mine"}]')
    words = ["dev", "--port", "0", "--users", str(users), "--switch", "success-status=201", "--quota", "free"]
    process = subprocess.Popen(
        [sys.executable, "-m", "qstash_jobs", *words, "--fault", "error status=418 on=publish times=1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert process.stdout is not None
    try:
        settings = dict(re.findall(r"(\w+)=(\S+)", "".join(process.stdout.readline() for _ in range(4))))
        assert settings["QSTASH_TOKEN"] == "mine"
        connection = HTTPConnection(settings["QSTASH_URL"].removeprefix("http://"))
        statuses = []
        for _ in range(2):
            connection.request("POST", f"/v2/publish/{URL}", b"", {"Authorization": "Bearer mine"})
            reply = connection.getresponse()
            reply.read()
            statuses.append(reply.status)
        assert statuses == [418, 201]
        connection.close()
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--switch", "nonsense"], "'nonsense' is not NAME=VALUE"),
        (["--switch", "=1"], "'=1' is not NAME=VALUE"),
        (["--switch", "colour=red"], "there is no switch 'colour'"),
        (["--fault", ""], "its kind is one of"),
        (["--fault", "error status"], "'status' is not NAME=VALUE"),
        (["--fault", "error status=teapot"], "status is a whole number"),
        (["--users", "no-such-file.json"], "no-such-file.json cannot be read: no such file or directory"),
        (["--users", "."], "cannot be read: is a directory"),
    ],
)
def test_what_the_command_line_cannot_read_is_a_sentence(words: list[str], part: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "qstash_jobs", "dev", "--port", "0", *words],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, part in done.stderr) == (2, True), done.stderr
