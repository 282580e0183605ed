"""What became of messages is told the same to people and programs, with what to type next."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qstash_jobs.outcome import Endpoint
from qstash_jobs.record import Evidence, Instant, Record, Run, Slot, State, Verdict, Witness
from qstash_jobs.report.escape import UNSAFE
from qstash_jobs.report.messages import write_record, write_record_json, write_records_jsonl
from qstash_jobs.report.records import ResultLine, suggest_next, write_job, write_result, write_result_json
from qstash_jobs.report.runs import (
    write_run,
    write_run_json,
    write_runs,
    write_runs_jsonl,
)
from qstash_jobs.report.wording import count, join, show_age, show_duration, write_totals

RUN = "7f3a0c112233"
ID = "qj-" + "0" * 40
NOW = datetime(2026, 11, 23, 20, 20, tzinfo=UTC)
HELLO = ResultLine(
    id=ID,
    name="jobs/hello:hello",
    file="jobs/hello.yaml",
    line=3,
    run=RUN,
    state="published",
    endpoints=(Endpoint(message_id="msg_x"),),
    dedup_id=ID,
    status=200,
    attempts=1,
    elapsed_ms=12,
)
REJECTED = replace(HELLO, state="rejected", endpoints=(), status=400, error="can't resolve api.exmaple.com")
RECORD = Record(
    slot=Slot(key=1, job="jobs/hello:hello"),
    id=ID,
    dedup_id=ID,
    fingerprint=b"",
    state=State.PUBLISHED,
    attempt=1,
    run=RUN,
    file="jobs/hello.yaml",
    line=3,
    target="https://api.example.com/hello",
    first_maybe_sent=Instant(wall=NOW - timedelta(minutes=5), boot_id="", boot_s=0),
    settled_at=NOW - timedelta(minutes=5),
    endpoints=(Endpoint(message_id="msg_x"),),
    status=200,
)
ONE_RUN = Run(
    id=RUN,
    started_at=NOW - timedelta(minutes=5),
    project="billing",
    environment="production",
    target="qstash.upstash.io, account a1b2",
    paths=("/srv/jobs",),
    options={},
    expected=13,
    keys=("2026-11-23",),
    ended_at=NOW - timedelta(minutes=5, seconds=-3),
    exit_code=1,
    totals={"published": 12, "rejected": 1},
)

TEXT = st.text(st.characters())
ENDPOINTS = st.lists(
    st.builds(
        Endpoint, message_id=TEXT, url=st.none() | TEXT, deduplicated=st.booleans(), error=st.none() | TEXT
    ),
    max_size=2,
).map(tuple)
RESULT = st.builds(
    ResultLine,
    id=st.just(ID),
    name=TEXT,
    file=TEXT,
    line=st.integers(1, 9),
    run=TEXT,
    state=st.sampled_from(
        ["published", "deduplicated", "partial", "rejected", "in_doubt", "planned", "skipped"]
    ),
    reason=st.none() | TEXT,
    endpoints=ENDPOINTS,
    dedup_id=st.none() | TEXT,
    status=st.none() | st.integers(200, 599),
    error=st.none() | TEXT,
    row=st.integers(0, 1),
)


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (HELLO, "published jobs/hello:hello msg_x"),
        (
            replace(HELLO, endpoints=(*HELLO.endpoints, Endpoint(message_id="msg_y"))),
            "published jobs/hello:hello msg_x, msg_y",
        ),
        (REJECTED, "rejected jobs/hello:hello 400 can't resolve api.exmaple.com jobs/hello.yaml:3"),
        (
            replace(HELLO, state="partial", error="https://b: 400 no such host"),
            "partial jobs/hello:hello msg_x https://b: 400 no such host jobs/hello.yaml:3",
        ),
        (
            replace(
                HELLO,
                state="in_doubt",
                endpoints=(),
                reason="it may have been accepted: reset",
                error="reset",
            ),
            "in doubt jobs/hello:hello it may have been accepted: reset jobs/hello.yaml:3",
        ),
        (
            replace(HELLO, state="skipped", reason="published 2026-11-23 20:15 UTC as msg_x"),
            "skipped jobs/hello:hello published 2026-11-23 20:15 UTC as msg_x",
        ),
        (
            replace(HELLO, state="planned", endpoints=(), reason="not sent: connection refused"),
            "planned jobs/hello:hello not sent: connection refused jobs/hello.yaml:3",
        ),
    ],
    ids=lambda value: value.state if isinstance(value, ResultLine) else "",
)
def test_each_state_has_a_line_that_says_what_to_know(result: ResultLine, line: str) -> None:
    assert write_result(result) == line


def test_a_row_that_went_well_is_told_with_its_job() -> None:
    assert write_result(replace(HELLO, row=1)) is None
    assert write_result(replace(REJECTED, row=1)) is not None
    assert write_job("receipts", {"published": 1_000}) == "published receipts 1,000 messages"
    assert write_job("receipts", {"published": 1, "rejected": 0}) == "published receipts 1 message"
    assert write_job("receipts", {"published": 998, "rejected": 1, "skipped": 1}) == (
        "done receipts 1,000 messages: published 998, rejected 1, skipped 1"
    )


def test_json_has_the_documented_keys() -> None:
    assert json.loads(write_result_json(HELLO)) == {
        "id": ID,
        "name": "jobs/hello:hello",
        "file": "jobs/hello.yaml",
        "line": 3,
        "run": RUN,
        "state": "published",
        "reason": None,
        "message_ids": ["msg_x"],
        "endpoints": [{"url": None, "message_id": "msg_x", "deduplicated": False}],
        "dedup_id": ID,
        "status": 200,
        "error": None,
        "attempts": 1,
        "elapsed_ms": 12,
        "evidence": None,
    }


@settings(deadline=None)
@given(result=RESULT)
def test_no_text_reaches_the_terminal_raw_and_json_reads_back(result: ResultLine) -> None:
    line = write_result_json(result)

    assert not UNSAFE.search(line)
    assert not UNSAFE.search(write_result(result) or "")
    facts = json.loads(line)
    assert (facts["name"], facts["error"], facts["reason"]) == (result.name, result.error, result.reason)
    assert facts["message_ids"] == list(result.message_ids)


def test_colour_only_adds() -> None:
    coloured = write_result(REJECTED, colour=True) or ""

    assert coloured.startswith("\x1b[31mrejected\x1b[0m ")
    assert re.sub(r"\x1b\[\d+m", "", coloured) == write_result(REJECTED)


@pytest.mark.parametrize(
    ("totals", "lines"),
    [
        ({"published": 1}, ["has it arrived? qstash-jobs status --wait 2m"]),
        ({"published": 2, "skipped": 4}, ["have they arrived? qstash-jobs status --wait 2m"]),
        (
            {"rejected": 1},
            ["fix it, then: qstash-jobs run --continue 7f3a0c11 (sends the 1 that was rejected)"],
        ),
        (
            {"rejected": 2, "planned": 1_000},
            [
                (
                    "fix them, then: qstash-jobs run --continue 7f3a0c11 "
                    "(sends the 2 that were rejected and the 1,000 that were not sent)"
                )
            ],
        ),
        (
            {"planned": 1},
            ["to go on: qstash-jobs run --continue 7f3a0c11 (sends the 1 that was not sent)"],
        ),
        ({"skipped": 3}, []),
    ],
)
def test_the_next_step_is_a_command_to_type(totals: dict[str, int], lines: list[str]) -> None:
    assert list(suggest_next(totals, run=RUN)) == lines


def test_doubt_says_how_to_settle_it() -> None:
    (line,) = suggest_next({"in_doubt": 1}, run=RUN)

    assert line == (
        "1 message may have been accepted; to settle it: qstash-jobs run --continue 7f3a0c11 "
        "(offers it again under the id by which QStash knows what it has, "
        "or asks its log where that is not safe any more)"
    )


def test_a_doubt_that_the_log_cannot_settle_is_left_to_a_person() -> None:
    still_open, by_hand = sorted(suggest_next({"in_doubt": 3}, run=RUN, asked_in_vain=2))

    assert still_open.startswith("1 message may have been accepted; to settle it: ")
    assert by_hand == (
        "2 messages may have been accepted, and QStash's log does not tell; look whether they have arrived, then: "
        "qstash-jobs resolve MESSAGE --as published, or --as not-published; "
        "or send them again, perhaps twice: qstash-jobs run --continue 7f3a0c11 --in-doubt resend"
    )


def test_what_was_waited_for_is_not_asked_about() -> None:
    assert list(suggest_next({"published": 1}, run=RUN, waited=True)) == []


def test_totals_leave_zeros_out_and_keep_their_order() -> None:
    assert write_totals({"rejected": 1, "published": 12_000, "skipped": 0}) == "published 12,000, rejected 1"
    assert write_totals({"sending": 1, "in_doubt": 1}) == "in doubt 2"
    assert write_totals({}) == "no messages"


def test_numbers_and_times_are_said_as_people_do() -> None:
    assert (count(1, "message"), count(0, "message")) == ("1 message", "0 messages")
    assert (join([]), join(["a"]), join(["a", "b", "c"])) == ("", "a", "a, b and c")
    ages = {
        0: "now",
        59: "59 s ago",
        240: "4 min ago",
        7_200: "2 h ago",
        200_000: "2 days ago",
        -90: "in 1 min",
    }
    assert {s: show_age(NOW - timedelta(seconds=s), NOW) for s in ages} == ages
    spans = {0.5: "500 ms", 1.23: "1.2 s", 3: "3 s", 75: "1 min 15 s", 3_600: "1 h", 3_700: "1 h 1 min"}
    assert {s: show_duration(s) for s in spans} == spans


def test_runs_stand_in_a_table() -> None:
    died = replace(ONE_RUN, id="0a" * 6, environment="", ended_at=None, exit_code=None, totals=None)

    assert "\n".join(write_runs([ONE_RUN, died], now=NOW)) == (
        "run       started    exit       messages                  project\n"
        "7f3a0c11  5 min ago  1          published 12, rejected 1  billing, production\n"
        "0a0a0a0a  5 min ago  not ended  13 messages               billing"
    )
    assert list(write_runs([ONE_RUN], now=NOW, width=64))[1] == (
        "7f3a0c11  5 min ago  1     published 12, rejected 1  billing, p…"
    )
    assert list(write_runs([ONE_RUN], now=NOW, width=56))[1] == (
        "7f3a0c11  5 min ago  1     published 12, rejected 1"
    )
    assert list(write_runs([], now=NOW)) == []


def test_a_run_is_shown_with_its_messages() -> None:
    rejected = replace(RECORD, state=State.REJECTED, endpoints=(), status=400, error="no such host")

    assert "\n".join(write_run(ONE_RUN, [RECORD, rejected], now=NOW)) == (
        "run 7f3a0c112233\n"
        "  project       billing\n"
        "  environment   production\n"
        "  to            qstash.upstash.io, account a1b2\n"
        "  run key       2026-11-23\n"
        "  path          /srv/jobs\n"
        "  started       2026-11-23 20:15 UTC, 5 min ago\n"
        "  ended         2026-11-23 20:15 UTC, after 3 s\n"
        "  exit code     1: something was rejected\n"
        "  messages      published 12, rejected 1\n"
        "\n"
        "published    jobs/hello:hello  msg_x\n"
        "rejected     jobs/hello:hello  400 no such host  jobs/hello.yaml:3"
    )


def test_a_message_is_shown_with_all_that_is_known() -> None:
    assert "\n".join(write_record(RECORD, now=NOW)) == (
        "message jobs/hello:hello\n"
        "  state         published\n"
        f"  id            {ID}\n"
        f"  label         qj-m-{ID[3:19]}\n"
        "  to            https://api.example.com/hello\n"
        "  file          jobs/hello.yaml:3\n"
        "  run           7f3a0c112233\n"
        "  attempts      1\n"
        "  first sent    2026-11-23 20:15 UTC, 5 min ago\n"
        "  settled       2026-11-23 20:15 UTC, 5 min ago\n"
        "  status        200\n"
        "  message       msg_x"
    )


def test_a_message_is_shown_with_what_others_said_of_it() -> None:
    said = [
        Evidence(slot=RECORD.slot, at=NOW, witness=witness, verdict=verdict, who=who)
        for witness, verdict, who in (
            (Witness.LOG, Verdict.ABSENT, None),
            (Witness.LOG, Verdict.PUBLISHED, None),
            (Witness.PERSON, Verdict.NOT_PUBLISHED, "ada"),
            (Witness.PERSON, Verdict.PUBLISHED, "bob"),
        )
    ]
    assert list(write_record(RECORD, said, now=NOW))[-4:] == [
        "  evidence      2026-11-23 20:20 UTC: QStash's log did not list it",
        "  evidence      2026-11-23 20:20 UTC: QStash's log lists it",
        "  evidence      2026-11-23 20:20 UTC: not published, by the word of ada",
        "  evidence      2026-11-23 20:20 UTC: published, by the word of bob",
    ]
    assert json.loads(write_record_json(RECORD, said[2:3]))["evidence"] == [
        {"at": "2026-11-23T20:20:00Z", "witness": "person", "verdict": "not_published", "who": "ada"}
    ]


def test_history_holds_the_same_facts_for_programs() -> None:
    (line,) = write_runs_jsonl([ONE_RUN])
    run = json.loads(line)

    assert run["started_at"] == "2026-11-23T20:15:00Z"
    assert run["totals"] == {"published": 12, "rejected": 1}
    shown = json.loads(write_run_json(ONE_RUN, [(RECORD, ())]))
    assert shown == {**run, "messages": [json.loads(write_record_json(RECORD))]}
    assert list(write_records_jsonl([(RECORD, ())])) == [write_record_json(RECORD)]
    assert shown["messages"][0]["message_ids"] == ["msg_x"]
    assert shown["messages"][0]["settled_at"] == "2026-11-23T20:15:00Z"


@settings(deadline=None)
@given(name=TEXT, error=st.none() | TEXT, endpoints=ENDPOINTS, state=st.sampled_from(State))
def test_no_remembered_text_reaches_the_terminal_raw(
    name: str, error: str | None, endpoints: tuple[Endpoint, ...], state: State
) -> None:
    slot = replace(RECORD.slot, job=name, row=1, row_key=name)
    record = replace(RECORD, slot=slot, error=error, endpoints=endpoints, state=state, target=name, file=name)
    evidence = Evidence(slot=slot, at=NOW, witness=Witness.PERSON, verdict=Verdict.PUBLISHED, who=name)
    run = replace(ONE_RUN, project=name, environment=name, paths=(name,), keys=(name,))
    lines = [
        *write_runs([run], now=NOW, width=40),
        *write_runs_jsonl([run]),
        *write_run(run, [record], now=NOW),
        write_run_json(run, [(record, [evidence])]),
        *write_record(record, [evidence], now=NOW),
    ]

    assert not [line for line in lines if UNSAFE.search(line)]
