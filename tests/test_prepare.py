"""Rows -> messages: keys that are unique, problems told once, nothing kept of a million rows."""

from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipeline import envelopes_of, open_session

from qstash_jobs.prepare import KeyCheck

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
    for key in keys:
        check.add(key)
    assert len(check.repeated()) == sum(keys.count(key) > 1 for key in set(keys))
