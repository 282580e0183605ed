"""What a server with a state file knows is there again after it ended, however it ended."""

import json
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from qstash import Receiver

from qstash_jobs.errors import UsageError
from qstash_jobs.local import DEV_USERS, Retention, User, start_server
from qstash_jobs.local.kept.file import StateFile
from qstash_jobs.local.kept.restore import restore
from qstash_jobs.local.kept.rows import write_batch
from qstash_jobs.local.routes import Call, answer
from qstash_jobs.local.world.deliver import next_attempt, settle
from qstash_jobs.local.world.message import Answer
from qstash_jobs.local.world.schedules import fire_due
from qstash_jobs.local.world.world import World

BEGIN_MS = 1_700_000_000_000
TOKEN = DEV_USERS[0].token


class Life:
    """A world, what is kept of it, and the wall clock."""

    def __init__(self, file: StateFile) -> None:
        self.file = file
        self.at_ms = BEGIN_MS
        self.world = self._make()
        self.written = restore(self.world, file.read())

    def _make(self) -> World:
        return World(
            now_ms=self.at_ms, make_secret=lambda: "secret", real_time=True, retention=Retention(messages=6)
        )

    def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> Any:
        pairs = (("Authorization", f"Bearer {TOKEN}"),)
        pairs += tuple((f"Upstash-{name.replace('_', '-')}", value) for name, value in headers.items())
        self.world.tick(self.at_ms)
        reply = answer(self.world, Call(method=method, target=target, headers=pairs, body=body))
        return json.loads(reply.body) if reply.body else None

    def deliver(self, status: int, *, most: int = 1) -> None:
        self.world.tick(self.at_ms)
        fire_due(self.world)
        for _ in range(most):
            attempt = next_attempt(self.world)
            if attempt is None:
                return
            settle(self.world, attempt, Answer(status, (("A", "b"),), b"said"))

    def save(self) -> None:
        if self.world.changes:
            self.file.write([write_batch(self.world, self.world.changes.take(), self.written)])

    def look(self) -> dict[str, Any]:
        """Look at everything that clients can see."""
        # Without ids, the log forgets some events of messages that it remembers: when is nobody's concern.
        ids = ",".join(self.world.accounts[0].messages)
        seen = {
            name: self.ask("GET", f"/v2/{name}")
            for name in (f"logs?count=1000&messageId={ids}", "queues", "topics", "schedules", "dlq", "keys")
        }
        keys = self.ask("GET", "/v2/flowControl")
        # What waits for a key waits for its time again: it comes back to the key when that has come.
        shown = [
            {n: v for n, v in key.items() if n not in ("waitListSize", "parallelismCount")} for key in keys
        ]
        for schedule in seen["schedules"]:
            states = schedule.pop("lastScheduleStates", {})
            # A message that is not remembered any more has no state.
            schedule["states"] = {one: states[one] for one in states if one in ids}
        return seen | {"flowControl": shown}

    def again(self) -> "Life":
        """Begin anew with what is kept."""
        other = Life.__new__(Life)
        other.file, other.at_ms = self.file, self.at_ms
        other.world = other._make()
        other.written = restore(other.world, self.file.read())
        return other

    def finish(self) -> dict[str, Any]:
        """Let all be delivered; how each message ended."""
        self.world.accounts[0].retention = Retention(messages=1000)
        for _ in range(60):
            self.at_ms += 86_400_000
            self.deliver(200, most=1000)
        return {one.id: one.end for one in self.world.accounts[0].messages.values()}


def publish(life: Life, number: int, **headers: str) -> None:
    life.ask("POST", f"/v2/publish/https://example.com/{number % 3}", b"body", **headers)


def remove_queue(life: Life, number: int) -> None:
    life.ask("DELETE", f"/v2/queues/q{number % 2}")
    # One that is made anew is another one: its messages are told from the old one's by its age.
    life.at_ms += 1


