"""`run` against a server: each message once for its run key, whatever the path, and what is said of it."""

import io
import json
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from qstash_jobs.api.inputs import Inputs
from qstash_jobs.api.run import run as run_jobs
from qstash_jobs.api.wish import Tools, Wish
from qstash_jobs.api.workspace import load
from qstash_jobs.api.world import find_service, open_ledger, system_clock
from qstash_jobs.boundary import Scope
from qstash_jobs.local import start_server
from qstash_jobs.local.world.quota import FREE

HELLO = "url: https://api.example.com/hello\nbody: {hello: world}\n"
ROWS = "jobs:\n  mail:\n    url: https://api.example.com/${{ row.id }}\n    for_each: {file: rows.csv, key: id}\n"


def targets(cli) -> list[str]:
    """The destinations that were published to, batches opened, in no certain order."""
    found = []
    for request in cli.sent:
        if request.target.startswith("/v2/batch"):
            found += [item["destination"] for item in json.loads(request.body)]
        else:
            found.append(request.target.split("/v2/publish/")[-1])
    return sorted(found)


def test_a_run_says_what_goes_where_and_what_to_type_next(cli) -> None:
    cli.write("qstash-jobs.yaml", "project: shop\n")
    cli.write("jobs/hello.yaml", HELLO)
    answer = cli("run", "jobs")
    said = answer.err.splitlines()
    assert answer.code == 0
    assert answer.out.startswith("published jobs/hello:hello msg_")
    assert said[0].startswith("publish 1 message of 1 job to 127.0.0.1:")
    assert said[0].endswith(", account defaultUser")
    assert said[1].startswith("published 1 (run ")
    assert said[2] == "has it arrived? qstash-jobs status --wait 2m"
    assert "; the last run of these jobs was " in cli("run", "jobs").err


def test_two_runs_without_a_key_publish_twice_and_with_one_key_once(cli) -> None:
    cli.write("hello.yaml", HELLO)
    cli("run", "hello.yaml")
    cli("run", "hello.yaml")
    assert len(cli.sent) == 2
    first = cli("run", "hello.yaml", "--run-key", "today")
    second = cli("run", "hello.yaml", "--run-key", "today")
    assert len(cli.sent) == 3
    assert second.code == 0
    message_id = first.out.split()[-1]
    assert second.out.startswith("skipped hello:hello published 20")
    assert second.out.endswith(f" UTC as {message_id}\n")
    skipped = cli("run", "hello.yaml", "--run-key", "today", "--format", "jsonl").lines[0]
    assert skipped["state"] == "skipped"
    assert skipped["message_ids"] == [message_id]


def test_a_file_is_one_file_by_whatever_path_it_is_reached(cli) -> None:
    path = cli.write("jobs/hello.yaml", HELLO)
    cli.write("qstash-jobs.yaml", "project: shop\n")
    (cli.folder / "linked").symlink_to("jobs")
    for spelling in ("jobs", "./jobs/hello.yaml", str(path), "linked/hello.yaml", "jobs/../jobs", "."):
        assert cli("run", spelling, "--run-key", "k").code == 0
    cli.monkeypatch.chdir(cli.folder / "jobs")
    assert cli("run", "hello.yaml", "--run-key", "k").code == 0
    cli.monkeypatch.chdir(cli.folder.parent)
    assert cli("run", "work/jobs", "--run-key", "k").code == 0
    assert len(cli.sent) == 1


def test_another_checkout_of_a_project_publishes_under_one_key_once(cli) -> None:
    for checkout in ("one", "two"):
        cli.write(f"{checkout}/qstash-jobs.yaml", "project: shop\n")
        cli.write(f"{checkout}/jobs/hello.yaml", HELLO)
        assert cli("run", f"{checkout}/jobs", "--run-key", "k").code == 0
    assert len(cli.sent) == 1


def test_two_environments_are_two_worlds_under_one_run_key(cli) -> None:
    cli.write("qstash-jobs.yaml", "project: shop\nenvironments: {staging: , production: }\n")
    cli.write("jobs/hello.yaml", HELLO)
    for environment in ("staging", "production", "staging"):
        assert cli("run", "jobs", "--run-key", "k", "--environment", environment).code == 0
    assert len(cli.sent) == 2


def test_a_run_is_recorded_with_who_started_it(cli) -> None:
    cli.set("GITHUB_ACTOR", "ada")
    cli.write("a.yaml", "url: https://api.example.com/\n")
    assert cli("run", "a.yaml", "--again", "--job", "a").code == 0
    (run,) = cli("runs", "--format", "jsonl").lines
    assert run["by"] == "ada"
    assert "  once more by  ada\n" in cli("show", run["id"]).out


def test_again_publishes_once_more_and_only_what_was_named(cli) -> None:
    cli.write(
        "a.yaml", "jobs:\n  one: {url: 'https://a.example.com'}\n  two: {url: 'https://b.example.com'}\n"
    )
    cli("run", "a.yaml", "--run-key", "k")
    assert cli("run", "a.yaml", "--run-key", "k", "--again", "--job", "one").code == 0
    assert targets(cli) == ["https://a.example.com", "https://a.example.com", "https://b.example.com"]
    cli("run", "a.yaml", "--run-key", "k", "--again", "--job", "one")
    assert len(targets(cli)) == 4


