"""`schedules next`: when each schedule fires, what a clock change does to it, and what all of it asks of the plan."""

import json
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from markdown_page import Page

from qstash_jobs.api.inputs import Inputs
from qstash_jobs.api.upcoming import look_ahead
from qstash_jobs.cron import read_cron
from qstash_jobs.report.upcoming import write_firings, write_firings_jsonl

SCHEDULES = """\
schedules:
  spring: {cron: "30 2 28,29 3 *", timezone: Europe/Berlin, url: https://api.example.com/a}
  autumn: {cron: "30 2 25 10 *", timezone: Europe/Berlin, url: https://api.example.com/b}
  poll: {cron: "*/30 * * * *", url_group: two, retries: 1}
  off: {cron: "* * * * *", url: https://api.example.com/c, enabled: false}
url_groups:
  two: {endpoints: {a: https://a.example.com, b: https://b.example.com}}
"""


def look(cli, now, *, jobs=(), count=2, text=SCHEDULES):
    cli.write("qstash-jobs.yaml", "project: p\n")
    cli.write("jobs/s.yaml", text)
    inputs = Inputs(paths=("jobs",), here=cli.folder, jobs=jobs)
    return look_ahead(inputs, {}, count=count, now=now)


def test_a_time_that_the_clock_skips_is_named_and_does_not_count(cli):
    ahead = look(cli, datetime(2027, 3, 1, tzinfo=UTC), jobs=("spring",))
    assert list(write_firings(ahead.firings)) == [
        "jobs/s:spring 2027-03-28T02:30 Europe/Berlin (does not fire: the clock skips this time)",
        "jobs/s:spring 2027-03-29T02:30+02:00 Europe/Berlin 2027-03-29T00:30:00Z",
        "jobs/s:spring 2028-03-28T02:30+02:00 Europe/Berlin 2028-03-28T00:30:00Z",
    ]


def test_a_time_that_the_clock_shows_twice_is_named_both_times(cli):
    ahead = look(cli, datetime(2026, 10, 1, tzinfo=UTC), jobs=("*:autumn",), count=3)
    told = [json.loads(line) for line in write_firings_jsonl(ahead.firings)]
    assert [(one["local"], one["utc"], one["state"]) for one in told] == [
        ("2026-10-25T02:30+02:00", "2026-10-25T00:30:00Z", "repeated"),
        ("2026-10-25T02:30+01:00", "2026-10-25T01:30:00Z", "repeated"),
        ("2027-10-25T02:30+02:00", "2027-10-25T00:30:00Z", "fires"),
    ]


def test_messages_are_counted_by_endpoint_retry_and_day(cli):
    burden = look(cli, datetime(2027, 6, 1, tzinfo=UTC)).burden
    assert burden is not None
    # 48 times a day, to two endpoints, each with one retry
    assert (burden.deliveries, burden.attempts) == (31 * 96, 31 * 192)
    assert (burden.busiest_deliveries, burden.busiest_attempts) == (96, 192)
    assert burden.unknown_groups == ()


def test_today_is_not_counted_because_part_of_it_is_over(cli):
    burden = look(cli, datetime(2027, 6, 1, 23, 59, tzinfo=UTC)).burden
    assert burden is not None
    assert burden.busiest == date(2027, 6, 2)
    assert burden.deliveries == 31 * 96


def test_the_days_that_are_counted_are_those_on_which_it_fires():
    cron = read_cron("0,30 4,5 1 * MON")
    start = datetime(2027, 6, 1, 12, tzinfo=UTC)
    zone = ZoneInfo("UTC")
    fired = set(_until(cron.next_times(datetime(2027, 5, 31, 23, tzinfo=UTC), zone), 30))
    dates = [next(iterator) for iterator in [cron.dates(start, zone)] * 3]
    assert dates == sorted({one.date() for one in fired})[:3]
    assert cron.times_a_day == 4


def _until(times, number):
    return (one for one, _ in zip(times, range(number), strict=False))


def test_the_command_tells_a_plan_that_is_too_small(cli):
    cli.write("qstash-jobs.yaml", "project: p\nquota: {messages_per_day: 100}\n")
    cli.write("jobs/s.yaml", SCHEDULES)
    answer = cli("schedules", "next", "--job", "poll", "--count", "3", "--format", "jsonl")
    assert answer.code == 0
    assert [one["name"] for one in answer.lines] == ["jobs/s:poll"] * 3
    assert "96 messages, 192 with every retry; warning: the plan allows 100 messages a day" in answer.err


def test_the_table_holds_what_a_cron_has_to_escape(cli):
    cli.write("jobs/s.yaml", SCHEDULES)
    page = Page(cli("schedules", "next", "--job", "poll", "--count", "1", "--format", "markdown").out)
    assert "*/30 * * * *" in page.text


def test_a_disabled_schedule_is_counted_out_aloud(cli):
    cli.write("jobs/s.yaml", SCHEDULES)
    answer = cli("schedules", "next")
    assert "1 schedule disabled, and not counted" in answer.err
    assert ":off " not in answer.out


@pytest.mark.parametrize(
    ("words", "text", "why"),
    [
        (("--job", "zzz"), SCHEDULES, "no schedule matches zzz"),
        ((), SCHEDULES.replace("*/30 *", "*/0 *"), "the smallest step is 1"),
        (("--count", "0"), SCHEDULES, "count"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_guessed(cli, words, text, why):
    cli.write("jobs/s.yaml", text)
    answer = cli("schedules", "next", *words)
    assert answer.code == 2
    assert why in answer.err
    assert answer.out == ""


def test_nothing_is_asked_of_qstash(cli):
    cli.write("jobs/s.yaml", SCHEDULES)
    assert cli("schedules", "next").code == 0
    assert cli.server.requests() == []
