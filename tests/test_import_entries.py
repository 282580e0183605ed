"""`import --from`: cron entries of other programs become schedules that fire when they did, or are explained."""

import json
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from qstash_jobs.cron import read_cron
from qstash_jobs.document import read_document
from qstash_jobs.entries import Entry, LeftOut, read_crontab
from qstash_jobs.report.job_file import Draft, Drafted, Omission, escape_expressions, write_job_file

SAFE_URL = "https://api.example.com/a"


def read_one(line: str, *, url: str | None = None) -> Entry | LeftOut:
    (entry,) = read_crontab(line, url=url, timezone=None).entries
    return entry


def refuse(line: str) -> str:
    entry = read_one(line)
    assert isinstance(entry, LeftOut), entry
    assert entry.source == line
    return entry.reason


# crontab


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("@daily", "0 0 * * *"),
        ("@Weekly", "0 0 * * 0"),
        ("0 4 * * 7", "0 4 * * 0"),
        ("0 4 * * 5-7", "0 4 * * 0,5,6"),
        ("0 4 * * 1-7/2", "0 4 * * 0,1,3,5"),
        ("0 4 1,15 * mon-FRI", "0 4 1,15 * mon-FRI"),
        ("*/5  *\t* * *", "*/5 * * * *"),
        ("0 4 */2 * *", "0 4 */2 * *"),
    ],
)
def test_a_crontabs_times_are_said_in_qstashs_dialect(written, meant):
    entry = read_one(f"{written} curl -fsS {SAFE_URL}")
    assert isinstance(entry, Entry)
    assert entry.cron == meant


@pytest.mark.parametrize(
    ("cron", "why"),
    [
        ("@reboot", "nothing that starts with a machine"),
        ("@fortnightly", "is not known"),
        ("0 22-2 * * *", "write 22-23,0-2"),
        ("0 0 * * fri-mon", "ends before it begins"),
        ("0 0 L * *", "L, W and # are of other crons"),
        ("0~30 0 * * *", "cannot stand for the minute"),
        ("0 0 31 2 *", "it never fires"),
        ("0 0 * * 8", "goes from 0 to 6"),
        ("0 0 */2 * 1", "a crontab wants both to match"),
        ("0 0 1 * */2", "a crontab wants both to match"),
        ("0 0 */2 * */2", "a crontab wants both to match"),
    ],
)
def test_a_time_that_qstash_would_take_otherwise_is_left_out_with_the_reason(cron, why):
    assert why in refuse(f"{cron} curl {SAFE_URL}")


@pytest.mark.parametrize(
    ("command", "method", "url"),
    [
        (f"curl {SAFE_URL}", "GET", SAFE_URL),
        (f"/usr/bin/curl -fsS -X PUT '{SAFE_URL}?a=b&c=d' >/dev/null 2>&1", "PUT", f"{SAFE_URL}?a=b&c=d"),
        (f"curl -so /dev/null {SAFE_URL}?a=1", "GET", f"{SAFE_URL}?a=1"),
        (f"wget -qO- {SAFE_URL} &> /dev/null", "GET", SAFE_URL),
        (f"wget -q -O /dev/null --method=DELETE {SAFE_URL}", "DELETE", SAFE_URL),
        (f"curl {SAFE_URL}\\%20b", "GET", f"{SAFE_URL}%20b"),
    ],
)
def test_a_command_that_calls_a_url_becomes_that_call(command, method, url):
    entry = read_one(f"1 2 3 4 5 {command}")
    assert isinstance(entry, Entry)
    assert (entry.method, entry.url) == (method, url)


@pytest.mark.parametrize(
    "command",
    [
        "/opt/backup.sh",
        f"curl {SAFE_URL} | mail me",
        f"curl {SAFE_URL} && curl {SAFE_URL}",
        f"curl -H 'X: y' {SAFE_URL}",
        f"curl -d a=b {SAFE_URL}",
        f"curl -L {SAFE_URL}",
        f"curl -o answer.json {SAFE_URL}",
        f"curl {SAFE_URL} > answer.json",
        f"curl '{SAFE_URL}/{{1,2}}'",
        f"curl {SAFE_URL} {SAFE_URL}",
        "curl ftp://example.com/",
        "curl",
        "curl 'https://example.com",
        f"curl -X TRACE {SAFE_URL}",
        'curl "https://example.com/$HOSTNAME"',
        f"curl {SAFE_URL}%body",
        f"root curl {SAFE_URL}",
    ],
)
def test_a_command_that_does_anything_else_needs_a_url_and_is_never_guessed_at(command):
    assert refuse(f"1 2 3 4 5 {command}")
    entry = read_one(f"1 2 3 4 5 {command}", url="https://api.example.com/given")
    assert isinstance(entry, Entry)
    assert (entry.method, entry.url) == ("POST", "https://api.example.com/given")


