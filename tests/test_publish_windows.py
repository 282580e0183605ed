"""Run keys and windows: what is published once stays published once, and whoever is left out hears why."""

from pathlib import Path
from typing import Any

import pytest
from publishing import URL, Service, Stage, Went, answers, dedup_ids, jobs_to, names, resets, serve

DAY_S = 24 * 3600


def rows(*keys: str, dedup: dict[str, Any], name: str = "orders") -> dict[str, Any]:
    """Write a job with a row for each key; the destination ends in the row's number."""
    items = [{"n": str(number), "key": key} for number, key in enumerate(keys, 1)]
    return {name: {"url": URL + "${{ row.n }}", "for_each": items, "dedup": dedup}}


def run_each(folder: Path, service: Service, *runs: dict[str, Any], wait_s: float = 0) -> list[Went]:
    """Publish the jobs of one run after the other, each under a run key of its own."""
    with serve(service) as server:
        stage = Stage(folder, server.url)
        went = []
        for number, jobs in enumerate(runs):
            went.append(stage.run(jobs, run_key=f"key {number}"))
            stage.clock.advance(wait_s)
    return went


# run keys


@pytest.mark.parametrize("size", [1, 10])
def test_a_second_run_under_the_same_key_publishes_nothing(tmp_path: Path, size: int) -> None:
    service = Service()
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        first = stage.run(jobs_to(*names(5)), batch_size=size)
        calls = len(service.calls)
        second = stage.run(jobs_to(*names(5)), batch_size=size)
    assert len(service.calls) == calls
    assert set(second.states.values()) == {"skipped"}
    assert [one.endpoints for one in second.told] == [one.endpoints for one in first.told]
    assert all((reason or "").startswith("published 2") for reason in second.reasons.values())


def test_another_run_key_publishes_everything_again(tmp_path: Path) -> None:
    service = Service()
    run_each(tmp_path, service, jobs_to("a"), jobs_to("a"))
    assert len(set(dedup_ids(service.calls))) == 2
    assert service.order == ["a", "a"]


def test_under_the_same_key_what_was_rejected_or_left_is_sent_and_nothing_else(tmp_path: Path) -> None:
    service = Service(refuses=["b"])
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        stage.run(jobs_to("a", "b"))
        service.refuses = frozenset()
        went = stage.run(jobs_to("a", "b", "c"))
    assert service.order == ["a", "b", "c"]
    assert went.states == {"a": "skipped", "b": "published", "c": "published"}
    assert stage.records()["b"].attempt == 2


def test_a_published_message_that_has_changed_is_skipped_and_says_so(tmp_path: Path) -> None:
    service = Service()
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        stage.run(jobs_to("a"))
        went = stage.run(jobs_to("a", retries=1))
    assert went.states == {"a": "skipped"}
    assert (went.reasons["a"] or "").endswith("; changed since published")
    assert service.order == ["a"]


def test_one_more_on_purpose_is_one_more_and_only_one(tmp_path: Path) -> None:
    service = Service()
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        stage.run(jobs_to("a"))
        again = stage.run(jobs_to("a"), generation=1)
        finished = stage.run(jobs_to("a"), generation=1)
    assert (again.states, finished.states) == ({"a": "published"}, {"a": "skipped"})
    assert len(set(dedup_ids(service.calls))) == 2


def test_one_more_on_purpose_gets_past_the_users_own_key_and_its_window(tmp_path: Path) -> None:
    service = Service()
    jobs = jobs_to("a", dedup={"key": "k", "window": "forever"})
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        stage.run(jobs)
        assert stage.run(jobs, generation=1).states == {"a": "published"}


def test_a_message_left_out_is_never_sent_and_stays_left_out(tmp_path: Path) -> None:
    service = Service(answers(400))
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        name = stage.run(jobs_to("a")).told[0].envelope.message.name
        skipped = stage.run(jobs_to("a", "b"), skip=frozenset({name}))
        later = stage.run(jobs_to("a", "b"))
    assert skipped.states == {"a": "skipped", "b": "published"}
    assert skipped.reasons["a"] == later.reasons["a"] == "left out for good with --skip"
    assert service.order == ["b"]
    assert stage.states == {"a": "abandoned", "b": "published"}


def test_leaving_out_what_is_published_changes_nothing(tmp_path: Path) -> None:
    service = Service()
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        name = stage.run(jobs_to("a")).told[0].envelope.message.name
        went = stage.run(jobs_to("a"), skip=frozenset({name}))
    assert (went.reasons["a"] or "").startswith("published 2")
    assert stage.states == {"a": "published"}


# windows


@pytest.mark.parametrize("dedup", [{"key": "k", "window": "1d"}, {"id": "k", "window": "1d"}])
def test_within_its_window_a_key_is_skipped_and_afterwards_published(
    tmp_path: Path, dedup: dict[str, Any]
) -> None:
    service = Service()
    jobs = jobs_to("a", dedup=dedup)
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        first = stage.run(jobs, run_key="1")
        stage.clock.advance(DAY_S - 60)
        second = stage.run(jobs, run_key="2")
        stage.clock.advance(61)
        service.ids.clear()
        third = stage.run(jobs, run_key="3")
    assert [went.states["a"] for went in (first, second, third)] == ["published", "skipped", "published"]
    name = first.told[0].envelope.message.name
    assert (second.reasons["a"] or "").startswith("its key is taken until 2")
    assert (second.reasons["a"] or "").endswith(f"by {name}")
    assert len(service.calls) == 2


