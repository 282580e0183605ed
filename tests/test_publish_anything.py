"""Whatever QStash and the network do, in whatever order: nothing is lost, nothing twice, nothing untrue is said."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from publishing import URL, Fault, Service, Stage, Went, accepts_then, answers, cut, resets, serve, well

FAULTS: dict[str, Fault] = {
    "well": well,
    "503": answers(503),
    "503 after it": accepts_then(answers(503)),
    "reset": resets,
    "reset after it": accepts_then(resets),
    "cut": cut(30),
    "400": answers(400, {"error": "bad"}),
    "429": answers(429),
    "one part": answers(200, [{"messageId": "x"}]),
    "401": answers(401),
    "daily": answers(429, b"", RateLimit_Limit="1", RateLimit_Remaining="0"),
}
LIKELY = sorted(FAULTS.keys() - {"one part", "401", "daily"})

jobs_in_queues = st.lists(st.sampled_from([None, None, "p", "q"]), min_size=1, max_size=14)
fault_names = st.lists(
    st.sampled_from(LIKELY) | st.sampled_from(LIKELY) | st.sampled_from(sorted(FAULTS)), max_size=25
)


@settings(deadline=None, max_examples=25)
@given(jobs_in_queues, fault_names, st.sampled_from([1, 2, 5]), st.sampled_from([1, 2, 4]))
def test_nothing_is_lost_nothing_is_twice_and_nothing_untrue_is_said(
    queues: list[str | None], faults: list[str], size: int, concurrency: int
) -> None:
    jobs = {f"m{number:03}": job(f"m{number:03}", queue) for number, queue in enumerate(queues)}
    service = Service(*(FAULTS[name] for name in faults))
    if size == 1:
        # the answer with one part is one that a batch gets
        service.faults = type(service.faults)(FAULTS[name] for name in faults if name != "one part")
    with TemporaryDirectory() as folder, serve(service) as server:
        stage = Stage(Path(folder), server.url)
        first = stage.run(jobs, batch_size=size, concurrency=concurrency)
        check(stage, service, first, jobs.keys() if first.ending is None else None)
        service.faults.clear()
        second = stage.run(jobs, batch_size=size, concurrency=concurrency)
        check(stage, service, second, jobs.keys())
        third = stage.run(jobs, batch_size=size, concurrency=concurrency)
        assert second.ending is None
        assert third.ending is None
        assert set(third.states.values()) == {"skipped"}
        assert set(stage.states.values()) == {"published"}
        assert all(service.accepted[URL + name] == 1 for name in jobs)
        check_order(service, jobs, queues)


def wait_long(stage: Stage, service: Service) -> None:
    """Let QStash forget every deduplication id."""
    stage.clock.advance(660)
    service.ids.clear()


def restart(stage: Stage, service: Service) -> None:
    stage.clock.restart()
    stage.clock.advance(90)


def restart_and_wait(stage: Stage, service: Service) -> None:
    stage.clock.restart()
    wait_long(stage, service)


MEANWHILE = {
    "nothing": lambda stage, service: None,
    "eight minutes": lambda stage, service: stage.clock.advance(480),
    "eleven minutes": wait_long,
    "a restart": restart,
    "a restart, and eleven minutes": restart_and_wait,
}


@settings(deadline=None, max_examples=40)
@given(
    jobs_in_queues,
    fault_names,
    st.sampled_from([1, 2, 5]),
    st.lists(st.sampled_from(sorted(MEANWHILE)), min_size=1, max_size=3),
    st.booleans(),
)
def test_whenever_the_next_run_comes_the_log_keeps_it_from_publishing_twice(
    queues: list[str | None], faults: list[str], size: int, meanwhile: list[str], changed: bool
) -> None:
    jobs = {f"m{number:03}": job(f"m{number:03}", queue) for number, queue in enumerate(queues)}
    faults = [name for name in faults if size > 1 or name != "one part"]
    service = Service(*(FAULTS[name] for name in faults))
    with TemporaryDirectory() as folder, serve(service) as server:
        stage = Stage(Path(folder), server.url)
        service.log.now = lambda: stage.clock.now().timestamp()
        stage.run(jobs, batch_size=size)
        if changed:
            jobs = {name: {**fields, "body": "changed"} for name, fields in jobs.items()}
        for what in meanwhile:
            MEANWHILE[what](stage, service)
            stage.run(jobs, batch_size=size)
            check_acceptances(stage, service)
        service.faults.clear()
        # as often as the queues have messages that wait for the one before them
        for _ in range(2 + len(jobs)):
            wait_long(stage, service)
            stage.run(jobs, batch_size=size, resends_doubts=True)
            check_acceptances(stage, service)
        assert set(stage.states.values()) == {"published"}
        assert all(service.accepted[URL + name] == 1 for name in jobs)
        check_order(service, jobs, queues)


def check_acceptances(stage: Stage, service: Service) -> None:
    """Hold the ledger's word against what was accepted, where the log can be read and lists everything."""
    assert set(service.accepted.values()) <= {1}
    listed = {entry["url"]: entry["messageId"] for entry in service.log.entries}
    for name, record in stage.records().items():
        assert record.state not in ("sending", "waiting")
        if record.state == "published":
            assert record.message_ids == (listed[URL + name],)
        if record.state in ("rejected", "planned"):
            assert service.accepted[URL + name] == 0


def job(name: str, queue: str | None) -> dict[str, str]:
    return {"url": URL + name, "body": name} | ({"queue": queue} if queue else {})


def check(stage: Stage, service: Service, went: Went, expected: object) -> None:
    """Hold what was told against what the ledger and the service know."""
    records = stage.records()
    assert len(went.told) == len(went.states)
    if expected is not None:
        assert went.states.keys() == expected
    assert set(service.accepted.values()) <= {1}
    for name, record in records.items():
        assert record.state != "sending"
        if record.state == "published":
            assert service.accepted[URL + name] == 1
            assert record.message_ids == (service.ids[record.dedup_id or ""],)
        if record.state in ("rejected", "planned"):
            assert service.accepted[URL + name] == 0
    for name, state in went.states.items():
        if state == "planned":
            assert name not in records or records[name].state in ("planned", "rejected")
        elif state != "skipped":
            assert records[name].state == state


def check_order(service: Service, jobs: dict[str, dict[str, str]], queues: list[str | None]) -> None:
    """Hold each queue to its order."""
    for queue in {one for one in queues if one}:
        mine = [name for name in service.order if jobs[name].get("queue") == queue]
        assert mine == sorted(mine)
