"""Rows -> messages: keys that are unique, problems told once, nothing kept of a million rows."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import pytest
from hypothesis import given, settings
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
    for key in keys:
        check.add(key)
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
