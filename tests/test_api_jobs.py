"""The same from Python: a few lines, synchronous or awaited."""

import asyncio
import threading

import pytest

from qstash_jobs.api import Jobs, Options, ProblemsError
from qstash_jobs.errors import AuthenticationError, UsageError
from qstash_jobs.local import SinkAnswer, start_server


@pytest.fixture
def server():
    with start_server(record_requests=True) as server:
        yield server


@pytest.fixture
def env(server, tmp_path):
    return {
        "QSTASH_URL": server.url,
        "QSTASH_TOKEN": server.token,
        "STATE_DIRECTORY": str(tmp_path / "state"),
    }


def write(folder, text="url: https://example.com/hook\nbody: {hello: world}\n", name="hello"):
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return path


def test_jobs_are_validated_planned_run_and_followed(env, tmp_path):
    jobs = Jobs.load(write(tmp_path), env=env)
    assert jobs.validate().problems == ()
    [planned] = jobs.plan(run_key="today")
    assert planned.request.body == b'{"hello":"world"}'
    result = jobs.run(run_key="today")
    assert (result.exit_code, dict(result.totals)) == (0, {"published": 1})
    assert result.results[0].message_ids[0].startswith("msg_")
    [followed] = jobs.follow(result.run, wait_s=5)
    assert followed.delivered is True
    [planned] = jobs.plan(run_key="today")
    assert planned.action == "skip"


def test_a_second_run_with_the_same_key_publishes_nothing(env, tmp_path, server):
    jobs = Jobs.load(write(tmp_path), env=env)
    jobs.run(run_key="today")
    assert dict(jobs.run(run_key="today").totals) == {"skipped": 1}
    assert sum(request.method != "GET" for request in server.requests()) == 1


def test_what_is_wrong_is_raised_with_every_problem_and_nothing_is_sent(env, tmp_path, server):
    jobs = Jobs.load(write(tmp_path, "url: ftp://example.com\nretrys: 1\n"), env=env)
    assert len(jobs.validate().problems) == 1
    with pytest.raises(ProblemsError, match=r"hello.yaml:2: .*retrys") as raised:
        jobs.run()
    assert raised.value.exit_code == 2
    assert raised.value.problems
    with pytest.raises(ProblemsError):
        list(jobs.plan())
    assert server.requests() == []


def test_a_missing_path_or_token_is_an_error_with_its_exit_code(env, tmp_path):
    with pytest.raises(UsageError, match="no file or folder"):
        Jobs.load(tmp_path / "nowhere", env=env)
    jobs = Jobs.load(write(tmp_path), env={**env, "QSTASH_TOKEN": ""})
    with pytest.raises(AuthenticationError, match="no token"):
        jobs.run()


def test_results_are_told_as_they_come(env, tmp_path):
    rows = "for_each: [{n: 1}, {n: 2}, {n: 3}]\nurl: https://example.com/hook\n"
    told = []
    jobs = Jobs.load(write(tmp_path, rows), env=env)
    result = jobs.run(options=Options(batch_size=1, concurrency=1), on_result=told.append)
    assert [line.name for line in told] == ["hello:hello[1]", "hello:hello[2]", "hello:hello[3]"]
    assert result.results == ()


def test_warnings_of_a_run_that_went_on_are_told(env, tmp_path):
    jobs = Jobs.load(write(tmp_path, "url: https://example.com/hook\nmethod: GET\nbody: hi\n"), env=env)
    result = jobs.run()
    assert result.exit_code == 0
    assert [problem.rule for problem in result.warnings] == ["body-get"]


def test_a_run_can_be_awaited(env, tmp_path):
    async def main():
        jobs = Jobs.load(write(tmp_path), env=env)
        assert (await jobs.validate_async()).problems == ()
        assert [planned.action for planned in await jobs.plan_async(run_key="today")] == ["publish"]
        result = await jobs.run_async(run_key="today")
        return await jobs.follow_async(result.run, wait_s=5)

    [followed] = asyncio.run(main())
    assert followed.delivered is True


def test_a_cancelled_run_ends_cleanly_and_is_finished_by_the_next(tmp_path):
    rows = "for_each: [{n: 1}, {n: 2}, {n: 3}, {n: 4}]\nurl: https://example.com/hook\n"
    began = threading.Event()
    with start_server(answer=lambda _: SinkAnswer(), record_requests=True) as server:
        env = {
            "QSTASH_URL": server.url,
            "QSTASH_TOKEN": server.token,
            "STATE_DIRECTORY": str(tmp_path / "state"),
        }
        jobs = Jobs.load(write(tmp_path, rows), env=env)
        alone = Options(batch_size=1, concurrency=1, rate=4)

        async def cancel_after_the_first():
            run = asyncio.create_task(
                jobs.run_async(run_key="k", options=alone, on_result=lambda _: began.set())
            )
            await asyncio.to_thread(began.wait, 10)
            run.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run

        asyncio.run(cancel_after_the_first())
        assert 1 <= sum(request.method != "GET" for request in server.requests()) < 4
        result = jobs.run(run_key="k")
        assert result.exit_code == 0
        assert result.totals["published"] + result.totals["skipped"] == 4
        assert result.totals["skipped"] >= 1