OPERATIONS = {
    "publish": lambda life, n: publish(life, n),
    "publish later": lambda life, n: publish(life, n, Delay=f"{n + 1}s", Label="a,b", Retries="1"),
    "publish once": lambda life, n: publish(life, n, Deduplication_Id=f"id{n % 3}"),
    "publish all": lambda life, n: publish(
        life,
        n,
        Callback="https://c.example",
        Failure_Callback="https://f.example",
        Retry_Delay="1000 * retried",
        Redact_Fields="body, header[X]",
        Forward_X="v\udcff",
        Retries="0",
    ),
    "publish at a rate": lambda life, n: publish(
        life, n, Flow_Control_Key=f"k\udce4{n % 2}", Flow_Control_Value="rate=1, period=10s, parallelism=2"
    ),
    "enqueue": lambda life, n: life.ask("POST", f"/v2/enqueue/q{n % 2}/https://example.com/q"),
    "to a group": lambda life, n: life.ask("POST", "/v2/publish/g", b"x"),
    "change the group": lambda life, n: life.ask(
        "POST",
        "/v2/topics/g/endpoints",
        b'{"endpoints":[{"url":"https://e.example/%d","name":"n%d"}]}' % (n, n % 2),
    ),
    "remove from the group": lambda life, n: life.ask(
        "DELETE", "/v2/topics/g/endpoints", b'{"endpoints":[{"name":"n%d"}]}' % (n % 2)
    ),
    "give the group headers": lambda life, n: life.ask(
        "PATCH", "/v2/topics/g", b'{"headers":{"Upstash-Retries":["2"]}}'
    ),
    "remove the group": lambda life, n: life.ask("DELETE", "/v2/topics/g"),
    "change a queue": lambda life, n: life.ask(
        "POST", "/v2/queues", b'{"queueName":"q%d","parallelism":%d}' % (n % 2, n % 3 + 1)
    ),
    "pause a queue": lambda life, n: life.ask("POST", f"/v2/queues/q{n % 2}/pause"),
    "resume a queue": lambda life, n: life.ask("POST", f"/v2/queues/q{n % 2}/resume"),
    "remove a queue": lambda life, n: remove_queue(life, n),
    "schedule": lambda life, n: life.ask(
        "POST", "/v2/schedules/https://s.example/", b"s\x00", Cron="*/5 * * * *", Schedule_Id=f"s{n % 2}"
    ),
    "pause a schedule": lambda life, n: life.ask("POST", f"/v2/schedules/s{n % 2}/pause"),
    "resume a schedule": lambda life, n: life.ask("POST", f"/v2/schedules/s{n % 2}/resume"),
    "remove a schedule": lambda life, n: life.ask("DELETE", f"/v2/schedules/s{n % 2}"),
    "pause a key": lambda life, n: life.ask("POST", f"/v2/flowControl/k%E4{n % 2}/pause"),
    "pin a key": lambda life, n: life.ask("POST", f"/v2/flowControl/p{n % 2}/pin?rate=3&period=7"),
    "rotate": lambda life, n: life.ask("POST", "/v2/keys/rotate"),
    "cancel": lambda life, n: life.ask("DELETE", f"/v2/messages?label=a&count={n + 1}", b""),
    "empty the dlq": lambda life, n: life.ask("DELETE", "/v2/dlq?count=1"),
    "retry the dlq": lambda life, n: life.ask("POST", "/v2/dlq/retry?count=1"),
    "advance": lambda life, n: life.ask("POST", "/local/advance", b'{"seconds":%d}' % n),
    "succeed": lambda life, n: life.deliver(200),
    "fail": lambda life, n: life.deliver(500),
    "fail for good": lambda life, n: life.deliver(489),
    "deliver": lambda life, n: life.deliver(200, most=20),
    "wait": lambda life, n: setattr(life, "at_ms", life.at_ms + n * 7_000),
}


@pytest.mark.parametrize("seed", range(30))
def test_whatever_happened_is_there_again_and_goes_on_the_same(tmp_path: Path, seed: int) -> None:
    chosen = random.Random(seed)
    with closing(StateFile(tmp_path / "state.db")) as file:
        life = Life(file)
        for _ in range(25):
            for _ in range(chosen.randrange(1, 8)):
                OPERATIONS[chosen.choice(sorted(OPERATIONS))](life, chosen.randrange(10))
                if chosen.randrange(2):
                    life.save()
            life.save()
            assert life.again().look() == life.look()
        again, known = life.again(), set(life.world.accounts[0].messages)
        # Callbacks and schedules that fire from here on may have other numbers.
        ends, expected = again.finish(), life.finish()
        assert {one: ends[one] for one in known} == {one: expected[one] for one in known}


