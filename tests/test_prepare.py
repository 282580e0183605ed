"""Rows -> messages: keys that are unique, problems told once, nothing kept of a million rows."""

import csv
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pipeline import RUN_KEY, envelopes_of, open_session, write_job

from qstash_jobs.api.session import Session
from qstash_jobs.envelope import Addresser, Envelope
from qstash_jobs.files import ChangedError
from qstash_jobs.prepare import KeyCheck
from qstash_jobs.problem import Problem

JOB = "url: https://api.example.com/x\nbody: {v: '${{ row.v }}'}\nfor_each: {file: rows.jsonl, key: k}\n"


def write(folder: Path, rows: list[dict[str, object]], job: str = JOB) -> None:
    (folder / "job.yaml").write_text(job)
    (folder / "rows.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))


def test_a_row_s_key_is_its_message_s_name_and_identity(tmp_path: Path) -> None:
    write(tmp_path, [{"k": "a]b\\", "v": 1}, {"k": 2, "v": 1}, {"k": "ü", "v": 1}])
    first = envelopes_of(open_session(tmp_path))
    assert [envelope.message.name for envelope in first] == ["job:job[a\\]b\\\\]", "job:job[2]", "job:job[ü]"]
    write(tmp_path, [{"k": "ü", "v": 1}, {"k": "a]b\\", "v": 1}, {"k": 2, "v": 1}])
    second = envelopes_of(open_session(tmp_path))
    assert {envelope.id for envelope in first} == {envelope.id for envelope in second}


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("", "this row's key is empty"),
        (None, "this row's key is empty"),
        ("a\nb", "this row's key holds a control character"),
        ("\x9b", "this row's key holds a control character"),
        ("ü" * 101, "this row's key is longer than 200 bytes"),
    ],
)
def test_a_key_that_can_name_nothing_is_told_with_its_row(tmp_path: Path, key: object, sentence: str) -> None:
    write(tmp_path, [{"k": "fine", "v": 1}, {"k": key, "v": 1}])
    (problem,) = open_session(tmp_path).check()
    assert problem.message == f"{sentence} (row 2, rows.jsonl:2)"
    assert problem.rule == "row-key"


def test_two_rows_with_one_key_are_told_by_both_their_lines(tmp_path: Path) -> None:
    write(tmp_path, [{"k": k, "v": 1} for k in ("a", "b", "c", "b", "a")])
    (problem,) = open_session(tmp_path).check()
    assert problem.message == "two rows have the key b: row 2, rows.jsonl:2, and row 4, line 4"


def test_what_is_wrong_with_many_rows_is_told_once(tmp_path: Path) -> None:
    write(tmp_path, [{"k": number} if number % 2 else {"k": number, "v": 1} for number in range(1000)])
    (problem,) = open_session(tmp_path).check()
    assert problem.message == "there is no `row.v` (row 2, rows.jsonl:2 and 499 more)"


def test_rows_without_a_key_are_named_by_their_number_with_a_warning_under_a_named_run_key(
    tmp_path: Path,
) -> None:
    write(tmp_path, [{"v": 1}, {"v": 2}], JOB.replace("{file: rows.jsonl, key: k}", "rows.jsonl"))
    assert [problem.rule for problem in open_session(tmp_path).check()] == ["row-number"]
    assert open_session(tmp_path, run_key=None).check() == []
    session = open_session(tmp_path, run_key=None)
    assert [envelope.message.name for envelope in envelopes_of(session)] == ["job:job[1]", "job:job[2]"]


@settings(deadline=None)
@given(st.lists(st.text(max_size=3), max_size=200))
def test_every_key_that_occurs_twice_is_found_and_no_other(keys: list[str]) -> None:
    check = KeyCheck()
    check.add(keys[:3])
    check.add(keys[3:])
    assert len(check.repeated()) == sum(keys.count(key) > 1 for key in set(keys))


WORDS = ["", "a", "b c", "3", "3s", "-1", "POST", "a,b", "é", "{", "qj-1", f"sig_{'a' * 30}", "%zz", "1e3"]
VALUES = st.sampled_from(
    [*WORDS, "https://a.example.com", "2030-01-01T00:00:00Z", None, True, 0, 7, 99, 2**63 - 1, 1.5, [1], {}]
)
ROW = "${{ row.v }}"
FIELDS: dict[str, object] = {
    "url": f"https://api.example.com/{ROW}",
    "queue": ROW,
    "method": ROW,
    "content_type": ROW,
    "body": {"v": ROW, "n": [ROW, 1]},
    "headers": {"X-A": ROW},
    "delay": ROW,
    "not_before": ROW,
    "retries": ROW,
    "retry_delay": ROW,
    "timeout": ROW,
    "labels": ["a", ROW],
    "callback": ROW,
    "failure_callback": {"url": "https://b.example.com", "retries": ROW},
    "dedup": {"key": ROW},
    "flow_control": {"key": ROW, "rate": 3},
    "redact": {"headers": [ROW]},
}


