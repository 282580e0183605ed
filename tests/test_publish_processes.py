"""A process that is killed at any instant, and one that publishes more than fits into its memory."""

import subprocess
import sys
from pathlib import Path
from random import Random
from threading import Event, Thread

import pytest
from chaos_server import ChaosServer, Peer
from publishing import Call, Service, Stage, accepts_then, http, jobs_to, names, serve

SCRIPTS = Path(__file__).parent / "faults"


class Victim:
    """A process that publishes, and its end."""

    def __init__(self, stage: Stage, *, messages: int, batch_size: int, concurrency: int) -> None:
        arguments = [str(stage.folder), stage.url, str(messages), str(batch_size), str(concurrency)]
        self._process = subprocess.Popen([sys.executable, str(SCRIPTS / "run_publish.py"), *arguments])
        self.is_dead = Event()

    def kill(self) -> None:
        """Kill it as `kill -9` does, and wait until it is gone."""
        self._process.kill()
        self._process.wait(10)
        self.is_dead.set()

    def wait(self) -> int:
        return self._process.wait(30)


MOMENTS = {
    "when the first request has arrived": (1, False),
    "when the first message was accepted": (1, True),
    "in the middle, before it is accepted": (5, False),
    "in the middle, when it was accepted": (5, True),
}


@pytest.mark.parametrize(("call", "accepted"), MOMENTS.values(), ids=MOMENTS.keys())
@pytest.mark.parametrize(("size", "concurrency"), [(1, 3), (4, 2)], ids=["single", "batches"])
def test_a_run_that_is_killed_is_finished_by_the_next_one_with_nothing_lost_or_twice(
    tmp_path: Path, call: int, accepted: bool, size: int, concurrency: int
) -> None:
    service = Service()
    everything = names(24)
    victims: list[Victim] = []

    def kill(service: Service, call: Call, peer: Peer) -> None:
        victims[0].kill()

    act = accepts_then(kill) if accepted else kill
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        service.faults.extend(
            [lambda service, call, peer: peer.write(service.act(call))] * (call - 1) + [act]
        )
        victims.append(Victim(stage, messages=24, batch_size=size, concurrency=concurrency))
        assert victims[0].wait() == -9
        killed = stage.states
        assert "sending" in killed.values()
        assert all(
            service.accepted[f"https://example.com/{name}"] for name in killed if killed[name] == "published"
        )
        went = stage.run(jobs_to(*everything), batch_size=size, concurrency=concurrency)
    assert went.ending is None
    assert stage.states == dict.fromkeys(everything, "published")
    assert sorted(service.order) == everything
    assert {name for name, state in went.states.items() if state == "skipped"} == {
        name for name, state in killed.items() if state == "published"
    }
    ids = {f"msg_{number}" for number, _ in enumerate(service.order, 1)}
    assert {record.message_ids[0] for record in stage.records().values()} == ids


@pytest.mark.parametrize("seed", range(3))
def test_a_run_that_is_killed_again_and_again_at_any_time_comes_through(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    service = Service(latency_s=0.004)
    everything = names(120)
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        for _ in range(2):
            victim = Victim(stage, messages=120, batch_size=random.choice([1, 3]), concurrency=3)
            first = len(service.calls)

            def kill_later(victim: Victim = victim, first: int = first) -> None:
                while len(service.calls) == first and not victim.is_dead.wait(0.002):
                    pass
                victim.is_dead.wait(random.uniform(0, 0.12))
                victim.kill()

            killer = Thread(target=kill_later)
            killer.start()
            victim.wait()
            victim.is_dead.set()
            killer.join(10)
        went = stage.run(jobs_to(*everything), concurrency=4)
    assert went.ending is None
    assert stage.states == dict.fromkeys(everything, "published")
    assert sorted(service.order) == everything


def test_two_hundred_thousand_messages_take_no_more_memory_than_a_few(tmp_path: Path) -> None:
    def accept_all(peer: Peer) -> None:
        while raw := peer.read_request():
            peer.write(
                http(200, b"[" + b",".join([b'{"messageId":"m"}'] * raw.count(b'"destination"')) + b"]")
            )

    def measure(messages: int) -> int:
        with ChaosServer(accept_all) as server:
            arguments = [str(tmp_path / str(messages)), server.url, str(messages)]
            (tmp_path / str(messages)).mkdir()
            done = subprocess.run(
                [sys.executable, str(SCRIPTS / "run_rows.py"), *arguments],
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            )
        return int(done.stdout)

    few, many = measure(4_000), measure(200_000)
    assert many <= few * 1.2
