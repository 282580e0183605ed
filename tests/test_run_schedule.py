"""`run --schedule`: a schedule's message, published now and once, as a job's would be."""

from qstash import QStash

FILE = """\
run_key: ${{ run.date }}
jobs: {hello: {url: "https://api.example.com/hello"}}
schedules:
  nightly:
    cron: "0 4 * * *"
    timezone: Europe/Berlin
    url: https://api.example.com/nightly
    body: {kind: nightly}
    headers: {X-Kind: n}
  weekly: {cron: "0 4 * * 1", url: "https://api.example.com/weekly"}
  off: {cron: "0 4 * * 1", url: "https://api.example.com/off", enabled: false}
"""


def test_a_schedules_message_goes_out_once_with_nothing_of_its_times(cli):
    cli.write("jobs.yaml", FILE)
    answer = cli("run", "jobs.yaml", "--schedule", "night*", "--format", "jsonl")
    assert answer.code == 0
    assert [(one["name"], one["state"]) for one in answer.lines] == [("jobs:nightly", "published")]
    [sent] = cli.sent
    headers = {name.lower(): value for name, value in dict(sent.headers).items()}
    assert sent.target == "/v2/publish/https://api.example.com/nightly"
    assert headers["upstash-forward-x-kind"] == "n"
    assert "upstash-cron" not in headers
    assert headers["upstash-deduplication-id"].startswith("qj-")
    client = QStash(cli.server.token, base_url=cli.server.url)
    assert client.schedule.list() == []
    client.http._client.close()
    # the run key is the day's: once more is the same message
    again = cli("run", "jobs.yaml", "--schedule", "nightly", "--format", "jsonl")
    assert [one["state"] for one in again.lines] == ["skipped"]
    assert len(cli.sent) == 1
    assert cli("run", "jobs.yaml", "--schedule", "nightly", "--again").code == 0
    assert len(cli.sent) == 2
    assert "jobs:nightly" in cli("show", answer.lines[0]["run"]).out


def test_jobs_go_with_it_only_where_they_are_named(cli):
    cli.write("jobs.yaml", FILE)
    answer = cli("run", "jobs.yaml", "--schedule", "*", "--job", "hello", "--format", "jsonl")
    assert [one["name"] for one in answer.lines] == ["jobs:hello", "jobs:nightly", "jobs:weekly"]
    assert "1 disabled" in answer.err


def test_it_can_be_rehearsed_on_this_machine(cli):
    cli.write("jobs.yaml", FILE)
    answer = cli("run", "--local", "jobs.yaml", "--schedule", "weekly")
    assert answer.code == 0
    assert "delivered jobs:weekly POST https://api.example.com/weekly 200" in answer.out
    assert cli.sent == []


def test_a_run_of_a_schedule_that_was_refused_is_continued(cli):
    cli.write("jobs.yaml", FILE.replace("    headers:", "    delay: 400d\n    headers:"))
    assert cli("run", "jobs.yaml", "--schedule", "nightly").code == 1
    cli.write("jobs.yaml", FILE)
    answer = cli("run", "--continue", "--format", "jsonl")
    assert [(one["name"], one["state"]) for one in answer.lines] == [("jobs:nightly", "published")]


def test_a_name_that_a_job_has_too_is_refused_before_anything_is_sent(cli):
    cli.write("jobs.yaml", FILE.replace("jobs: {hello:", "jobs: {nightly:"))
    answer = cli("run", "jobs.yaml", "--schedule", "nightly")
    assert answer.code == 2
    assert "rename one of them" in answer.err
    assert cli.sent == []


def test_a_pattern_that_matches_nothing_is_refused(cli):
    cli.write("jobs.yaml", FILE)
    answer = cli("run", "jobs.yaml", "--schedule", "nigthly")
    assert answer.code == 2
    assert "no schedule matches nigthly" in answer.err


def test_a_plan_shows_exactly_what_a_run_of_the_schedule_sends_and_nothing_of_the_account(cli):
    cli.write("qstash-jobs.yaml", "project: shop\n")
    cli.write("jobs.yaml", FILE)
    options = ("--schedule", "*", "--job", "hello", "--batch-size", "1")
    planned = cli("plan", "jobs.yaml", *options, "--format", "jsonl")
    assert planned.code == 0
    *messages, quota = planned.lines
    assert quota["messages"] == 3
    assert [one["name"] for one in messages] == ["jobs:hello", "jobs:nightly", "jobs:weekly"]
    assert cli.server.requests() == []
    assert cli("run", "jobs.yaml", *options).code == 0
    connection = {"host", "authorization", "user-agent", "accept-encoding", "content-length", "connection"}

    def write(target, headers, body):
        kept = sorted((name, value) for name, value in headers if name.lower() not in connection)
        return target, kept, body

    assert sorted(write(one["target"], one["headers"].items(), one["body"]) for one in messages) == sorted(
        write(one.target, one.headers, one.body.decode()) for one in cli.sent
    )
    again = cli("plan", "jobs.yaml", *options, "--format", "jsonl")
    assert [one["action"] for one in again.lines[:-1]] == ["skip"] * 3
    assert "# skip jobs:nightly" in cli("plan", "jobs.yaml", *options, "--format", "curl").out


def test_a_plan_of_schedules_is_none_of_an_account(cli):
    cli.write("jobs.yaml", FILE)
    for option in (["--exit-code"], ["--prune"], ["--out", "plan.json"]):
        answer = cli("plan", "jobs.yaml", "--schedule", "nightly", *option)
        assert answer.code == 2
        assert "--schedule plans messages only" in answer.err
    assert "no schedule matches hello" in cli("plan", "jobs.yaml", "--schedule", "hello").err


def test_a_disabled_schedule_is_counted_once_and_only_where_it_was_asked_for(cli):
    cli.write("jobs.yaml", FILE)
    asked = cli("run", "jobs.yaml", "--schedule", "off", "--yes")
    assert (asked.code, asked.out) == (0, "")
    assert "publish 0 messages of 0 jobs, 1 disabled" in asked.err
    assert "disabled" not in cli("run", "jobs.yaml", "--yes").err
    assert [one.target for one in cli.sent] == ["/v2/publish/https://api.example.com/hello"]


def test_a_run_of_files_without_jobs_says_how_what_they_hold_gets_anywhere(cli):
    cli.write("declared.yaml", FILE.replace('jobs: {hello: {url: "https://api.example.com/hello"}}\n', ""))
    ran = cli("run", "declared.yaml", "--yes")
    assert ran.code == 0
    assert "--schedule GLOB publishes a schedule's message now" in ran.err
    assert "qstash-jobs apply declared.yaml" in ran.err
    assert cli("validate", "declared.yaml").err == "no problems in 1 file: 3 schedules\n"
    assert cli("validate", "declared.yaml", "--job", "weekly").err == "no problems in 1 file: 1 schedule\n"
    assert "apply" not in cli("run", "declared.yaml", "--schedule", "weekly", "--yes").err
