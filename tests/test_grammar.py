"""Durations, retry delays and names: what is read, what is refused, and with which words."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qstash_jobs.grammar import (
    LONGEST_S,
    MOST_RETRIES,
    GrammarError,
    is_dedup_id,
    is_header_name,
    is_job_id,
    is_label,
    is_wire_name,
    nearest,
    read_retry_delay,
    read_seconds,
    read_window,
    show_seconds,
    show_word,
    write_seconds,
)


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("Grüße, 世界", "Grüße, 世界"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\x1b[31m", r"\x1b[31m"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\u200b", r"\u200b"),
        ("\U000e0041", r"\U000e0041"),
        ("123456789abc", "123456789abc"),
        ("123456789abcd", "123456789ab…"),
    ],
)
def test_a_word_in_a_message_is_one_line_of_which_every_character_can_be_seen(word: str, shown: str) -> None:
    assert show_word(word, most=12) == shown


def test_no_two_words_that_fit_are_shown_as_one_that_misleads() -> None:
    unseen = [chr(point) for point in range(0x11000) if not chr(point).isprintable()]
    shown = [show_word(one, most=80) for one in unseen]
    assert len(set(shown)) == len(unseen)
    assert all(one.isascii() and one.isprintable() for one in shown)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("3s", 3),
        ("10m", 600),
        ("1d10h30m", 124_200),
        ("1h3s", 3603),
        ("0s", 0),
        (90, 90),
        (0, 0),
        ("007s", 7),
    ],
)
def test_a_duration_is_read_into_seconds(written: str | int, seconds: int) -> None:
    assert read_seconds(written) == seconds


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        ("90", "90s"),
        ("", "like 3s"),
        ("500ms", "whole seconds"),
        ("3 s", "blanks"),
        (" 3s", "blanks"),
        ("3s\n", "blanks"),
        ("-3s", "negative"),
        (-3, "like 3s"),
        ("3S", "lower case"),
        ("1.5h", "whole numbers"),
        ("2w", "days"),
        ("PT3S", "ISO"),
        ("1s1m", "longest first"),
        ("1m1m", "once"),
        ("36526d", "seconds"),
        (10**400, "seconds"),
        (1_700_000_000_000, "seconds"),
        ("9" * 5000, "like 3s"),
        ("٣s", "like 3s"),
        (True, "like 3s"),
        (3.5, "like 3s"),
        (None, "like 3s"),
    ],
)
def test_what_is_no_duration_is_refused_with_advice(written: str, advice: str) -> None:
    with pytest.raises(GrammarError) as caught:
        read_seconds(written)
    assert advice in str(caught.value.hint)
    assert len(str(caught.value)) < 120
    assert "\n" not in str(caught.value)


@settings(deadline=None)
@given(st.integers(0, LONGEST_S))
def test_a_duration_written_is_read_back_the_same(seconds: int) -> None:
    assert read_seconds(write_seconds(seconds)) == seconds
    assert read_seconds(show_seconds(seconds)) == seconds
    assert read_seconds(seconds) == seconds


@settings(deadline=None)
@given(st.text(alphabet="0123456789dhms -.", max_size=30))
def test_any_text_is_a_duration_or_a_grammar_error(text: str) -> None:
    try:
        seconds = read_seconds(text)
    except GrammarError:
        return
    assert 0 <= seconds <= LONGEST_S


def test_durations_are_shown_as_people_write_them() -> None:
    assert [show_seconds(n) for n in (0, 59, 3600, 124_200, -60)] == ["0s", "59s", "1h", "1d10h30m", "-1m"]


def test_a_window_may_be_forever() -> None:
    assert read_window("forever") == math.inf
    assert read_window("30d") == 30 * 86_400
    with pytest.raises(GrammarError):
        read_window("for ever")


# wire contract 4.4: known-good expressions
@pytest.mark.parametrize(
    ("text", "delays"),
    [
        ("1000", (1000, 1000, 1000)),
        ("1000 * (1 + retried)", (1000, 2000, 3000)),
        ("pow(2, retried) * 1000", (1000, 2000, 4000)),
        ("max(1000, pow(2, retried) * 100)", (1000, 1000, 1000)),
        ("min(pow(3, retried) * 1000, 3000)", (1000, 3000, 3000)),
        ("10 - 4 - 3", (3, 3, 3)),
        ("24 / 4 / 2", (3, 3, 3)),
        ("2 + 3 * 4", (14, 14, 14)),
        ("round(2.5) + floor(1.9) + ceil(1.1) + abs(0 - 1) + sqrt(16) + exp(0)", (12, 12, 12)),
        ("round(0 - 2.5)", (-3, -3, -3)),
        (" 1.5*retried ", (0, 1.5, 3)),
    ],
)
def test_the_delay_before_each_retry_is_worked_out(text: str, delays: tuple[float, ...]) -> None:
    assert read_retry_delay(text).delays_ms(3) == delays


@pytest.mark.parametrize(
    ("text", "offset", "says"),
    [
        ("", 0, "ends where"),
        ("1000 *", 6, "ends where"),
        ("pow(2, retires) * 1000", 7, "did you mean retried?"),
        ("powr(2, 3)", 0, "did you mean pow?"),
        ("Math.pow(2, 3)", 0, "did you mean pow?"),
        ("2 ** retried", 2, "pow(x, y)"),
        ("2 ^ retried", 2, "pow(x, y)"),
        ("7 % 2", 2, "remainder"),
        ("-1000", 0, "0 - x"),
        ("1000 1000", 5, "does not belong"),
        ("1e3", 1, "in full"),
        ("1000ms", 4, "without a unit"),
        ("pow(2)", 5, "pow takes 2 values"),
        ("sqrt(2, 3)", 6, "sqrt takes 1 value"),
        ("max(1, 2, 3)", 8, "max takes 2 values"),
        ("pow", 0, "write pow(x, y)"),
        ("retried(1)", 0, "not known"),
        ("(1 + 2", 6, 'a ")" is missing at the end'),
        ("1 + 2)", 5, "does not belong"),
        ("1 +\n2", 3, "one line"),
        ("__import__('os')", 11, "cannot stand"),
        ("frobnicate", 0, "known are retried, pow"),
        ("(" * 200 + "1" + ")" * 200, 33, "inside each other"),
        ("1+" * 400 + "1", None, "500 characters"),
    ],
)
def test_a_slip_in_a_retry_delay_is_pointed_at(text: str, offset: int | None, says: str) -> None:
    with pytest.raises(GrammarError) as caught:
        read_retry_delay(text)
    assert caught.value.offset == offset
    assert says in f"{caught.value} {caught.value.hint}"


def test_a_retry_delay_without_a_value_says_nan_and_one_beyond_measure_infinity() -> None:
    def first(text: str) -> float:
        return read_retry_delay(text).delays_ms(1)[0]

    for text in ("1 / 0", "sqrt(0 - 1)", "pow(0, 0 - 1)", "pow(0 - 8, 1 / 3)", "max(1, 1 / 0)", "floor(1/0)"):
        assert math.isnan(first(text)), text
    for text in ("exp(1000)", "pow(10, 400)", "floor(exp(1000))", "round(exp(1000))", "9" * 400):
        assert first(text) == math.inf, text


def test_a_huge_number_of_retries_is_cut_at_a_thousand_and_none_gives_no_delays() -> None:
    assert len(read_retry_delay("1").delays_ms(10**12)) == MOST_RETRIES
    assert read_retry_delay("1").delays_ms(0) == ()


def expressions() -> st.SearchStrategy[str]:
    """Expressions that Python and QStash read alike."""
    leaves = st.integers(0, 99).map(str) | st.just("retried")
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
            st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"{t[0]}{t[1]}{t[2]}"),
            st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
            inner.map(lambda x: f"abs({x})"),
        ),
        max_leaves=8,
    )


@settings(deadline=None)
@given(expressions())
def test_expressions_are_worked_out_as_python_does(text: str) -> None:
    expected = eval(text, {"retried": 2.0, "min": min, "max": max, "abs": abs})
    assert read_retry_delay(text).delays_ms(3)[2] == pytest.approx(float(expected))


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="0123456789.+-*/(), retidpowminaxsq\n", max_size=40))
def test_any_text_is_a_retry_delay_or_a_grammar_error(text: str) -> None:
    try:
        delays = read_retry_delay(text).delays_ms(4)
    except GrammarError:
        return
    assert len(delays) == 4


def test_names_are_checked_to_their_last_character() -> None:
    assert is_job_id("a.b-c_1")
    assert is_job_id("9" * 128)
    assert not any(is_job_id(text) for text in ("", ".a", "a\n", "a b", "é", "a" * 129))
    assert is_wire_name("..")
    assert not any(is_wire_name(text) for text in ("", "a:b", "a\n", "a/b", "١"))
    assert is_dedup_id("a,b")
    assert not any(is_dedup_id(text) for text in ("", "a:b", "a b", "a\n"))
    assert is_header_name("X-Source")
    assert not any(is_header_name(text) for text in ("", "X Source", "X:", "X\n", "é"))
    assert is_label("month end")
    assert not any(is_label(text) for text in ("", "a,b", " a", "a\n", "a\x00b"))


def test_the_word_that_was_probably_meant_is_found() -> None:
    known = ["retries", "retry_delay", "url", "url_group"]
    assert nearest("retrys", known) == "retries"
    assert nearest("Retry-Delay", known) == "retry_delay"
    assert nearest("urls", known) == "url"
    assert nearest("banana", known) is None
    assert nearest("r" * 100_000, known) is None
    assert nearest("retries", ["x" * 100_000]) is None