def test_a_message_keeps_its_turn_in_its_queue_until_its_callback_is_delivered(tmp_path: Path) -> None:
    with closing(StateFile(tmp_path / "state.db")) as file:
        life = Life(file)
        for path in "ab":
            life.ask("POST", f"/v2/enqueue/q/https://example.com/{path}", Callback="https://c.example")
        life.deliver(200)
        life.save()
        again = life.again()
        urls = []
        while (attempt := next_attempt(again.world)) is not None:
            urls.append(attempt.url)
            settle(again.world, attempt, Answer(200))
        assert urls == ["https://c.example", "https://example.com/b", "https://c.example"]


def test_what_was_under_way_is_delivered_again(tmp_path: Path) -> None:
    with closing(StateFile(tmp_path / "state.db")) as file:
        life = Life(file)
        publish(life, 1)
        publish(life, 2, Label="unwanted")
        for _ in range(2):
            assert next_attempt(life.world) is not None
        life.ask("DELETE", "/v2/messages?label=unwanted")
        life.save()
        again = life.again()
        attempts = list(iter(lambda: next_attempt(again.world), None))
        assert [one.url for one in attempts] == ["https://example.com/1"]
        newest, *_ = again.ask("GET", "/v2/logs?label=unwanted")["logs"]
        assert newest["state"] == "CANCELED"


def test_a_deduplication_id_is_remembered_and_forgotten_in_its_time(tmp_path: Path) -> None:
    with closing(StateFile(tmp_path / "state.db")) as file:
        life = Life(file)
        first = life.ask("POST", "/v2/publish/https://a.example", Deduplication_Id="a")["messageId"]
        life.save()
        again = life.again()
        again.at_ms += 599_000
        repeated = again.ask("POST", "/v2/publish/https://a.example", Deduplication_Id="a")
        assert repeated == {"messageId": first, "deduplicated": True}
        again.at_ms += 2_000
        assert "deduplicated" not in again.ask("POST", "/v2/publish/https://a.example", Deduplication_Id="a")


def test_numbers_are_never_given_twice(tmp_path: Path) -> None:
    state, ids = tmp_path / "state.db", []
    for _ in range(3):
        with start_server(state=state, retention=Retention(messages=1)) as server:
            for _ in range(3):
                ids.append(tell(server.url, "/v2/publish/https://a.example")["messageId"])
            assert server.wait_idle(10)
    assert len(set(ids)) == 9
    with closing(sqlite3.connect(state)) as file:
        assert file.execute("SELECT count(*), max(number) FROM messages").fetchone() == (1, 9)
        assert file.execute("SELECT count(*) FROM events WHERE message <> 9").fetchone() == (0,)


