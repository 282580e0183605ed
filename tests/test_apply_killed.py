"""An apply that is killed, or asked to stop, at any of its requests: the next one finishes it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from qstash import QStash
from relay import Forward, Relayed, Response, open_relay

BEFORE = """\
schedules:
  kept: {cron: "0 4 * * *", url: "https://example.com/kept"}
  gone: {cron: "0 4 * * *", url_group: g}
  paused: {cron: "0 4 * * *", url: "https://example.com/paused", enabled: false}
url_groups: {g: {endpoints: {one: "https://example.com/1", two: "https://example.com/2"}}}
queues: {q: {parallelism: 2}, billing-old: {}}
flow_controls: {f: {rate: 5, parallelism: 1}}
"""
AFTER = """\
schedules:
  kept: {cron: "0 5 * * *", url: "https://example.com/kept"}
  paused: {cron: "0 5 * * *", url: "https://example.com/paused", enabled: false}
  new: {cron: "0 6 * * *", url_group: g, enabled: false}
url_groups: {g: {endpoints: {one: "https://example.com/one", three: "https://example.com/3"}, headers: {X-G: g}}}
queues: {q: {paused: true}}
flow_controls: {f: {rate: 6, period: 2s}}
"""
WORDS = ("apply", "jobs", "--yes", "--prune", "--force", "--format", "jsonl")
REQUESTS = 25
"""Of an apply: four questions, and again; thirteen changes; four to read back."""
CHANGES = range(8, 21)


@pytest.fixture
def account(cli):
    cli.write("qstash-jobs.yaml", "project: billing\n")
    client = QStash(cli.server.token, base_url=cli.server.url)
    yield Account(cli, client)
    client.http._client.close()


class Account:
    """Brings the account to where an apply begins, and looks whether it is where it should end."""

    def __init__(self, cli, sdk) -> None:
        self.cli = cli
        self.sdk = sdk

    def begin(self) -> None:
        self.cli.write("jobs/a.yaml", BEFORE)
        assert self.cli(*WORDS).code == 0
        self.cli.write("jobs/a.yaml", AFTER)

    def start(self, url: str) -> "subprocess.Popen[bytes]":
        words = [sys.executable, "-m", "qstash_jobs", *WORDS]
        return subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "QSTASH_URL": url}
        )

    def finish(self) -> None:
        again = self.cli(*WORDS)
        assert again.code == 0, again.err
        assert self.cli("plan", "jobs", "--prune", "--exit-code").code == 0
        schedules = {one.schedule_id: (one.cron, one.paused) for one in self.sdk.schedule.list()}
        assert schedules == {
            "billing-kept": ("0 5 * * *", False),
            "billing-paused": ("0 5 * * *", True),
            "billing-new": ("0 6 * * *", True),
        }
        endpoints = {one.name: one.url for one in self.sdk.url_group.get("g").endpoints}
        assert endpoints == {"one": "https://example.com/one", "three": "https://example.com/3"}
        (queue,) = self.sdk.queue.list()
        assert (queue.name, queue.parallelism, queue.paused) == ("q", 2, True)


def test_an_apply_has_so_many_requests(account):
    account.begin()
    with open_relay(account.cli.server.url, lambda request, forward: forward()) as relay:
        child = account.start(relay.url)
        _, said = child.communicate(timeout=30)
    assert child.returncode == 0, said
    assert len(relay.seen) == REQUESTS
    account.finish()


@pytest.mark.parametrize(
    ("number", "sent"), [*((one, False) for one in range(REQUESTS)), *((one, True) for one in CHANGES)]
)
def test_an_apply_that_is_killed_at_any_request_is_finished_by_the_next_one(account, number, sent):
    account.begin()
    children = []

    def kill(request: Relayed, forward: Forward) -> Response | None:
        if request.number != number:
            return forward()
        if sent:
            forward()
        children[0].kill()
        children[0].wait()
        return None

    with open_relay(account.cli.server.url, kill) as relay:
        children.append(account.start(relay.url))
        children[0].communicate(timeout=30)
    assert children[0].returncode == -signal.SIGKILL
    account.finish()


@pytest.mark.parametrize("number", [8, 14, 20, 22])
def test_an_apply_that_is_broken_off_says_how_far_it_was(account, number):
    account.begin()
    children = []

    def break_off(request: Relayed, forward: Forward) -> Response | None:
        if request.number == number:
            # the first lets what is under way be finished, the second does not
            children[0].send_signal(signal.SIGINT)
            time.sleep(0.2)
            children[0].send_signal(signal.SIGINT)
            children[0].wait()
        return forward()

    with open_relay(account.cli.server.url, break_off) as relay:
        children.append(account.start(relay.url))
        out, said = children[0].communicate(timeout=30)
    assert (children[0].returncode, out) == (130, b"")
    taken = re.search(rb"broken off: QStash took (\d+) of 8 changes(.*)", said)
    assert taken, said
    changed = 8 if number > 20 else len({one.number for one in relay.seen if one.method != "GET"}) - 1
    assert int(taken[1]) <= changed
    rest = b"; they were not read back" if number > 20 else b", and may have taken one more; the next apply"
    assert taken[2].startswith(rest)
    account.finish()


@pytest.mark.parametrize("number", range(REQUESTS))
def test_an_apply_that_is_asked_to_stop_finishes_what_is_on_the_wire_and_says_what_is_left(account, number):
    signal_ = (signal.SIGINT, signal.SIGTERM)[number % 2]
    account.begin()
    children = []

    def ask(request: Relayed, forward: Forward) -> Response | None:
        if request.number == number:
            children[0].send_signal(signal_)
        return forward()

    with open_relay(account.cli.server.url, ask) as relay:
        children.append(account.start(relay.url))
        out, said = children[0].communicate(timeout=30)
    code = children[0].returncode
    changing = [one for one in relay.seen if one.method != "GET"]
    states = Counter(json.loads(line)["state"] for line in out.splitlines())
    left = states["pending"] + states["partial"]
    if not changing:
        assert code == 128 + signal_
        assert set(states) <= {"pending"}
    elif left:
        assert code == 128 + signal_, said
        assert b"what is left is done by the next one: qstash-jobs apply jobs --prune" in said
    else:
        assert code == 0, said
    assert set(states) <= {"applied", "partial", "pending"}
    assert states["applied"] + left in (0, 8)
    account.finish()
