"""A plan says for people, programs and shells what exactly would be sent."""

import json
import os
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qstash_jobs.document import read_document
from qstash_jobs.envelope import Addresser, Envelope
from qstash_jobs.job import read_job_file
from qstash_jobs.mask import Mask
from qstash_jobs.message import Callback, Dedup, DedupKind, FlowControl, Message, Redaction
from qstash_jobs.plan.messages import PlannedMessage, describe, hide_secrets, plan_message
from qstash_jobs.record import RunKey
from qstash_jobs.report.curl import write_plan_curl
from qstash_jobs.report.escape import UNSAFE
from qstash_jobs.report.layout import cell_width
from qstash_jobs.report.plans import summarise_plan, write_plan, write_plan_jsonl
from qstash_jobs.wire.http import Request

KEY = RunKey(project="billing", environment="", target="qstash.upstash.io", text="2026-11-23")
(JOB,) = read_job_file(
    read_document(b"url: https://api.example.com/hello\n", file="jobs/hello.yaml"),
    name="jobs/hello",
    single=True,
).jobs
HELLO = Message(
    job=JOB,
    url="https://api.example.com/hello",
    body=b'{"hello":"world"}',
    content_type="application/json",
    headers=(("test-header", "test-value"),),
    delay_s=3,
    run_labels=False,
)


def envelope(message: Message) -> Envelope:
    return Addresser(key=KEY, key_number=1, fingerprint_key=b"k" * 16).address(message)


def planned(message: Message = HELLO) -> PlannedMessage:
    return plan_message(envelope(message), batched=True)


def rows(number: int, body: bytes = b"{}") -> Iterator[PlannedMessage]:
    for row in range(1, number + 1):
        name = f"jobs/hello:hello[A-{row}]"
        facts = (("to", f"POST https://api.example.com/{row}"),)
        request = replace(planned().request, body=body)
        yield replace(planned(), name=name, row=row, request=request, facts=facts)


PLAN = st.builds(
    PlannedMessage,
    id=st.just("qj-" + "0" * 40),
    name=st.text(),
    job=st.text(max_size=1),
    row=st.integers(0, 3),
    file=st.text(),
    line=st.integers(0, 9),
    action=st.sampled_from(["publish", "skip", "wait"]),
    reason=st.none() | st.text(),
    via=st.sampled_from(["publish", "enqueue", "batch"]),
    request=st.builds(
        Request,
        method=st.sampled_from(["POST", "GET"]),
        target=st.text(st.characters(exclude_characters="\0")).map("/v2/publish/".__add__),
        headers=st.lists(
            st.tuples(
                st.from_regex("[A-Za-z][A-Za-z-]{0,8}", fullmatch=True),
                st.text(st.characters(exclude_categories=["Cc", "Cs"])).map(str.strip),
            ),
            max_size=4,
        ).map(tuple),
        body=st.binary() | st.text(st.characters(exclude_categories=["Cs"])).map(str.encode),
    ),
    dedup_id=st.none() | st.text(),
    facts=st.lists(st.tuples(st.just("header"), st.text()), max_size=2).map(tuple),
    notes=st.lists(st.text(), max_size=1).map(tuple),
)


# for people


def test_a_job_is_a_block_that_says_where_it_goes_and_how() -> None:
    assert "\n".join(write_plan([planned()])) == (
        "publish jobs/hello:hello  jobs/hello.yaml:1\n"
        "  to            POST https://api.example.com/hello\n"
        "  delay         3s\n"
        "  header        test-header: test-value\n"
        "  body          application/json, 17 bytes\n"
        '    {"hello":"world"}\n'
        f"  id            {envelope(HELLO).id}"
    )


def test_what_is_skipped_says_why_and_nothing_else() -> None:
    skipped = plan_message(
        envelope(HELLO), action="skip", reason="published 2026-11-23 20:15 UTC as msg_x", batched=True
    )

    assert list(write_plan([skipped, replace(planned(), job="jobs/other:other")]))[:4] == [
        "skip jobs/hello:hello  jobs/hello.yaml:1",
        "  published 2026-11-23 20:15 UTC as msg_x",
        "",
        "publish jobs/other:other  jobs/hello.yaml:1",
    ]


def test_three_rows_of_a_thousand_are_shown_and_their_bodies_only_when_asked_for() -> None:
    assert "\n".join(write_plan(rows(1000, b'{"private":1}'))) == (
        "publish each row of jobs/hello:hello  jobs/hello.yaml:1\n"
        + "".join(
            f"  row {row}: jobs/hello:hello[A-{row}]\n"
            f"    to            POST https://api.example.com/{row}\n"
            "    body          application/json, 13 bytes\n"
            f"    id            {envelope(HELLO).id}\n"
            for row in (1, 2, 3)
        )
        + "  1,000 messages; 997 of them not shown"
    )
    assert '      {"private":1}' in list(write_plan(rows(1000, b'{"private":1}'), bodies=True))


