"""Many connections and one thread: none waits for another, and none that has ended costs a message."""

import resource
import time
from pathlib import Path

import pytest
from chaos_server import ChaosServer, Peer, make_certificate, serve_tls
from publishing import Call, Service, Stage, jobs_to, names, serve

from qstash_jobs.boundary import Line
from qstash_jobs.errors import ServiceError
from qstash_jobs.transport import open_line, open_watch
from qstash_jobs.wire.server import read_server


def hangs_up_after(service: Service, call: Call, peer: Peer) -> None:
    """Answer as QStash does, and end the connection without having said so."""
    peer.write(service.act(call))
    peer.close()


def drips(service: Service, call: Call, peer: Peer) -> None:
    peer.drip(service.act(call), pause_s=0.005)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_connections_that_the_server_ended_between_messages_cost_no_try_and_leave_no_doubt(
    tmp_path: Path, concurrency: int
) -> None:
    service = Service(*[hangs_up_after] * 10)
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        went = stage.run(jobs_to(*names(10)), concurrency=concurrency, rate=25)
        assert len(server.peers) >= 10
    assert went.ending is None
    assert set(went.states.values()) == {"published"}
    assert {one.attempts for one in went.told} == {1}


def test_an_answer_that_comes_byte_by_byte_keeps_no_other_waiting(tmp_path: Path) -> None:
    service = Service(drips)
    with serve(service) as server:
        went = Stage(tmp_path, server.url).run(jobs_to(*names(30)), concurrency=2)
    assert set(went.states.values()) == {"published"}
    assert service.order[0] == went.told[-1].envelope.message.job.name.rpartition(":")[2]


def test_an_answer_that_has_come_while_the_results_could_not_be_shown_is_not_lost(tmp_path: Path) -> None:
    service = Service(latency_s=0.1)
    shown: list[str] = []

    def show_slowly(settlement: object) -> None:
        shown.append("one")
        if len(shown) == 1:
            time.sleep(1)

    with serve(service) as server:
        stage = Stage(tmp_path, server.url, deadline_s=0.5)
        # the second and the third are answered while the first is shown, and that takes longer than their deadline
        service.on_call = lambda call: setattr(service, "latency_s", 0.1 * len(service.calls))
        went = stage.run(jobs_to(*names(3)), concurrency=3, tell=show_slowly)
    assert set(went.states.values()) == {"published"}
    assert {one.attempts for one in went.told} == {1}


def test_many_connections_under_tls_are_watched_too(tmp_path: Path) -> None:
    service = Service(*[drips] * 3, latency_s=0.01)
    certificate = make_certificate(tmp_path)
    environment = {"SSL_CERT_FILE": str(certificate.with_name("certificate.pem"))}

    class Secure(Stage):
        def open_line(self) -> Line:
            return open_line(read_server(self.url), "token", environment=environment)

    with ChaosServer(service, tls=serve_tls(certificate)) as server:
        stage = Secure(tmp_path, server.url)
        jobs = jobs_to(*names(60), body={"large": "x" * 20_000})
        went = stage.run(jobs, concurrency=4, batch_size=5)
        assert len(server.peers) <= 4
    assert set(went.states.values()) == {"published"}
    assert set(service.accepted.values()) == {1}


def test_a_watch_is_woken_from_another_thread_and_afterwards_waits_again() -> None:
    with open_watch() as watch:
        watch.wake()
        watch.wake()
        assert watch.wait(5) == []
        began_s = time.monotonic()
        assert watch.wait(0.05) == []
        assert time.monotonic() - began_s >= 0.04
    watch.wake()


def test_a_process_that_may_open_no_more_files_is_told_so() -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        with (
            pytest.raises(ServiceError, match="too many open files; let this process open more"),
            open_watch(),
        ):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_line_is_watched_until_it_is_dropped_though_it_was_closed_meanwhile() -> None:
    with ChaosServer(Peer.close) as server, open_watch() as watch:
        line = open_line(read_server(server.url), "token", environment={})
        assert line.connect() is None
        watch.keep(line)
        watch.keep(line)
        assert watch.wait(5) == [line]
        assert not line.is_good
        line.close()
        watch.drop(line)
        watch.drop(line)
        assert watch.wait(0) == []
