"""Cron expressions: what is read, what is refused, and when they fire, held to a matcher of single minutes."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qstash_jobs.cron import CronError, read_cron
from qstash_jobs.grammar import GrammarError

UTC_ZONE = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")


def fire(text: str, count: int, after: str = "2026-01-01T00:00:00", zone: ZoneInfo = UTC_ZONE) -> list[str]:
    start = datetime.fromisoformat(after)
    start = start if start.tzinfo else start.replace(tzinfo=zone)
    return [f"{time:%Y-%m-%d %H:%M%z}" for time in islice(read_cron(text).next_times(start, zone), count)]


def test_it_fires_at_the_times_it_names() -> None:
    assert fire("0 4 * * *", 2) == ["2026-01-01 04:00+0000", "2026-01-02 04:00+0000"]
    assert fire(" */20\t* * * * ", 3) == [
        "2026-01-01 00:20+0000",
        "2026-01-01 00:40+0000",
        "2026-01-01 01:00+0000",
    ]
    assert fire("50/5 * ? * *", 3)[:2] == ["2026-01-01 00:50+0000", "2026-01-01 00:55+0000"]
    assert fire("0 0 1 jan-Mar/2 *", 2) == ["2026-03-01 00:00+0000", "2027-01-01 00:00+0000"]
    assert fire("05 9 * * mon-fri", 1) == ["2026-01-01 09:05+0000"]
    assert fire("0 0 29 2 *", 1) == ["2028-02-29 00:00+0000"]


def test_the_first_time_is_after_the_given_one() -> None:
    assert fire("0 4 * * *", 1, "2026-01-01T04:00:00") == ["2026-01-02 04:00+0000"]
    assert fire("0 4 * * *", 1, "2026-01-01T03:59:59.999999") == ["2026-01-01 04:00+0000"]


def test_a_star_joins_the_day_fields_by_and_and_a_stepped_one_by_or() -> None:
    mondays = ["2026-01-05", "2026-01-12", "2026-01-19"]
    assert [time[:10] for time in fire("0 0 * * MON", 3)] == mondays
    assert [time[:10] for time in fire("0 0 */1 * MON", 3)] == mondays
    assert [time[:10] for time in fire("0 0 5,* * MON", 3)] == mondays
    either = ["2026-01-03", "2026-01-05", "2026-01-07"]
    assert [time[:10] for time in fire("0 0 */2 * MON", 3)] == either
    assert [time[:10] for time in fire("0 0 13 * FRI", 3)] == ["2026-01-02", "2026-01-09", "2026-01-13"]
    assert [time[:10] for time in fire("0 0 13 * */7", 2)] == ["2026-01-04", "2026-01-11"]


def test_a_skipped_hour_does_not_fire_and_a_repeated_one_fires_twice_in_order() -> None:
    assert fire("30 2 * * *", 2, "2026-03-28T12:00:00", BERLIN) == [
        "2026-03-30 02:30+0200",
        "2026-03-31 02:30+0200",
    ]
    assert fire("*/30 2 * * *", 5, "2026-10-24T12:00:00", BERLIN) == [
        "2026-10-25 02:00+0200",
        "2026-10-25 02:30+0200",
        "2026-10-25 02:00+0100",
        "2026-10-25 02:30+0100",
        "2026-10-26 02:00+0100",
    ]
    assert fire("0 2 * * *", 1, "2026-10-25T02:30:00+02:00", BERLIN) == ["2026-10-25 02:00+0100"]
    assert fire("0 2 * * *", 1, "2026-10-25T02:00:00+01:00", BERLIN) == ["2026-10-26 02:00+0100"]


def test_a_day_that_never_comes_is_told() -> None:
    for text in ("0 0 31 2 *", "0 0 30-31 2 *", "0 0 31 4,6,9,11 ?"):
        assert not read_cron(text).fires()
        assert fire(text, 1) == []
    for text in ("0 0 29 2 *", "0 0 31 2 MON", "0 0 31 1,2 *", "* * * * *"):
        assert read_cron(text).fires()


def test_both_day_fields_are_warned_about() -> None:
    assert "either" in read_cron("0 0 1 * MON").warnings()[0]
    assert "either" in read_cron("0 0 */2 * MON").warnings()[0]
    assert read_cron("0 0 1 * *").warnings() == ()
    assert read_cron("0 0 ? * MON").warnings() == ()


def test_a_time_that_a_clock_change_skips_or_repeats_is_named() -> None:
    def ask(text: str, zone: ZoneInfo, after: str = "2026-01-01") -> str | None:
        return read_cron(text).dst_sensitive(zone, after=datetime.fromisoformat(after).replace(tzinfo=UTC))

    assert ask("30 2 * * *", BERLIN) == "on 2026-03-29 a clock change skips 02:30 in Europe/Berlin"
    assert (
        ask("30 2 * * *", BERLIN, "2026-06-01")
        == "on 2026-10-25 a clock change repeats 02:30 in Europe/Berlin"
    )
    assert ask("0 3 * * *", BERLIN) is None
    assert ask("*/5 * * * *", BERLIN) is None
    assert ask("30 2 * * MON-FRI", BERLIN) is None
    assert ask("30 2 * * *", UTC_ZONE) is None
    assert ask("30 2 * * *", ZoneInfo("Asia/Tokyo")) is None


@pytest.mark.parametrize(
    ("text", "offset", "says"),
    [
        ("", None, "this has 0"),
        ("* * * *", None, "this has 4"),
        ("0 0 4 * * *", None, "leave the seconds out"),
        ("@daily", None, "write 0 0 * * *"),
        ("@every 1h", None, "five fields"),
        ("CRON_TZ=Europe/Berlin 0 4 * * *", None, "timezone"),
        ("TZ=UTC 0 4 * * *", None, "timezone"),
        ("60 * * * *", 0, "0 to 59, and this is 60"),
        ("0 24 * * *", 2, "hour goes from 0 to 23"),
        ("0 0 0 * *", 4, "day of month goes from 1"),
        ("0 0 1,32 * *", 6, "1 to 31"),
        ("0 0 * 13 *", 6, "1 to 12"),
        ("0 0 * * 7", 8, "Sunday is 0"),
        ("0 0 * * 5-7", 8, "Sunday is 0"),
        ("0 22-2 * * *", 2, "write 22-23,0-2"),
        ("0 0 * * FRI-MON", 8, "write FRI-6,0-MON"),
        ("*/0 * * * *", 0, "step"),
        ("*/-1 * * * *", 0, "cannot stand"),
        ("1/2/3 * * * *", 0, "cannot stand"),
        ("1-2-3 * * * *", 0, "cannot stand"),
        ("*-5 * * * *", 0, "cannot stand"),
        ("1,,2 * * * *", 2, "missing"),
        (", * * * *", 0, "missing"),
        ("0 0 L * *", 4, "other crons"),
        ("0 0 15W * *", 4, "other crons"),
        ("0 0 * * 5L", 8, "other crons"),
        ("0 0 * * MON#2", 8, "other crons"),
        ("0 0 * * MONDAY", 8, "did you mean MON?"),
        ("0 0 * SEPT *", 6, "did you mean SEP?"),
        ("0 0 * * FRI-SUN", 8, "write FRI-6,0"),
        ("0 MON * * *", 2, "write a number"),
        ("0 0 * * ١", 8, "write a number"),
        ("1\n* * * *", None, "five fields"),
        ("9999999999 * * * *", 0, "nine digits"),
        ("0," * 600 + "0 * * * *", None, "1,000 characters"),
    ],
)
def test_what_is_of_another_dialect_is_refused(text: str, offset: int | None, says: str) -> None:
    with pytest.raises(CronError) as caught:
        read_cron(text)
    assert isinstance(caught.value, GrammarError)
    assert caught.value.offset == offset
    assert says in f"{caught.value} {caught.value.hint}"


# The rules once more, minute by minute and field by field, without the code above.


def bits(field: str, least: int, most: int) -> tuple[set[int], bool]:
    values, star = set(), False
    for term in field.split(","):
        span, _, step = term.partition("/")
        low, high = least, most
        if span == "*":
            star = star or step in ("", "1")
        else:
            low = int(span.partition("-")[0])
            high = int(span.partition("-")[2]) if "-" in span else most if step else low
        every = int(step or 1)
        values |= {
            value for value in range(least, most + 1) if low <= value <= high and (value - low) % every == 0
        }
    return values, star


def brute_force(text: str, after: datetime, zone: ZoneInfo, minutes: int) -> list[datetime]:
    bounds = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)]
    fields = [bits(field, *bound) for field, bound in zip(text.split(), bounds, strict=True)]
    minute, hour, day, month, weekday = fields

    def matches(local: datetime) -> bool:
        if local.minute not in minute[0] or local.hour not in hour[0] or local.month not in month[0]:
            return False
        on_day, on_weekday = local.day in day[0], local.isoweekday() % 7 in weekday[0]
        return on_day and on_weekday if day[1] or weekday[1] else on_day or on_weekday

    first = after.astimezone(UTC).replace(second=0, microsecond=0)
    instants = (first + timedelta(minutes=number) for number in range(1, minutes + 1))
    return [instant for instant in instants if matches(instant.astimezone(zone))]


def terms(least: int, most: int) -> st.SearchStrategy[str]:
    value = st.integers(least, most)
    span = st.tuples(value, value).map(lambda pair: f"{min(pair)}-{max(pair)}")
    step = st.integers(1, most + 2)
    plain = st.one_of(st.just("*"), value.map(str), span)
    stepped = st.tuples(plain, step).map(lambda pair: f"{pair[0]}/{pair[1]}")
    return st.lists(plain | stepped, min_size=1, max_size=3).map(",".join)


days = st.just("*") | st.sampled_from(["*/2", "*/1", "25-31", "28", "1,15"]) | terms(1, 31)
weekdays = st.just("*") | st.sampled_from(["*/2", "0", "6,0"]) | terms(0, 6)
expressions = st.tuples(
    terms(0, 59),
    terms(0, 23) | st.sampled_from(["2", "1-3", "*"]),
    days,
    st.just("*") | terms(1, 12),
    weekdays,
).map(" ".join)
# around clock changes of an hour, of half an hour, and a day that a zone left out
starts = st.sampled_from(
    [
        ("Europe/Berlin", datetime(2026, 3, 28, 22, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 10, 24, 22, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 11, 1, 4, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 12, tzinfo=UTC)),
        ("Pacific/Apia", datetime(2011, 12, 29, 20, tzinfo=UTC)),
        ("Asia/Kolkata", datetime(2026, 2, 27, 20, tzinfo=UTC)),
        ("UTC", datetime(2024, 2, 28, 12, tzinfo=UTC)),
    ]
)
WINDOW = 28 * 60


@settings(deadline=None, max_examples=100)
@given(expressions, starts, st.integers(0, 12 * 3600 * 1000))
def test_it_fires_exactly_when_the_rules_say(text: str, start: tuple[str, datetime], offset_ms: int) -> None:
    zone = ZoneInfo(start[0])
    after = start[1] + timedelta(milliseconds=offset_ms)
    end = after.replace(second=0, microsecond=0) + timedelta(minutes=WINDOW)
    found = []
    cron = read_cron(text)
    for time in cron.next_times(after, zone):
        if time.astimezone(UTC) > end:
            break
        assert time.tzinfo is zone
        found.append(time.astimezone(UTC))
    assert found == brute_force(text, after, zone, WINDOW)


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet="0123456789*/-,? LW#@JANMOTZ=", max_size=30))
def test_any_text_is_a_cron_or_a_cron_error(text: str) -> None:
    try:
        cron = read_cron(text)
    except CronError:
        return
    times = list(islice(cron.next_times(datetime(2026, 1, 1, tzinfo=UTC), BERLIN), 2))
    assert cron.fires() == bool(times)


def test_the_last_year_of_the_calendar_is_no_trap() -> None:
    after = datetime(9999, 12, 31, 23, 58, tzinfo=UTC)
    assert len(list(islice(read_cron("* * * * *").next_times(after, UTC_ZONE), 5))) <= 1