def test_rows_that_are_skipped_are_counted() -> None:
    mixed = [replace(one, action="skip", reason="published") if one.row > 3 else one for one in rows(5)]

    assert list(write_plan(mixed))[-1] == "  5 messages: publish 3, skip 2; 2 of them not shown"


def test_a_long_json_body_is_laid_out_with_its_digits_kept() -> None:
    body = b'{"total":10.10,"big":123456789012345678901234567890,"tags":["a","b"],"none":{},"x":"{,]"}'
    lines = list(write_plan([planned(replace(HELLO, body=body))], width=60))

    assert "\n".join(lines[5:-1]) == (
        "    {\n"
        '      "total": 10.10,\n'
        '      "big": 123456789012345678901234567890,\n'
        '      "tags": [\n'
        '        "a",\n'
        '        "b"\n'
        "      ],\n"
        '      "none": {},\n'
        '      "x": "{,]"\n'
        "    }"
    )


def test_a_long_text_is_cut_to_the_terminal_and_to_twenty_lines() -> None:
    body = b"\n".join(b"line %d " % number + b"x" * 100 for number in range(100))
    lines = list(write_plan([planned(replace(HELLO, body=body))], width=40))[5:-1]

    assert len(lines) == 21
    assert lines[-1] == "    …"
    assert max(map(cell_width, lines)) <= 40


def test_a_body_of_megabytes_or_bytes_is_only_begun() -> None:
    long = planned(replace(HELLO, body=b"[" + b"1," * 1_000_000 + b"1]"))
    binary = planned(replace(HELLO, body=b"\xff\x00", binary=True, content_type=None))

    assert sum(map(len, write_plan([long]))) < 30_000
    assert "  body          2 bytes" in list(write_plan([binary]))


def test_every_setting_is_told_in_words() -> None:
    message = replace(
        HELLO,
        url=None,
        url_group="orders",
        queue="invoices",
        method="PUT",
        not_before=datetime(2026, 12, 1, tzinfo=UTC),
        retries=1,
        retry_delay="pow(2, retried) * 1000",
        timeout_s=90,
        callback=Callback(url="https://cb.example.com", headers=(("a", "b"),), retries=2),
        failure_callback=Callback(url="https://fail.example.com", method="PUT", timeout_s=5),
        dedup=Dedup(kind=DedupKind.KEY, value="order-7", window_s=30 * 86_400),
        flow_control=FlowControl(key="partner", parallelism=5, rate=10),
        labels=("a", "b"),
        redaction=Redaction(body=True, headers=("test-header",)),
    )

    assert describe(message) == (
        ("to", "PUT URL group orders"),
        ("queue", "invoices"),
        ("delay", "3s"),
        ("not before", "2026-12-01 00:00:00 UTC"),
        ("retries", "1"),
        ("retry delay", "pow(2, retried) * 1000, in ms"),
        ("timeout", "1m30s"),
        ("callback", "POST https://cb.example.com, retries 2, header a: b"),
        ("on failure", "PUT https://fail.example.com, timeout 5s"),
        ("once per", "key order-7, for 30d"),
        ("flow control", "partner, 5 at once, 10 per 1s"),
        ("labels", "a, b"),
        ("redacted", "the body, header test-header"),
        ("header", "test-header: test-value"),
    )


@pytest.mark.parametrize(
    ("change", "way"),
    [
        ({}, "batch"),
        ({"queue": "invoices"}, "batch"),
        ({"binary": True}, "publish"),
        ({"binary": True, "queue": "invoices"}, "enqueue"),
        ({"dedup": Dedup(kind=DedupKind.NONE)}, "publish"),
    ],
)
def test_the_way_is_the_one_that_a_run_takes(change: dict[str, object], way: str) -> None:
    assert planned(replace(HELLO, **change)).via == way  # type: ignore[arg-type]


def test_what_a_retry_may_duplicate_says_so() -> None:
    (line,) = [
        line
        for line in write_plan([planned(replace(HELLO, dedup=Dedup(kind=DedupKind.NONE)))])
        if "note" in line
    ]

    assert line == "  note          it has no deduplication id: a retry may publish it twice"


def test_a_summary_says_what_would_happen() -> None:
    assert summarise_plan({"publish": 14, "skip": 2}, jobs=3) == "would publish 14 messages of 3 jobs, skip 2"
    assert summarise_plan({"publish": 1}, jobs=1) == "would publish 1 message of 1 job"
    assert (
        summarise_plan({"skip": 1_000, "wait": 1}, jobs=0) == "would publish nothing, skip 1,000, hold back 1"
    )


# for programs


