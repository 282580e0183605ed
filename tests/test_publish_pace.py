"""How many requests at once, how fast, and what happens while QStash is out of reach."""

import resource
import socket
from itertools import pairwise
from pathlib import Path

import pytest
from chaos_server import ChaosServer, Peer, closed_port
from publishing import Call, Service, Stage, answers, http, jobs_to, names, resets, serve, well


@pytest.mark.parametrize("connections", [3, 8])
def test_no_more_connections_are_opened_than_allowed_and_nearly_all_are_at_work(
    tmp_path: Path, connections: int
) -> None:
    service = Service(latency_s=0.15)
    began: list[float] = []
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        service.on_call = lambda call: began.append(stage.clock.monotonic_s())
        went = stage.run(jobs_to(*names(connections * 10)), concurrency=connections)
        assert len(server.peers) == connections
    assert set(went.states.values()) == {"published"}
    assert service.most_in_flight == connections
    # without the first ones, while senders are hired
    began.sort()
    passed_s = began[connections * 10 - 1] - began[connections * 4 - 1]
    assert connections * 6 * service.latency_s / passed_s >= 0.8 * connections


def test_a_single_message_needs_a_single_connection(tmp_path: Path) -> None:
    service = Service()
    with serve(service) as server:
        Stage(tmp_path, server.url).run(jobs_to("a"), concurrency=32)
        assert len(server.peers) == 1


def test_a_run_with_nothing_to_send_connects_to_nobody(tmp_path: Path) -> None:
    service = Service()
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        stage.run(jobs_to("a"))
        stage.run(jobs_to("a"))
        assert len(server.peers) == 1
    assert stage.run({}).states == {}


def test_a_server_that_takes_few_connections_is_used_with_those(tmp_path: Path) -> None:
    service = Service(latency_s=0.02)
    with ChaosServer(service, service, service, lambda peer: None) as server:
        stage = Stage(tmp_path, server.url)
        went = stage.run(jobs_to(*names(60)), concurrency=8)
    assert went.ending is None
    assert set(went.states.values()) == set(stage.states.values()) == {"published"}
    assert set(service.accepted.values()) == {1}


def test_a_server_that_closes_most_connections_at_once_is_used_with_the_others(tmp_path: Path) -> None:
    service = Service()
    with ChaosServer(*[service] * 5, Peer.close) as server:
        stage = Stage(tmp_path, server.url)
        went = stage.run(jobs_to(*names(300)), concurrency=32)
    assert went.ending is None
    assert set(went.states.values()) == set(stage.states.values()) == {"published"}
    assert set(service.accepted.values()) == {1}


@pytest.mark.parametrize("size", [1, 10])
def test_a_rate_is_kept_in_every_second(tmp_path: Path, size: int) -> None:
    service = Service()
    moments: list[float] = []
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        service.on_call = lambda call: moments.extend([stage.clock.monotonic_s()] * len(call.messages))
        stage.run(jobs_to(*names(30)), rate=20, batch_size=size, concurrency=4)
    assert moments[-1] - moments[0] >= 29 / 20 - size / 20 - 0.05
    for moment in moments:
        assert sum(moment <= other < moment + 0.95 for other in moments) <= 20 + size


def test_a_rate_under_the_size_of_a_batch_makes_the_batches_smaller(tmp_path: Path) -> None:
    service = Service()
    with serve(service) as server:
        Stage(tmp_path, server.url).run(jobs_to(*names(9)), rate=5.5, batch_size=100)
    assert [len(call.messages) for call in service.calls] == [5, 4]


def test_a_pause_that_is_asked_for_is_kept_by_all_senders(tmp_path: Path) -> None:
    service = Service(answers(429, b"", Retry_After="1"), latency_s=0.01)
    moments: list[float] = []
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        service.on_call = lambda call: moments.append(stage.clock.monotonic_s())
        stage.run(jobs_to(*names(20)), concurrency=4)
    longest_s = max(later - earlier for earlier, later in pairwise(moments))
    assert longest_s >= 0.9
    assert len(service.order) == 20


def test_waiting_costs_no_processor_time(tmp_path: Path) -> None:
    def used_s() -> float:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime + usage.ru_stime

    service = Service(answers(400), answers(503))
    with serve(service) as server:
        # a queue of two halves: the first is tried again, and the second waits for it
        stage = Stage(tmp_path, server.url)
        service.on_call = lambda call: setattr(service, "latency_s", 0.2)
        before_s = used_s()
        stage.run(jobs_to(*names(4), queue="q"), batch_size=4, concurrency=4)
        assert used_s() - before_s < 0.4
        # more messages than senders
        before_s = used_s()
        stage.run(jobs_to(*(f"n{n}" for n in range(6))), concurrency=2)
        assert used_s() - before_s < 0.4
        # a message that waits for another try while others are on the wire
        service.faults.append(answers(429))
        stage.chance = 1.0
        before_s = used_s()
        stage.run(jobs_to(*(f"o{n}" for n in range(3))), concurrency=2)
        assert used_s() - before_s < 0.4