def test_cron_tz_holds_from_its_line_on_and_nothing_else_moves_the_times():
    reading = read_crontab(
        f"TZ=Asia/Tokyo\n0 1 * * * curl {SAFE_URL}\nCRON_TZ=Europe/Berlin\n0 2 * * * curl {SAFE_URL}\n"
        f"CRON_TZ=\n0 3 * * * curl {SAFE_URL}\nCRON_TZ = 'Mars/Olympus'\n0 4 * * * curl {SAFE_URL}\n",
        url=None,
        timezone="America/New_York",
    )
    zones = [one.timezone if isinstance(one, Entry) else one.reason for one in reading.entries]
    assert zones == [
        "America/New_York",
        "Europe/Berlin",
        "America/New_York",
        "there is no time zone Mars/Olympus",
    ]
    assert reading.remarks == ()


def test_a_crontab_without_a_zone_says_that_utc_is_a_guess():
    assert "names no zone" in read_crontab(f"@daily curl {SAFE_URL}", url=None, timezone=None).remarks[0]


FIELDS = st.tuples(
    st.sampled_from(["0", "*/15", "3,33", "10-20/5"]),
    st.sampled_from(["*", "4", "*/6", "9-17"]),
    st.sampled_from(["*", "1", "1,15", "10-20", "*/2"]),
    st.sampled_from(["*", "2", "JUN", "1-6/2"]),
    st.sampled_from(["*", "0", "7", "1-5", "5-7", "6,7", "sun", "*/2"]),
)


def matches(fields: tuple[str, ...], moment: datetime) -> bool:
    """What crontab(5) says of a moment, by counting: a field that begins with a star restricts nothing by itself."""
    minute, hour, day, month, weekday = (
        among(field, low, high)
        for field, (low, high) in zip(fields, [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)], strict=True)
    )
    is_day, is_weekday = moment.day in day, bool({moment.isoweekday() % 7, moment.isoweekday()} & weekday)
    both = fields[2].startswith("*") or fields[4].startswith("*")
    days = is_day and is_weekday if both else is_day or is_weekday
    return moment.minute in minute and moment.hour in hour and moment.month in month and days


def among(field: str, low: int, high: int) -> set[int]:
    words = {"jun": 6, "sun": 0}
    found: set[int] = set()
    for term in field.split(","):
        span, _, step = term.partition("/")
        first, _, last = (f"{low}-{high}" if span == "*" else span).partition("-")
        start = words.get(first.lower())
        start = int(first) if start is None else start
        found.update(range(start, int(last or start) + 1, int(step or 1)))
    return found