def test_a_json_line_has_the_documented_keys() -> None:
    (line,) = write_plan_jsonl([planned()])

    assert json.loads(line) == {
        "id": envelope(HELLO).id,
        "name": "jobs/hello:hello",
        "file": "jobs/hello.yaml",
        "line": 1,
        "action": "publish",
        "reason": None,
        "via": "batch",
        "method": "POST",
        "target": "/v2/publish/https://api.example.com/hello",
        "headers": {
            "Content-Type": "application/json",
            "Upstash-Delay": "3s",
            "Upstash-Deduplication-Id": envelope(HELLO).id,
            "Upstash-Forward-test-header": "test-value",
        },
        "body": '{"hello":"world"}',
        "dedup_id": envelope(HELLO).id,
        "environment": None,
    }


@settings(deadline=None)
@given(plan=PLAN)
def test_a_json_line_holds_the_request_to_the_byte(plan: PlannedMessage) -> None:
    (line,) = write_plan_jsonl([plan])
    facts = json.loads(line)

    body = facts["body"].encode() if "body" in facts else b64decode(facts["body_base64"])
    assert (facts["target"], body) == (plan.request.target, plan.request.body)
    headers = [
        (name, value)
        for name, values in facts["headers"].items()
        for value in (values if isinstance(values, list) else [values])
    ]
    assert sorted(headers) == sorted(plan.request.headers)


@settings(deadline=None)
@given(plan=st.lists(PLAN, max_size=3), width=st.none() | st.integers(40, 200))
def test_no_text_reaches_the_terminal_raw(plan: list[PlannedMessage], width: int | None) -> None:
    lines = [*write_plan(plan, bodies=True, width=width), *write_plan_jsonl(plan)]
    commands = "\n".join(write_plan_curl(plan, secrets={}))

    assert not [line for line in lines if UNSAFE.search(line)]
    assert not UNSAFE.search(commands.replace("\n", ""))


def test_secrets_are_masked_before_anything_is_cut() -> None:
    message = replace(
        HELLO, headers=(("Authorization", "Bearer s3cret-token"),), body=b"x" * 25 + b"s3cret-token" * 9
    )
    hidden = hide_secrets(planned(message), Mask({"TOKEN": "s3cret-token"}))

    text = "\n".join((*write_plan([hidden], width=40), *write_plan_jsonl([hidden])))
    assert "header        Authorization: Bearer ***" in text
    assert "body          application/json, with secrets" in text
    assert "s3c" not in text


# for a shell

SHELL = r"""
curl() {
    printf '%s\0' "$@"
    case " $* " in *" --data-binary @-"*) printf 'piped\0'; cat; printf '\0' ;; esac
}
"""


def run_curl(commands: str, **secrets: str) -> Request:
    """Run a command in a real bash whose curl says what it was given, and read that as a request."""
    answer = subprocess.run(
        ["bash", "--norc", "-s"],
        input=f"{SHELL}\n{commands}\n".encode(),
        capture_output=True,
        check=True,
        env={
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "QSTASH_URL": "https://qstash.example.com",
            "QSTASH_TOKEN": "t0ken",
            **secrets,
        },
    )
    assert answer.stderr == b""
    arguments, _, piped = answer.stdout.partition(b"piped\0")
    return read_arguments(arguments[:-1].split(b"\0"), piped[:-1])


def read_arguments(arguments: list[bytes], piped: bytes) -> Request:
    values = dict.fromkeys((b"-X", b"--data-raw", b"--data-binary"), b"")
    headers: list[str] = []
    target = b""
    words = iter(arguments)
    for word in words:
        if word == b"-H":
            headers.append(next(words).decode())
        elif word in values:
            values[word] = next(words)
        elif word not in (b"-sS", b"--globoff", b"--path-as-is"):
            target = word
    assert headers.pop(0) == "Authorization: Bearer t0ken"
    assert target.startswith(b"https://qstash.example.com/")
    # without a header of its own, curl would say application/x-www-form-urlencoded
    assert any(header.lower().startswith("content-type") for header in headers)
    return Request(
        method=values[b"-X"].decode(),
        target=target.removeprefix(b"https://qstash.example.com").decode(errors="surrogatepass"),
        headers=tuple(read_header(header) for header in headers if header != "Content-Type:"),
        body=piped or values[b"--data-raw"],
    )


def read_header(header: str) -> tuple[str, str]:
    """Read a header as curl does."""
    if header.endswith(";") and ":" not in header:
        return header[:-1], ""
    name, _, value = header.partition(": ")
    return name, value