def test_time_that_had_jumped_ahead_goes_on_from_there_at_the_pace_of_the_wall_clock(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    with start_server(state=state) as server:
        tell(server.url, "/v2/publish/https://a.example", "Upstash-Delay: 30d")
        assert server.wait_idle(10)
    with start_server(state=state, real_time=True) as server:
        tell(server.url, "/v2/publish/https://b.example", "Upstash-Delay: 1s")
        assert server.wait_idle(10)
        assert [one.url for one in server.deliveries()] == ["https://b.example"]


def test_a_fast_clock_is_fast_for_delays_and_schedules_and_not_for_signatures(tmp_path: Path) -> None:
    with start_server(real_time=True, speed=36_000) as server:
        tell(server.url, "/v2/publish/https://a.example", "Upstash-Delay: 1h")
        tell(server.url, "/v2/schedules/https://b.example", "Upstash-Cron: 0 * * * *")
        end_s = time.monotonic() + 10
        while {one.url for one in server.deliveries()} != {"https://a.example", "https://b.example"}:
            assert time.monotonic() < end_s
            time.sleep(0.02)
        headers = dict(server.deliveries()[0].headers)
        Receiver(server.current_signing_key, server.next_signing_key).verify(
            signature=headers["Upstash-Signature"], body="", url=server.deliveries()[0].url
        )
    with pytest.raises(UsageError, match="a fast clock is one that follows the wall clock"):
        start_server(speed=2)


def test_a_file_is_for_one_server_at_a_time(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    with (
        start_server(state=state),
        pytest.raises(UsageError, match=r"state\.db is in use by another server; stop"),
    ):
        start_server(state=state)
    start_server(state=state).stop()
    assert state.stat().st_mode & 0o777 == 0o600


def test_a_server_that_cannot_listen_leaves_the_file_to_others(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    with start_server() as other, pytest.raises(UsageError, match="cannot listen"):
        start_server(state=state, port=int(other.url.rpartition(":")[2]))
    start_server(state=state).stop()


def test_a_file_that_is_not_ours_is_left_as_it_is(tmp_path: Path) -> None:
    text, foreign, newer = tmp_path / "a.txt", tmp_path / "b.db", tmp_path / "c.db"
    text.write_text("these are notes of somebody, and not a database\n" * 100)
    with closing(sqlite3.connect(foreign)) as file:
        file.execute("CREATE TABLE theirs (a)")
    start_server(state=newer).stop()
    with closing(sqlite3.connect(newer)) as file:
        file.execute("PRAGMA user_version = 99")
    for path, reason in (
        (text, "is not a state file of the local server; name another one with --state"),
        (foreign, "is not a state file of the local server; name another one with --state"),
        (newer, r"was written by a newer qstash-jobs \(its version is 99, this one knows 1\)"),
        (tmp_path, "is not a file; name another one with --state"),
        (tmp_path / "no" / "such", "cannot be made: no such file or directory"),
    ):
        before = path.read_bytes() if path.is_file() else None
        with pytest.raises(UsageError, match=reason):
            start_server(state=path)
        assert before is None or path.read_bytes() == before


def test_what_python_asked_for_is_in_the_file_when_its_call_returns(tmp_path: Path) -> None:
    script = """
import os, sys
from qstash_jobs.local import start_server
server = start_server(state=sys.argv[1])
server.make_queue("held", paused=True)
server.make_group("pair", {"a": "https://a.example"})
server.advance(700)
os._exit(7)
"""
    state = tmp_path / "state.db"
    assert subprocess.run([sys.executable, "-c", script, str(state)], timeout=60).returncode == 7
    with closing(StateFile(state)) as file:
        world = World(now_ms=BEGIN_MS, make_secret=lambda: "secret", real_time=True)
        restore(world, file.read())
    account = world.accounts[0]
    assert (account.queues["held"].paused, list(account.groups)) == (True, ["pair"])
    assert world.position.advanced_ms >= 700_000


def test_a_damaged_file_is_said_to_be(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    with start_server(state=state) as server:
        server.make_queue("a")
    with closing(sqlite3.connect(state)) as file:
        file.execute("UPDATE things SET value = '{' WHERE kind = 'queue'")
        file.commit()
    with pytest.raises(UsageError, match="holds what cannot be read"):
        start_server(state=state)


def test_other_users_messages_stay_in_the_file(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    with start_server(state=state) as server:
        server.make_queue("mine")
    with start_server(
        state=state, users=[User(token="other", current_key="sig_a", next_key="sig_b")]
    ) as server:
        assert server.messages() == []
        server.make_queue("theirs")
    with start_server(state=state) as server:
        assert [one["name"] for one in tell(server.url, "/v2/queues", method="GET")] == ["mine"]
    assert TOKEN.encode() not in state.read_bytes()


def tell(url: str, path: str, *headers: str, method: str = "POST") -> Any:
    pairs = dict(header.split(": ", 1) for header in headers)
    request = Request(url + path, method=method, headers={"Authorization": f"Bearer {TOKEN}", **pairs})
    with urlopen(request, timeout=30) as reply:
        return json.loads(reply.read())
