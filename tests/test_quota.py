"""What a run asks of the plan is counted before it is sent: endpoints, retries, and the messages of a day."""

import json

import pytest

from qstash_jobs.report.wording import count

GROUP = """\
url_groups:
  orders:
    name: orders-live
    endpoints: {email: "https://mail.example.com/hook", audit: "https://audit.example.com/hook"}
jobs:
  told: {url_group: orders, for_each: [{n: 1}, {n: 2}, {n: 3}], retries: 1}
"""


def quota_line(cli, *words: str) -> dict[str, object]:
    *_, last = cli("plan", *words, "--format", "jsonl").lines
    assert last.pop("kind") == "quota"
    return last


def test_a_message_counts_for_each_endpoint_and_each_retry(cli) -> None:
    cli.write("a.yaml", GROUP)
    assert quota_line(cli, "a.yaml") == {
        "messages": 3,
        "deliveries": 6,
        "attempts": 12,
        "unknown_groups": [],
        "messages_per_day": None,
        "environment": None,
    }
    assert (
        "would publish 3 messages of 1 job\n6 deliveries, 12 with every retry\n" in cli("plan", "a.yaml").err
    )


@pytest.mark.parametrize(("retries", "attempts"), [("", 4), ("retries: 0\n", 1), ("retries: 9\n", 10)])
def test_where_a_job_says_nothing_three_retries_are_counted(cli, retries: str, attempts: int) -> None:
    cli.write("a.yaml", f"url: https://api.example.com/\n{retries}")
    assert quota_line(cli, "a.yaml")["attempts"] == attempts


def test_a_group_that_no_file_declares_is_said_to_count_as_one(cli) -> None:
    cli.write("a.yaml", "url_group: elsewhere\nretries: 0\n")
    assert quota_line(cli, "a.yaml")["unknown_groups"] == ["elsewhere"]
    assert (
        "1 delivery; URL group elsewhere counts as one endpoint, since no file declares it"
        in cli("plan", "a.yaml").err
    )


@pytest.mark.parametrize("command", ["validate", "plan"])
def test_more_than_the_plan_allows_a_day_is_a_warning_where_the_limit_stands(cli, command: str) -> None:
    cli.write("qstash-jobs.yaml", "project: shop\nquota:\n  delay: 7d\n  messages_per_day: 11\n")
    cli.write("a.yaml", GROUP)
    answer = cli(command, "a.yaml")
    assert answer.code == 0
    assert (
        "qstash-jobs.yaml:4:21: warning: these jobs make 6 deliveries, and 12 with every retry; "
        "the plan allows 11 messages a day [quota-messages]" in answer.out + answer.err
    )
    cli.write("qstash-jobs.yaml", "project: shop\nquota: {messages_per_day: 12}\n")
    assert "quota-messages" not in cli(command, "a.yaml").out + cli(command, "a.yaml").err


def test_the_free_plan_has_a_thousand_messages_a_day(cli) -> None:
    cli.write("qstash-jobs.yaml", "quota: free\n")
    cli.write("a.yaml", "url: https://api.example.com/\nfor_each: rows.csv\nretries: 0\n")
    for rows, problems in ((1_000, 0), (1_001, 1)):
        cli.write("rows.csv", "n\n" + "".join(f"{number}\n" for number in range(rows)))
        document = json.loads(cli("validate", "a.yaml", "--format", "json").out)
        assert [problem["rule"] for problem in document["problems"]] == ["quota-messages"] * problems
    assert cli("validate", "a.yaml", "--strict").code == 2


def test_an_environments_quota_takes_the_place_of_the_projects(cli) -> None:
    cli.write("qstash-jobs.yaml", "quota: free\nenvironments:\n  live:\n    quota: {messages_per_day: 2}\n")
    cli.write("a.yaml", GROUP)
    assert "qstash-jobs.yaml:4:31: warning" in cli("plan", "a.yaml", "--environment", "live").err


def test_what_is_published_already_asks_nothing_of_the_plan(cli) -> None:
    cli.write("qstash-jobs.yaml", "project: shop\nquota: {messages_per_day: 1}\n")
    cli.write("a.yaml", "url: https://api.example.com/\nretries: 3\n")
    assert cli("run", "a.yaml", "--run-key", "k").code == 0
    assert quota_line(cli, "a.yaml", "--run-key", "k")["messages"] == 0
    assert cli("plan", "a.yaml", "--run-key", "k").err == "would publish nothing, skip 1\n"


def test_counted_nouns_are_english() -> None:
    assert [count(number, "delivery") for number in (0, 1, 2)] == [
        "0 deliveries",
        "1 delivery",
        "2 deliveries",
    ]
    assert count(2, "key") == "2 keys"