@settings(deadline=None, max_examples=150)
@given(
    st.sets(st.sampled_from(sorted(FIELDS.keys() - {"url"})), min_size=1, max_size=3),
    st.booleans(),
    st.lists(VALUES, min_size=1, max_size=6),
)
def test_a_row_makes_the_same_message_or_problem_after_others_as_by_itself(
    names: set[str], url_changes: bool, values: list[object]
) -> None:
    fields = {"url": "https://api.example.com/x"} | {name: FIELDS[name] for name in names}
    if url_changes:
        fields["url"] = FIELDS["url"]
    with TemporaryDirectory() as place:
        folder = Path(place)
        write_job(folder, fields | {"for_each": [{"v": value} for value in values]})
        together = open_session(folder, run_key=None)
        problems = {what_is_said(problem) for problem in together.check()}
        alone: set[tuple[object, ...]] = set()
        sound: list[object] = []
        for value in values:
            write_job(folder, fields | {"for_each": [{"v": value}]})
            session = open_session(folder, run_key=None)
            alone |= {what_is_said(problem) for problem in session.check()}
            sound += [what_goes_out(envelope) for envelope in made(session)]
        assert problems == alone
        assert [what_goes_out(envelope) for envelope in made(together)] == sound


KEYS = ["a", "b", "c", "d", "A-1", "", " ", "é", "x\ny", "\x7f", "k" * 201]
TEXTS = [
    "",
    "a",
    "é",
    '"',
    "\\",
    "x\ny",
    "REDACTED:",
    "sig_",
    "a" * 20,
    f"sig_{'a' * 20}",
    f"xsig_{'a' * 20}",
    "a,b",
]
TEXTS += ["***", "eyJVc2VySUQiOi", f"eyJVc2VySUQiOi{'a' * 8}", "a" * 40]
NUMBERS = ["0", "-0", "12", "1.10", "1e3", "1E-400", "0.00000001", "01", "+1", "", "x", "9" * 30, "1.", "٣"]
BODIES: list[object] = [
    {"a": "${{ row.a }}", "n": "${{ row.n | number }}", "b": ["${{ row.b }}", 1]},
    {"a": "${{ row.a }}", "b": "${{ row.a }}"},
    ["${{ row.n | number }}", "sig_"],
    {"a": "sig_${{ row.a }}${{ row.b }}"},
    {"n": "${{ row.n | int }}", "a": "${{ row.a | lower }}"},
    {"n": "${{ row.n }}", "m": "${{ row.n | number }}"},
    {"a": "${{ row.nope }}"},
    "${{ row.a }}${{ row.b }}",
    {"everything": "${{ row }}"},
    {"a": "${{ row.a }}", "secret": "${{ secrets.A }}"},
]


def rows_of(keys: list[str], numbers: list[str]) -> st.SearchStrategy[list[tuple[str, ...]]]:
    texts = st.sampled_from(TEXTS)
    row = st.tuples(st.sampled_from(keys), texts, texts, st.sampled_from(numbers))
    return st.lists(row, max_size=9, unique_by=lambda row: row[0] if len(keys) > len(KEYS) else id(row))


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(BODIES),
    st.sampled_from(
        [{}, {"method": "GET"}, {"retries": 0, "retry_delay": "1000"}, {"labels": ["${{ row.a }}"]}]
    ),
    st.sampled_from(
        [None, "k", "${{ row.k | trim }}", "${{ row.k }}", "nope", "${{ run.id }}", "x${{ row.k }}"]
    ),
    rows_of(KEYS, NUMBERS) | rows_of([f"A-{number}" for number in range(99)], NUMBERS[:4]),
    st.sampled_from(["", "\n", "a\n", "a,b,c,d,e\n", '"\n', "\0"]),
    st.sampled_from([1, 20, 50, 1000]),
    st.sampled_from([None, 30, 60]),
)
@example(BODIES[2], {}, None, [("a", "", "", "1"), ("b", "", "", "1"), ("c", "", "", "9" * 30)], "", 1000, 30)
@example(BODIES[0], {}, "${{ run.id }}", [("a", "", "", "1"), ("b", "", "", "1")], "", 1000, None)
def test_of_rows_that_are_tried_together_the_same_is_told_as_of_each_by_itself(
    body: object,
    more: dict[str, object],
    key: str | None,
    rows: list[tuple[str, ...]],
    end: str,
    block_bytes: int,
    limit: int | None,
) -> None:
    with TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        patch.setattr("qstash_jobs.files.BLOCK_BYTES", block_bytes)
        folder = Path(place)
        if limit is not None:
            (folder / "qstash-jobs.yaml").write_text(f"quota: {{message_size: {limit}}}\n")
        with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("k", "a", "b", "n"), *rows])
            file.write(end)
        for_each = {"file": "rows.csv"} | ({"key": key} if key is not None else {})
        write_job(folder, {"url": "https://api.example.com", "body": body, "for_each": for_each} | more)
        together, each = (open_session(folder, skip=skip, A="a known one") for skip in ((), ("nobody",)))
        assert together.check() == each.check()
        assert together.totals == each.totals
        assert together.demand == each.demand


def made(session: Session) -> list[Envelope]:
    """Make the envelopes of the rows that are in order, whatever is wrong with others."""
    addresser = Addresser(key=RUN_KEY, key_number=1, fingerprint_key=b"")
    found: list[Envelope] = []
    with suppress(ChangedError):
        for keyed in session.tasks():
            found.extend(map(addresser.address, keyed.task.messages()))
    return found


def what_is_said(problem: Problem) -> tuple[object, ...]:
    """Give a problem without the number of its row, and without what is told of the first such row only."""
    return problem.rule, problem.message.partition(" (row ")[0], problem.path, problem.severity


def what_goes_out(envelope: Envelope) -> object:
    """Give a request without what tells one row from another."""
    request = envelope.request
    own = {"Upstash-Deduplication-Id", "Upstash-Label"}
    headers = tuple((name, value) for name, value in request.headers if name not in own)
    message = envelope.message
    return replace(request, headers=headers), message.labels, message.dedup, envelope.alone, envelope.target