def test_a_rejected_message_is_continued_once_its_file_is_mended(cli) -> None:
    with start_server(record_requests=True, quota=FREE) as server:
        cli.use(server)
        cli.write("qstash-jobs.yaml", "project: shop\n")
        cli.write("jobs/good.yaml", HELLO)
        cli.write("jobs/late.yaml", HELLO + "delay: 30d\n")
        first = cli("run", "jobs")
        assert first.code == 1
        assert "rejected jobs/late:late 400 " in first.out
        assert "jobs/late.yaml:1" in first.out
        assert "published 1, rejected 1 (run " in first.err
        assert "fix it, then: qstash-jobs run --continue " in first.err
        run_id = first.err.split("run --continue ")[1].split()[0]
        cli.write("jobs/late.yaml", HELLO + "delay: 1d\n")
        before = len(cli.sent)
        second = cli("run", "--continue", run_id)
        assert second.code == 0
        assert f"publish what run {run_id} left of 2 messages of 2 jobs to 127.0.0.1:" in second.err
        assert "published jobs/late:late msg_" in second.out
        assert "skipped jobs/good:good published" in second.out
        assert len(cli.sent) == before + 1
        third = cli("run", "--continue")
        assert third.code == 0
        assert len(cli.sent) == before + 1


def test_a_run_is_continued_with_its_own_variables_jobs_and_environment(cli) -> None:
    cli.write("qstash-jobs.yaml", "environments: {staging: }\n")
    cli.write(
        "a.yaml",
        "jobs:\n  one: {url: 'https://a.example.com/${{ vars.v }}/${{ environment.name }}'}\n  two: {url: 'https://b.example.com'}\n",
    )
    cli.set("QSTASH_URL", "http://127.0.0.1:9")
    assert cli("run", "a.yaml", "--var", "v=7", "--environment", "staging", "--job", "one").code == 5
    cli.set("QSTASH_URL", cli.server.url)
    cli.monkeypatch.chdir(cli.folder.parent)
    # another target, so what was left is new there; its key, names and words are the same
    assert cli("run", "--continue").code == 0
    assert targets(cli) == ["https://a.example.com/7/staging"]


def test_what_no_run_can_continue_is_told(cli) -> None:
    path = cli.write("a.yaml", HELLO)
    cli.set("QSTASH_URL", "http://127.0.0.1:9")
    for _ in range(2):
        cli("run", "a.yaml")
    runs = [run["id"] for run in cli("runs", "--format", "jsonl").lines]
    cli.set("QSTASH_URL", cli.server.url)
    path.unlink()
    answer = cli("run", "--continue", runs[0])
    assert answer.code == 2
    assert f"there is no file or folder {path}" in answer.err
    assert cli.sent == []


def test_standard_input_is_published_and_cannot_be_continued_by_itself(cli) -> None:
    cli.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(HELLO.encode())))
    answer = cli("run", "-")
    assert answer.code == 0
    assert answer.out.startswith("published stdin:stdin msg_")
    answer = cli("run", "--continue")
    assert answer.code == 2
    assert (
        "read its jobs from standard input; to finish it, pipe them in again: qstash-jobs run - --run-key "
        in answer.err
    )
    assert len(cli.sent) == 1


def test_a_skipped_message_is_left_out_for_good_by_its_short_name_too(cli) -> None:
    cli.write("mail/all.yaml", ROWS)
    cli.write("mail/rows.csv", "id\n1\n2\n3\n")
    answer = cli("run", "mail", "--run-key", "k", "--skip", "mail[2]", "--skip", "all:mail[3]")
    assert answer.code == 0
    assert targets(cli) == ["https://api.example.com/1"]
    assert cli("run", "mail", "--run-key", "k").code == 0
    assert targets(cli) == ["https://api.example.com/1"]


def test_a_name_to_skip_that_two_messages_have_is_refused(cli) -> None:
    cli.write("jobs/a.yaml", "jobs: {x: {url: 'https://a.example.com'}}\n")
    cli.write("jobs/b.yaml", "jobs: {x: {url: 'https://a.example.com'}}\n")
    answer = cli("run", "jobs", "--skip", "x")
    assert answer.code == 2
    assert "--skip x can mean " in answer.err
    assert cli.sent == []


def test_a_disabled_job_is_counted_and_not_published(cli) -> None:
    cli.write(
        "a.yaml",
        "jobs:\n  on: {url: 'https://a.example.com'}\n  off: {url: 'https://b.example.com', enabled: false}\n",
    )
    answer = cli("run", "a.yaml")
    assert "publish 1 message of 1 job, 1 disabled to " in answer.err
    assert targets(cli) == ["https://a.example.com"]


def test_a_group_is_reached_by_the_name_that_a_file_declares_for_it(cli) -> None:
    cli.server.make_group("orders-live", {"mail": "https://mail.example.com/hook"})
    cli.write(
        "a.yaml",
        "jobs:\n  tell: {url_group: orders}\nurl_groups:\n  orders: {name: orders-live, endpoints: {mail: 'https://mail.example.com/hook'}}\n",
    )
    assert cli("run", "a.yaml").code == 0
    assert targets(cli) == ["orders-live"]