def test_a_command_is_written_to_be_read() -> None:
    assert "\n".join(write_plan_curl([planned()], secrets={})) == (
        "# jobs/hello:hello  jobs/hello.yaml:1\n"
        'curl -sS --globoff --path-as-is -X POST "$QSTASH_URL"/v2/publish/https://api.example.com/hello \\\n'
        '  -H "Authorization: Bearer $QSTASH_TOKEN" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        "  -H 'Upstash-Delay: 3s' \\\n"
        f"  -H 'Upstash-Deduplication-Id: {envelope(HELLO).id}' \\\n"
        "  -H 'Upstash-Forward-test-header: test-value' \\\n"
        '  --data-raw \'{"hello":"world"}\'\n'
    )


@settings(deadline=None, max_examples=150)
@given(plan=PLAN)
def test_bash_gives_curl_exactly_the_request(plan: PlannedMessage) -> None:
    plan = replace(plan, action="publish")

    assert run_curl("\n".join(write_plan_curl([plan], secrets={}))) == plan.request


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"@/etc/passwd",
        b"it's\n$(date) `date` \\ !x\n",
        b"\0\xff\n",
        b"=x",
        b"-x",
        "é\u202e\x1b[0m\t\r".encode(),
        b"x'" * 200_000,
        b"\0" * 300_000,
    ],
    ids=range(9),
)
def test_awkward_bodies_arrive_whole(body: bytes) -> None:
    plan = replace(planned(), request=replace(planned().request, body=body))

    assert run_curl("\n".join(write_plan_curl([plan], secrets={}))) == plan.request


def test_an_empty_header_is_sent_empty() -> None:
    plan = planned(replace(HELLO, headers=(("X-Empty", ""),)))

    assert ("Upstash-Forward-X-Empty", "") in run_curl("\n".join(write_plan_curl([plan], secrets={}))).headers


def test_what_has_to_go_in_a_batch_is_a_batch_in_the_shell_too() -> None:
    message = replace(HELLO, url="https://api.example.com/hello?upstash-retries=3&token=s3cret", headers=())
    plan = planned(message)

    sent = run_curl("\n".join(write_plan_curl([plan], secrets={"TOKEN": "s3cret"})), TOKEN="s3cret")

    assert (plan.via, sent.target) == ("batch", "/v2/batch")
    assert [item["destination"] for item in json.loads(sent.body)] == [message.url]
    assert json.loads(next(write_plan_jsonl([plan])))["target"] == f"/v2/publish/{message.url}"
    assert "s3cret" not in str(hide_secrets(plan, Mask({"TOKEN": "s3cret"})))


def test_a_secret_stands_as_its_name_and_arrives_as_its_value() -> None:
    secrets = {"API_KEY": "k$y '\"\n x", "OTHER": "0ther"}
    message = replace(
        HELLO,
        url="https://api.example.com/0ther?x=1",
        headers=(("Authorization", "Bearer 0ther"),),
        body=f"before {secrets['API_KEY']}{secrets['OTHER']} after".encode(),
    )

    commands = "\n".join(write_plan_curl([planned(message)], secrets=secrets))

    assert "0ther" not in commands
    assert "k$y" not in commands
    assert "'Upstash-Forward-Authorization: Bearer '\"$OTHER\"" in commands
    assert run_curl(commands, **secrets) == planned(message).request


SECRET = st.text('ab$ "', min_size=4, max_size=6).filter(lambda value: "a" in value)


@settings(deadline=None)
@given(
    secrets=st.dictionaries(st.sampled_from(["A", "B", "not-a-name"]), SECRET, min_size=1),
    data=st.data(),
)
def test_no_value_of_a_secret_is_printed_wherever_it_stands(
    secrets: dict[str, str], data: st.DataObject
) -> None:
    parts = st.lists(st.sampled_from([*secrets.values(), "ab", "'", "-"]), max_size=4)
    body = "".join(data.draw(parts))
    plan = replace(planned(), request=replace(planned().request, headers=(), body=body.encode()))

    commands = "\n".join(write_plan_curl([plan], secrets=secrets))

    assert not [value for value in secrets.values() if value in commands]
    if "***" not in commands:
        usable = {name: value for name, value in secrets.items() if name != "not-a-name"}
        assert run_curl(commands, **usable) == plan.request


def test_an_encoded_secret_is_masked_and_the_reader_is_told() -> None:
    plan = planned(replace(HELLO, body=b'{"key":"a\\"bc-d"}'))

    commands = "\n".join(write_plan_curl([plan], secrets={"KEY": 'a"bc-d'}))

    assert "bc-d" not in commands
    assert "# where *** stands for a secret, put it in yourself" in commands


def test_what_would_not_be_published_is_no_command() -> None:
    skipped = replace(planned(), action="skip", reason="published\ncurl evil.example.com")

    assert list(write_plan_curl([skipped], secrets={})) == [
        "# skip jobs/hello:hello  jobs/hello.yaml:1: published\\ncurl evil.example.com"
    ]
