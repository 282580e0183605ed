"""What QStash took and does not show is told with the field, and so is what it shows otherwise than it was sent."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from account_rig import Rig, open_rig

from qstash_jobs.wire.http import Answer, Request

SCHEDULE = {
    "cron": "0 4 * * *",
    "timezone": "Europe/Berlin",
    "url": "https://example.com/a",
    "method": "PUT",
    "body": {"a": 1},
    "headers": {"X-One": "1"},
    "delay": "90s",
    "retries": 1,
    "retry_delay": "1000",
    "callback": "https://example.com/b",
    "failure_callback": "https://example.com/c",
    "flow_control": {"key": "f", "rate": 2, "period": "1m"},
    "labels": ["one"],
    "redact": {"body": True},
}


@pytest.fixture
def rig(tmp_path: Path):
    with open_rig(tmp_path) as rig:
        yield rig


def forget_header(name: str) -> Callable[[Request, Callable[[Request], Answer]], Answer]:
    """Let QStash act as if it did not know a header."""

    def act(request: Request, carry: Callable[[Request], Answer]) -> Answer:
        kept = tuple(pair for pair in request.headers if not pair[0].lower().startswith(name.lower()))
        return carry(replace(request, headers=kept))

    return act


def apply_while(rig: Rig, meddle: Any, files: Any) -> Any:
    rig.service.meddle = meddle
    told = rig.apply(files)
    rig.service.meddle = None
    (verdict,) = told.verdicts
    return told, verdict


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("Upstash-Method", "method"),
        ("Upstash-Forward-X-One", "headers.X-One"),
        ("Upstash-Delay", "delay"),
        ("Upstash-Retries", "retries"),
        ("Upstash-Retry-Delay", "retry_delay"),
        ("Upstash-Callback", "callback"),
        ("Upstash-Failure-Callback", "failure_callback"),
        ("Upstash-Flow-Control", "flow_control.key"),
        ("Upstash-Label", "labels"),
        ("Upstash-Redact-Fields", "redact.body"),
        ("Content-Type", "content_type"),
    ],
)
def test_a_setting_of_a_schedule_that_does_not_stick_is_named(rig, header, field):
    told, verdict = apply_while(rig, forget_header(header), {"schedules": {"s": SCHEDULE}})
    assert (verdict.state, told.result.exit_code) == ("unstuck", 1)
    assert field in verdict.reason
    assert "QStash took it, and does not show it" in verdict.reason
    assert 10 < told.slept_s < 20


def change_body(**fields: Any) -> Callable[[Request, Callable[[Request], Answer]], Answer]:
    """Let QStash understand a JSON body in its own way; None leaves a field out."""

    def act(request: Request, carry: Callable[[Request], Answer]) -> Answer:
        if request.method == "GET":
            return carry(request)
        body = json.loads(request.body) | fields
        return carry(
            replace(request, body=json.dumps({k: v for k, v in body.items() if v is not None}).encode())
        )

    return act


@pytest.mark.parametrize(
    ("files", "meddle", "field"),
    [
        ({"queues": {"q": {"parallelism": 5}}}, change_body(parallelism=2), "parallelism"),
        ({"queues": {"q": {"paused": True}}}, change_body(paused=None), "paused"),
        (
            {"url_groups": {"g": {"endpoints": {"a": "https://example.com/a"}}}},
            change_body(endpoints=[{"url": "https://example.com/b", "name": "a"}]),
            "endpoints.a",
        ),
    ],
)
def test_a_setting_of_a_queue_or_a_group_that_does_not_stick_is_named(rig, files, meddle, field):
    told, verdict = apply_while(rig, meddle, files)
    assert (verdict.state, told.result.exit_code) == ("unstuck", 1)
    assert verdict.reason.startswith(f"QStash took it, and does not show it: {field};")


def test_a_pause_that_is_taken_and_does_not_hold_is_told(rig):
    def act(request: Request, carry: Callable[[Request], Answer]) -> Answer:
        if request.target.endswith("/pause"):
            carry(request)
            return carry(replace(request, target=request.target.removesuffix("pause") + "resume"))
        return carry(request)

    told, verdict = apply_while(rig, act, {"schedules": {"s": SCHEDULE | {"enabled": False}}})
    assert (verdict.state, told.result.exit_code) == ("unstuck", 1)
    assert "enabled" in verdict.reason


def test_a_deletion_that_is_taken_and_does_not_hold_is_told(rig):
    rig.apply({"schedules": {"s": SCHEDULE}})

    def act(request: Request, carry: Callable[[Request], Answer]) -> Answer:
        return carry(replace(request, method="GET") if request.method == "DELETE" else request)

    rig.service.meddle = act
    told = rig.apply({"schedules": {}, "queues": {}}, prunes=True)
    (verdict,) = told.verdicts
    assert (verdict.state, told.result.exit_code) == ("unstuck", 1)
    assert "QStash took it, and still shows it" in verdict.reason
    assert len(rig.sdk.schedule.list()) == 1


def test_what_shows_late_is_waited_for(rig):
    looks = []

    def act(request: Request, carry: Callable[[Request], Answer]) -> Answer:
        answer = carry(request)
        if request.method == "GET":
            looks.append(request)
            # twice before the change; then it is shown at the third look
            if len(looks) in (3, 4):
                return replace(answer, body=b"[]")
        return answer

    told, verdict = apply_while(rig, act, {"schedules": {"s": SCHEDULE}})
    assert (verdict.state, told.result.exit_code) == ("applied", 0)
    assert 0 < told.slept_s < 2


def test_endpoints_end_as_declared_also_where_the_account_knows_them_by_their_urls(rig):
    def apply(**endpoints: str) -> Any:
        told = rig.apply({"url_groups": {"g": {"endpoints": endpoints}}})
        return told, {one.name: one.url for one in rig.sdk.url_group.get("g").endpoints}

    rig.turn(endpoint_identity="url")
    apply(mail="https://example.com/a", audit="https://example.com/x")
    renamed = {"post": "https://example.com/a", "audit": "https://example.com/x"}
    told, seen = apply(**renamed)
    assert (told.result.exit_code, seen) == (0, renamed)
    # one that moves is there twice at first
    moved = renamed | {"post": "https://example.com/b"}
    told, _ = apply(**moved)
    assert told.result.exit_code == 1
    assert "endpoints.https://example.com/a" in told.verdicts[0].reason
    told, seen = apply(**moved)
    assert (told.result.exit_code, seen) == (0, moved)
    plan = rig.plan({"url_groups": {"g": {"endpoints": moved}}})
    assert plan is not None
    assert plan.waiting == ()
