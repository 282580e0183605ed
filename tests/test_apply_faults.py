"""Whatever goes wrong with any requests of an apply: what it says of each change is true, and the next one finishes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from account_rig import Rig, Told, open_rig
from account_wishes import SECRETS, draw_files, edit_files

from qstash_jobs.errors import StopError
from qstash_jobs.wire.http import Answer, Lost, Reply, Request, Unreachable

Carry = Callable[[Request], Answer]
Fault = Callable[[Request, Carry], Answer]


def answers(status: int, *headers: tuple[str, str], text: str = '{"error": "no"}') -> Fault:
    return lambda request, carry: Reply(status=status, headers=headers, body=text.encode())


def after(fault: Fault) -> Fault:
    """Let QStash act on the request first."""

    def act(request: Request, carry: Carry) -> Answer:
        carry(request)
        return fault(request, carry)

    return act


def loses(request: Request, carry: Carry) -> Answer:
    del request, carry
    return Lost(reason="the connection broke")


def is_unreachable(request: Request, carry: Carry) -> Answer:
    del request, carry
    return Unreachable(reason="no connection")


DAILY = (("RateLimit-Limit", "1"), ("RateLimit-Remaining", "0"), ("RateLimit-Reset", "1795737600"))
BURST = (("Burst-RateLimit-Limit", "1"), ("Burst-RateLimit-Remaining", "0"), ("Burst-RateLimit-Reset", "2"))
FAULTS: dict[str, tuple[Fault, set[int]]] = {
    # 5 where it meets the questions with which the account is read back
    "400": (answers(400), {1, 5}),
    "404": (answers(404), {0, 1, 5}),
    "405": (answers(405), {0, 1, 5}),
    "412": (answers(412), {1, 5}),
    "429": (answers(429), {0, 5}),
    "429 burst": (answers(429, *BURST), {0, 5}),
    "429 of the day": (answers(429, *DAILY), {5}),
    "401": (answers(401), {4}),
    "403": (answers(403), {4}),
    "302": (answers(302, ("Location", "https://elsewhere.example.com")), {5}),
    "500": (answers(500), {0, 3, 5}),
    "503 page": (answers(503, text="<html><title>down</title>"), {0, 3, 5}),
    "409": (answers(409), {0, 3, 5}),
    "500 after it": (after(answers(500)), {0, 3, 5}),
    "lost": (loses, {0, 3, 5}),
    "lost after it": (after(loses), {0, 3, 5}),
    "unreachable": (is_unreachable, {0, 5}),
}
"""Each with the exit codes that an apply may have that met it and nothing else."""


@dataclass(kw_only=True)
class Mishap:
    """Lets something happen to some requests in a row, counted from the first change."""

    fault: Fault
    first: int
    times: int
    count: int = 0
    met: int = 0

    def __call__(self, request: Request, carry: Carry) -> Answer:
        if self.count or request.method != "GET":
            self.count += 1
        if self.first <= self.count - 1 < self.first + self.times:
            self.met += 1
            return self.fault(request, carry)
        return carry(request)


def show(rig: Rig) -> dict[tuple[str, str], Any]:
    """Show all that the account holds, by kind and name; without when it was changed."""
    found = {}
    for kind, path, name in (
        ("schedule", "schedules", "scheduleId"),
        ("url_group", "topics", "name"),
        ("queue", "queues", "name"),
        ("flow_control", "flowControl", "flowControlKey"),
    ):
        for entry in rig.raw(f"/v2/{path}"):
            found[kind, entry[name]] = entry
    return found


def check_told(rig: Rig, told: Told, before: dict[tuple[str, str], Any], files: Any, *, prunes: bool) -> None:
    """Hold what an apply said against the account."""
    now = show(rig)
    plan = rig.plan(files, prunes=prunes)
    assert plan is not None
    waiting = {(change.kind, change.name) for change in plan.waiting}
    left = {(change.kind, change.name) for change in plan.sent}
    for verdict in told.verdicts:
        name = verdict.change.kind, verdict.change.name
        match verdict.state:
            case "applied":
                assert name not in waiting, verdict
            case "failed" | "pending":
                assert now.get(name) == before.get(name), verdict
                assert name in left, verdict
                assert verdict.reason
            case "partial":
                assert name in left, verdict
                assert verdict.reason
            case _:
                assert verdict.reason


@pytest.mark.parametrize("name", FAULTS)
def test_what_goes_wrong_is_told_as_it_is_and_the_next_apply_finishes(tmp_path: Path, name: str) -> None:
    fault, codes = FAULTS[name]
    with open_rig(tmp_path) as rig:
        rig.secrets = dict(SECRETS)
        met = 0
        for number in range(25):
            random = Random(number)
            rig.begin()
            rig.service.meddle = None
            rig.sdk.url_group.upsert_endpoints("theirs-group", [{"url": "https://example.com/theirs"}])
            files: Any = draw_files(random)
            rig.apply(files)
            for _ in range(3):
                files = edit_files(random, files, {})
            prunes = random.random() < 0.5
            before = show(rig)
            mishap = Mishap(fault=fault, first=random.randint(0, 6), times=random.choice((1, 2, 4, 9)))
            rig.service.meddle = mishap
            told = rig.apply(files, prunes=prunes)
            rig.service.meddle = None
            assert told.result.exit_code in (codes if mishap.met else {0}), (number, told.verdicts)
            check_told(rig, told, before, files, prunes=prunes)
            met += bool(mishap.met)
            again = rig.apply(files, prunes=prunes)
            assert again.result.exit_code == 0, again.verdicts
            plan = rig.plan(files, prunes=prunes)
            assert plan is not None
            assert plan.waiting == ()
        assert met > 12


LOOKS = {"401": 4, "403": 4, "302": 2}
"""The exit codes of what is wrong with the token or the address; anything else ends with 5."""


@pytest.mark.parametrize("name", FAULTS)
def test_where_the_account_cannot_be_read_before_an_apply_nothing_is_changed(
    tmp_path: Path, name: str
) -> None:
    fault, _ = FAULTS[name]
    with open_rig(tmp_path) as rig:
        rig.secrets = dict(SECRETS)
        rig.sdk.url_group.upsert_endpoints("theirs-group", [{"url": "https://example.com/theirs"}])
        files = draw_files(Random(5))
        before = show(rig)
        # four lists before the question, and four after it
        for number in range(8):
            asked = []

            def meet(
                request: Request, carry: Carry, asked: list[Request] = asked, number: int = number
            ) -> Answer:
                asked.append(request)
                return fault(request, carry) if len(asked) > number else carry(request)

            rig.service.meddle = meet
            with pytest.raises(StopError) as caught:
                rig.apply(files, prunes=True)
            rig.service.meddle = None
            assert caught.value.exit_code == LOOKS.get(name, 5)
            assert "the account cannot be read" in str(caught.value)
            assert {request.method for request in asked} == {"GET"}
            assert show(rig) == before