def test_a_window_that_is_forever_says_so(tmp_path: Path) -> None:
    jobs = jobs_to("a", dedup={"key": "k", "window": "forever"})
    first, second = run_each(tmp_path, Service(), jobs, jobs, wait_s=10 * 365 * DAY_S)
    assert second.reasons["a"] == f"its key is taken for ever, by {first.told[0].envelope.message.name}"


@pytest.mark.parametrize("wait_s", [0, 3 * DAY_S], ids=["at once", "after its window"])
def test_an_id_that_another_job_has_used_is_refused_before_anything_is_sent(
    tmp_path: Path, wait_s: float
) -> None:
    service = Service()
    one, other = jobs_to("a", dedup={"id": "mine"}), jobs_to("b", dedup={"id": "mine"})
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        first = stage.run(one)
        stage.clock.advance(wait_s)
        went = stage.run(other)
    owner = first.told[0].envelope.message.job.name
    reason = f"the deduplication id mine belongs to the job {owner}"
    assert went.states == {"b": "rejected"}
    assert went.reasons["b"] == went.told[0].error == reason
    assert stage.states == {"a": "published", "b": "rejected"}
    assert stage.records()["b"].error == reason
    assert service.order == ["a"]


@pytest.mark.parametrize("size", [1, 10], ids=["a request each", "one batch"])
@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("kind", ["key", "id"])
def test_a_key_that_stands_twice_in_one_run_is_published_once(
    tmp_path: Path, size: int, concurrency: int, kind: str
) -> None:
    service = Service()
    jobs = rows("x", "y", "x", "x", dedup={kind: "${{ row.key }}", "window": "1d"})
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        went = stage.run(jobs, batch_size=size, concurrency=concurrency)
    assert sorted(went.states.values()) == ["published", "published", "skipped", "skipped"]
    assert len(dedup_ids(service.calls)) == 2


@pytest.mark.parametrize("fault", [answers(400), answers(401)], ids=["rejected", "surely not sent"])
def test_a_message_that_was_not_accepted_gives_its_window_back(tmp_path: Path, fault: Any) -> None:
    service = Service(fault)
    jobs = jobs_to("a", dedup={"key": "k", "window": "1d"})
    _, second = run_each(tmp_path, service, jobs, jobs)
    assert second.states == {"a": "published"}


def test_a_message_in_doubt_keeps_its_window(tmp_path: Path) -> None:
    service = Service(*[resets] * 5)
    jobs = jobs_to("a", dedup={"key": "k", "window": "1d"})
    first, second = run_each(tmp_path, service, jobs, jobs)
    assert first.states == {"a": "in_doubt"}
    assert second.states == {"a": "skipped"}
    assert len(service.calls) == 5


def test_a_message_is_never_held_up_by_its_own_window(tmp_path: Path) -> None:
    service = Service(*[resets] * 5)
    jobs = jobs_to("a", dedup={"key": "k", "window": "1d"})
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        stage.run(jobs)
        went = stage.run(jobs)
    assert went.states == {"a": "published"}


def test_a_row_is_not_held_up_by_its_own_window_when_it_has_moved(tmp_path: Path) -> None:
    service = Service(*[resets] * 5)
    items = [{"id": "A-1"}, {"id": "A-2"}]
    job = {"url": URL + "${{ row.id }}", "dedup": {"key": "${{ row.id }}", "window": "1d"}}
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        went = stage.run(
            {"j": {**job, "for_each": {"file": write_rows(stage, items[:1]), "key": "id"}}}, run_key="k"
        )
        assert went.states == {"A-1": "in_doubt"}
        went = stage.run(
            {"j": {**job, "for_each": {"file": write_rows(stage, items[::-1]), "key": "id"}}}, run_key="k"
        )
    assert went.states == {"A-1": "published", "A-2": "published"}


def write_rows(stage: Stage, items: list[dict[str, str]]) -> str:
    folder = stage.folder / "files"
    folder.mkdir(exist_ok=True)
    (folder / "rows.csv").write_text("\n".join(["id", *(item["id"] for item in items)]) + "\n")
    return "rows.csv"


def test_a_queue_stops_behind_a_message_whose_id_belongs_to_another_job(tmp_path: Path) -> None:
    service = Service()
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        stage.run(jobs_to("a", dedup={"id": "mine"}))
        jobs = jobs_to("b", queue="q") | jobs_to("c", queue="q", dedup={"id": "mine"})
        went = stage.run(jobs | jobs_to("d", queue="q"), batch_size=10)
    assert went.states == {"b": "published", "c": "rejected", "d": "planned"}


def test_a_run_that_windows_leave_nothing_of_goes_through_quickly(tmp_path: Path) -> None:
    service = Service()
    jobs = rows(*["same"] * 400, dedup={"key": "${{ row.key }}", "window": "1d"})
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        began_s = stage.clock.monotonic_s()
        went = stage.run(jobs, batch_size=10, concurrency=8, rate=20)
        assert stage.clock.monotonic_s() - began_s < 10
        assert len(service.calls) == 1
    assert sorted(went.states.values()).count("skipped") == 399