# out of reach


def test_a_server_that_is_not_there_at_first_is_waited_for(tmp_path: Path) -> None:
    service = Service()
    with closed_port() as port:
        pass
    started: list[ChaosServer] = []
    stage = Stage(tmp_path, f"http://127.0.0.1:{port}", chance=0.3)

    def start_late() -> bool:
        if not started and stage.clock.monotonic_s() - began_s > 0.1:
            started.append(Relocated(service, port=port).__enter__())
        return False

    began_s = stage.clock.monotonic_s()
    try:
        went = stage.run(jobs_to("a", "b"), stopping=start_late, concurrency=4)
    finally:
        for server in started:
            server.__exit__(None, None, None)
    assert went.ending is None
    assert set(went.states.values()) == {"published"}


class Relocated(ChaosServer):
    """A server that listens where it is told, and stops listening when it is told."""

    def __init__(self, script: Service, *, port: int = 0) -> None:
        super().__init__(script)
        self._listener.close()
        self._listener = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def refuse(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def test_ten_failures_in_a_row_stop_the_run(tmp_path: Path) -> None:
    service = Service(*[answers(503)] * 100)
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        went = stage.run(jobs_to(*names(20)))
    assert went.exit_code == 5
    assert went.ending is not None
    assert went.ending.reason == "gave up after 10 failures in a row: answered 503"
    assert len(service.calls) == 10
    assert set(went.states.values()) == set(stage.states.values()) == {"in_doubt"}
    assert went.states.keys() == stage.states.keys()
    # what waits for another try goes before what is new, so that few are left in doubt
    assert len(went.states) <= 3


def test_nine_failures_and_then_an_answer_do_not(tmp_path: Path) -> None:
    service = Service(well, *[resets] * 9)
    with serve(service) as server:
        went = Stage(tmp_path, server.url).run(jobs_to(*names(20)))
    assert went.ending is None
    assert list(went.states.values()).count("published") >= 18


def test_before_the_first_answer_five_failures_are_enough(tmp_path: Path) -> None:
    service = Service(*[resets] * 9)
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        went = stage.run(jobs_to(*names(20)))
    assert went.exit_code == 5
    assert went.ending is not None
    assert went.ending.reason.startswith("gave up after 5 failures in a row: ")
    assert len(service.calls) == 5
    assert went.states == stage.states
    assert set(went.states.values()) == {"in_doubt"}
    assert len(went.states) <= 2


def test_a_refusal_is_an_answer(tmp_path: Path) -> None:
    faults = []
    for _ in range(4):
        faults += [answers(503)] * 4 + [answers(400)]
    service = Service(*faults)
    with serve(service) as server:
        went = Stage(tmp_path, server.url).run(jobs_to(*names(8)))
    assert went.ending is None


def test_many_connections_that_break_at_once_are_one_failure(tmp_path: Path) -> None:
    service = Service(latency_s=0.02)
    broken: list[Call] = []

    def restart(service: Service, call: Call, peer: Peer) -> None:
        broken.append(call)
        peer.wait(0.1)
        peer.reset()

    with serve(service) as server:
        stage = Stage(tmp_path, server.url, chance=0.1)

        def note(call: Call) -> None:
            if len(service.calls) == 30:
                service.faults.extend([restart] * 16)

        service.on_call = note
        went = stage.run(jobs_to(*names(100)), concurrency=16)
    assert len(broken) >= 12
    assert went.ending is None
    assert set(went.states.values()) == {"published"}
    assert set(service.accepted.values()) == {1}


def test_in_trouble_one_request_at_a_time_finds_out_whether_it_is_over(tmp_path: Path) -> None:
    service = Service(latency_s=0.02)
    during: list[int] = []

    def overloaded(service: Service, call: Call, peer: Peer) -> None:
        peer.wait(0.02)
        during.append(service.in_flight)
        peer.write(http(503, b""))

    with serve(service) as server:
        stage = Stage(tmp_path, server.url)

        def note(call: Call) -> None:
            if len(service.calls) == 60:
                service.faults.extend([overloaded] * 14)

        service.on_call = note
        went = stage.run(jobs_to(*names(150)), concurrency=8)
    assert during[-4:] == [1, 1, 1, 1]
    assert went.ending is None
    assert set(went.states.values()) == {"published"}


def test_a_server_that_goes_away_for_good_stops_the_run_and_leaves_no_untruth(tmp_path: Path) -> None:
    service = Service()
    with Relocated(service) as server:
        stage = Stage(tmp_path, server.url)

        def vanish(service: Service, call: Call, peer: Peer) -> None:
            server.refuse()
            peer.reset()

        service.faults.extend([well] * 5)
        service.faults.append(vanish)
        went = stage.run(jobs_to(*names(20)))
    assert went.exit_code == 5
    assert went.ending is not None
    assert went.ending.reason.startswith("gave up after 10 failures in a row")
    assert sorted(service.order) == names(5)
    assert went.states == stage.states
    assert list(went.states.values()) == ["published"] * 5 + ["in_doubt"]