def test_a_key_with_a_long_window_is_refused_by_the_ledger_in_later_runs(cli) -> None:
    cli.write("a.yaml", HELLO + "dedup: {key: order-7, window: 30d}\n")
    assert cli("run", "a.yaml").code == 0
    answer = cli("run", "a.yaml")
    assert answer.code == 0
    assert answer.out.startswith("skipped a:a ")
    assert " until 20" in answer.out
    assert len(cli.sent) == 1
    planned = cli("plan", "a.yaml", "--format", "jsonl").lines[0]
    assert planned["action"] == "skip"


def test_rows_go_out_in_batches_and_are_told_as_one_line(cli) -> None:
    cli.write("all.yaml", ROWS)
    cli.write("rows.csv", "id\n" + "".join(f"{number}\n" for number in range(250)))
    answer = cli("run", "all.yaml")
    assert answer.out == "published all:mail 250 messages\n"
    assert len(cli.sent) == 3
    assert len(targets(cli)) == 250


def test_quiet_says_nothing_where_all_is_well_and_what_failed_where_not(cli) -> None:
    cli.write("a.yaml", HELLO)
    answer = cli("run", "a.yaml", "--quiet")
    assert (answer.code, answer.out, answer.err) == (0, "", "")
    cli.set("QSTASH_URL", "http://127.0.0.1:9")
    answer = cli("run", "a.yaml", "--quiet")
    assert answer.code == 5
    assert "connection refused" in answer.err


def test_results_are_appended_as_json_lines(cli) -> None:
    cli.write("a.yaml", HELLO)
    for _ in range(2):
        cli("run", "a.yaml", "--results", "results.jsonl")
    lines = [json.loads(line) for line in (cli.folder / "results.jsonl").read_text().splitlines()]
    assert [line["state"] for line in lines] == ["published", "published"]
    assert lines[0]["run"] != lines[1]["run"]
    assert lines[0]["message_ids"][0].startswith("msg_")


def test_a_results_file_on_a_full_disk_costs_no_message(cli) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    cli.write("a.yaml", HELLO)
    answer = cli("run", "a.yaml", "--results", "/dev/full")
    assert answer.code == 6
    assert "--results /dev/full cannot be written: no space left on device; the run goes on" in answer.err
    assert "published 1 (run " in answer.err
    assert len(cli.sent) == 1
    assert cli("runs", "--format", "jsonl").lines[0]["exit_code"] == 0


def test_a_run_waits_for_its_deliveries(cli) -> None:
    cli.write("a.yaml", HELLO)
    answer = cli("run", "a.yaml", "--wait", "20s")
    assert answer.code == 0
    assert "\ndelivered a:a msg_" in answer.out
    assert "delivered 1" in answer.err
    assert "has it arrived?" not in answer.err


def test_time_that_runs_out_while_waiting_is_exit_9(cli) -> None:
    with start_server(real_time=True, record_requests=True) as server:
        cli.use(server)
        cli.write("a.yaml", HELLO + "delay: 1h\n")
        answer = cli("run", "a.yaml", "--wait", "1s")
        assert answer.code == 9
        assert "waiting 1" in answer.err
        assert cli("status").code == 9


def test_a_data_file_that_changes_between_the_passes_stops_the_run_and_says_so(cli) -> None:
    cli.write("all.yaml", ROWS)
    path = cli.write("rows.csv", "id\n1\n2\n")
    workspace = load(Inputs(paths=("all.yaml",), here=cli.folder))
    env = {"QSTASH_URL": cli.server.url, "QSTASH_TOKEN": cli.server.token}
    service, _ = find_service(env, workspace.project)

    def change(_: object) -> bool:
        path.write_text("id\n1\n3\n")
        return True

    with closing(open_ledger(cli.ledger)) as ledger:
        report = run_jobs(
            workspace,
            Wish(),
            Tools(service=service, ledger=ledger, clock=system_clock(), env=env, secrets={}),
            show_problems=lambda _: None,
            confirm=change,
            tell=lambda *_: None,
            stopping=lambda: 0,
        )
    assert report.exit_code == 2
    assert report.ending is not None
    assert "rows.csv changed while it was being published from; run it again" in report.ending.reason
    assert report.totals == {"planned": 2}
    assert cli.sent == []


def test_a_second_run_of_the_same_jobs_is_told_that_one_is_under_way(cli) -> None:
    cli.write("qstash-jobs.yaml", "project: shop\n")
    cli.write("a.yaml", HELLO)
    ledger = open_ledger(cli.ledger)
    with ledger.lock([Scope(text="shop\n\na")]):
        answer = cli("run", "a.yaml")
        assert answer.code == 7
        assert "another run of these jobs is under way (pid " in answer.err
        started = time.monotonic()
        assert cli("run", "a.yaml", "--lock-wait", "1s").code == 7
        assert time.monotonic() - started >= 1
    assert cli.sent == []
    assert cli("run", "a.yaml").code == 0
    ledger.close()