@settings(max_examples=150)
@given(FIELDS, st.integers(0, 730 * 24 * 60))
def test_a_schedule_fires_exactly_when_its_crontab_did(fields, minutes):
    entry = read_one(f"{' '.join(fields)} curl {SAFE_URL}")
    if isinstance(entry, LeftOut):
        assert "both to match" in entry.reason or "never fires" in entry.reason
        return
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    for moment in islice(read_cron(entry.cron).next_times(start, ZoneInfo("UTC")), 20):
        assert matches(fields, moment), (fields, entry.cron, moment)
        start = moment
    # none was left out: on the last day that was looked at, every moment that matches is one of them
    day = start.replace(hour=0, minute=0, second=0, microsecond=0)
    of_day = [day.replace(hour=at // 60, minute=at % 60) for at in range(1440)]
    expected = [one for one in of_day if matches(fields, one)]
    before = day.timestamp() - 1
    fired = islice(
        read_cron(entry.cron).next_times(datetime.fromtimestamp(before, UTC), ZoneInfo("UTC")), len(expected)
    )
    assert list(fired) == expected


# the file


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(
    st.lists(TEXTS, max_size=4),
    st.dictionaries(TEXTS.filter(bool), TEXTS | st.integers() | st.booleans() | st.lists(TEXTS), max_size=4),
)
def test_what_is_drafted_reads_back_the_same_whatever_it_holds(remarks, fields):
    draft = Draft(
        schedules=(Drafted(key="a", fields=fields, comments=tuple(remarks)),),
        remarks=tuple(remarks),
        omissions=tuple(Omission(what=remark, reason=remark) for remark in remarks),
    )
    text = write_job_file(draft)
    document = read_document(text.encode(), file="x")
    # our own reader takes a NUL and the like out of no text, and refuses none of them when they are escaped
    assert [one.message for one in document.problems] == []
    assert document.data == {"schedules": {"a": fields}}
    assert yaml.safe_load(text) == {"schedules": {"a": fields}}


def test_a_file_with_nothing_in_it_is_a_job_file_all_the_same(cli):
    cli.write("empty", "")
    drafted = cli("import", "empty", "--from", "crontab")
    assert drafted.code == 0
    cli.write("jobs/x.yaml", drafted.out)
    assert cli("validate").code == 0


def test_what_looks_like_an_expression_stays_text():
    assert escape_expressions("a ${{ b $${{") == "a $${{ b $$${{"


# the command


def test_a_crontab_becomes_a_file_that_validates_with_the_rest_as_comments(cli):
    cli.write(
        "tab",
        f"# mine\nMAILTO=x\n@daily curl -fsS {SAFE_URL}/nightly\n@reboot /start\n5 5 * * * curl 'https://api.example.com/x#y'\n"
        f"CRON_TZ=Europe/Berlin\n0 4 * * 7 curl {SAFE_URL}/nightly\n",
    )
    answer = cli("import", "tab", "--from", "crontab", "--out", "jobs/cron.yaml")
    assert answer.code == 0
    assert "drafted 2 schedules, left out 2" in answer.err
    assert "qstash-jobs plan jobs/cron.yaml" in answer.err
    text = (cli.folder / "jobs/cron.yaml").read_text()
    assert yaml.safe_load(text)["schedules"] == {
        "nightly": {"cron": "0 0 * * *", "url": f"{SAFE_URL}/nightly", "method": "GET"},
        "nightly-2": {
            "cron": "0 4 * * 0",
            "timezone": "Europe/Berlin",
            "url": f"{SAFE_URL}/nightly",
            "method": "GET",
        },
    }
    for source in ("@reboot /start", "curl 'https://api.example.com/x#y'"):
        assert source in "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
        assert source in answer.err
    assert cli("validate").code == 0


def test_a_file_that_is_there_is_never_written_over(cli):
    cli.write("tab", f"@daily curl {SAFE_URL}")
    cli.write("mine.yaml", "url: https://example.com\n")
    answer = cli("import", "tab", "--from", "crontab", "--out", "mine.yaml")
    assert answer.code == 2
    assert "mine.yaml is there already" in answer.err
    assert (cli.folder / "mine.yaml").read_text() == "url: https://example.com\n"


def test_the_projects_policy_holds_for_what_is_imported(cli):
    cli.write("qstash-jobs.yaml", 'project: p\npolicy: {destinations: ["https://api.example.com/"]}\n')
    cli.write("tab", "@daily curl https://api.example.com/ok\n@daily curl https://evil.example.net/no\n")
    answer = cli("import", "tab", "--from", "crontab")
    assert list(yaml.safe_load(answer.out)["schedules"]) == ["ok"]
    assert "evil.example.net" in answer.err
    assert "policy" in answer.err


def test_a_vercel_json_becomes_schedules_that_get_its_paths(cli):
    crons = [
        {"path": "/api/daily", "schedule": "0 5 * * *"},
        {"path": "api", "schedule": "0 5 * * *"},
        {"path": "/b", "schedule": "0 0 * * 7"},
        3,
    ]
    cli.write("vercel.json", json.dumps({"crons": crons}))
    answer = cli("import", "vercel.json", "--from", "vercel", "--base-url", "https://app.example.com/")
    assert yaml.safe_load(answer.out)["schedules"] == {
        "daily": {"cron": "0 5 * * *", "url": "https://app.example.com/api/daily", "method": "GET"}
    }
    assert answer.out.count("# left out:") == 3
    assert "CRON_SECRET" in answer.out


def test_a_workflows_entries_call_the_url_that_is_given(cli):
    workflow = """\
name: Nightly build
on:
  push:
  schedule:
    - cron: '30 5 * * 1,3'
    - {cron: "*/7 * * * *", timezone: America/New_York}
    - cron: 0 0 * * 8
jobs: {a: {runs-on: ubuntu-latest, steps: [{run: "echo ${{ github.sha }}"}]}}
"""
    cli.write("nightly.yml", workflow)
    answer = cli("import", "nightly.yml", "--from", "github", "--url", SAFE_URL)
    assert yaml.safe_load(answer.out)["schedules"] == {
        "Nightly-build": {"cron": "30 5 * * 1,3", "url": SAFE_URL},
        "Nightly-build-2": {"cron": "*/7 * * * *", "timezone": "America/New_York", "url": SAFE_URL},
    }
    assert "line 7: cron: 0 0 * * 8" in answer.err
    without = cli("import", "nightly.yml", "--from", "github")
    assert yaml.safe_load(without.out) == {"schedules": {}}
    assert "say which with --url" in without.err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("x", "--from", "vercel"), "--base-url"),
        (("x", "--from", "vercel", "--base-url", "https://a.example.com"), "it is not JSON"),
        (("x", "--from", "github"), "it has no `on`"),
        (("bytes", "--from", "crontab"), "it is not UTF-8"),
        (
            ("x", "--from", "crontab", "--base-url", "https://a.example.com"),
            "--base-url goes with --from vercel",
        ),
        (("x", "--from", "crontab", "--timezone", "Mars/Olympus"), "there is no time zone"),
        (("gone", "--from", "crontab"), "no such file"),
        ((".", "--from", "crontab"), "is a folder"),
        (("x", "--from", "crontab", "--out", "bytes/below/a-file.yaml"), "cannot be written"),
    ],
)
def test_what_cannot_be_read_or_meant_is_a_sentence(cli, words, why):
    cli.write("x", "")
    cli.write("bytes", b"\xff")
    answer = cli("import", *words)
    assert answer.code == 2
    assert why in answer.err
    assert answer.out == ""
