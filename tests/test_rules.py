"""What a schema cannot say and QStash would refuse, ignore or misread, each found at its place."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qstash_jobs.document import read_document
from qstash_jobs.job import Job, read_job_file
from qstash_jobs.message import Message, MessageReader
from qstash_jobs.problem import Location, Path, Problem, Severity
from qstash_jobs.rules import Context, all_rules, check_message, check_resource, explain

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
CONTEXT = Context(now=NOW)
URL = "url: https://api.example.com/hello"


def read(text: str, **more: Any) -> Message:
    """Build a message from a job file with one job or one schedule, as if its schema had been checked."""
    document = read_document(text.encode(), file="jobs/a.yaml")
    assert not document.problems, document.problems
    is_set = "schedules" in document.data
    file = read_job_file(document, name="jobs/a", single=not is_set)
    (job,) = file.schedules if is_set else file.jobs
    return read_fields(job, job.fields, **more)


def read_fields(job: Job, fields: Mapping[str, Any], **more: Any) -> Message:
    """Read fields that hold no expression."""
    reader = MessageReader(job, **{"read_file": lambda _: b"", "secrets": {}, "outside": {}, **more})
    return reader.read(fields, row=None)


def find(text: str, **context: Any) -> list[Problem]:
    return check_message(read(text), Context(**{"now": NOW, **context}))


def write(problem: Problem) -> str:
    place = problem.location
    return f"{place.line}:{place.column} {problem.severity} {problem.rule}: {problem.message}"


def schedule(*lines: str) -> str:
    return "schedules:\n  nightly:\n" + "\n".join(f"    {line}" for line in (URL, *lines))


BAD = [
    ("url: https%3A%2F%2Fapi.example.com%2Fa", "1:6 error url-encoded: the whole url is percent-encoded"),
    ("url: https://api.example.com/a b", "1:6 error url-characters: a url cannot hold a blank"),
    ("url: https://api.example.com/é", "1:6 error url-characters: a url cannot hold é"),
    ('url: "https://api.example.com/a\\nb"', "1:6 error url-characters: a url cannot hold a line break"),
    ("url: https:\\\\api.example.com\\a", "1:6 error url-characters: a url cannot hold a backslash"),
    ("url: api.example.com/a", "1:6 error url-scheme: the url does not begin with http:// or https://"),
    ("url: ftp://api.example.com/a", "1:6 error url-scheme: the url does not begin with http:// or https://"),
    ("url: https:///a", "1:6 error url-host: the url names no host"),
    ("url: https://a..example.com/", "1:6 error url-host: a..example.com is not the name of a host"),
    ("url: https://[2001:db8::g]/", "1:6 error url-host: [2001:db8::g] is not the name of a host"),
    ("url: https://api.example.com:99999/", "1:6 error url-port: 99999 is not a port"),
    ("url: https://api.example.com:/", "1:6 error url-port: nothing is not a port"),
    (
        "url: https://me:hunter2@api.example.com/",
        "1:6 warning url-userinfo: the url holds a user or a password, which QStash's log shows",
    ),
    (
        "url: https://api.example.com/a#b",
        "1:6 error url-fragment: what stands behind # in a url is never sent",
    ),
    (
        "url: https://api.example.com/a/../b",
        "1:6 error url-dots: the path holds /.., which is taken out on its way",
    ),
    (
        "url: https://api.example.com/a/%2E%2e/b",
        "1:6 error url-dots: the path holds /%2E%2e, which is taken out on its way",
    ),
    (
        "url: https://api.example.com/100%",
        "1:6 error url-escape: a % in the path has no two hexadecimal digits behind it",
    ),
    (
        "url: http://localhost:3000/a",
        "1:6 error url-loopback: QStash cannot reach localhost: it means the machine itself",
    ),
    (
        "url: http://app.internal/a",
        "1:6 warning url-private: app.internal is an address of a private network, where QStash has no way in",
    ),
    ("url: http://0x7f.1/a", "1:6 error url-number: 0x7f.1 means different addresses to different readers"),
    (
        "url: http://[fe80::1%25eth0]/",
        "1:6 error url-zone: an IPv6 address with a zone means something on this machine only",
    ),
    (
        "url: https://qstash.upstash.io/v2/publish/https://api.example.com/a",
        "1:6 warning url-qstash: this is QStash's own address",
    ),
    (
        "url: https://api.example.com/a?x=1&Upstash-Delay=3s",
        "1:6 warning url-configuration: Upstash-Delay in the query is a setting to QStash, so this goes out in a batch",
    ),
    (
        f"{URL}\ncallback: https://api.example.com/hello",
        "2:11 warning callback-loop: `callback` is the url that the message itself goes to",
    ),
    (
        f"{URL}\ncallback: {{url: http://127.0.0.1/}}",
        "2:17 error url-loopback: QStash cannot reach 127.0.0.1: it means the machine itself",
    ),
    ("url_group: order placed", "1:12 error url-group-name: a URL group cannot have this name"),
    (
        "url_group: https://api.example.com",
        "1:12 error url-group-name: this is a URL, not the name of a URL group",
    ),
    (f"{URL}\nqueue: in/voices", "2:8 error queue-name: a queue cannot have this name"),
    (f"{URL}\nqueue: a\ndelay: 3s", "3:1 error queue-delay: a queue refuses `delay`"),
    (
        f"{URL}\nqueue: a\nflow_control: {{key: a, rate: 1}}",
        "3:1 warning queue-flow-control: QStash does not document flow control for a queue, and may ignore it",
    ),
    (f"{URL}\nheaders: {{a b: c}}", "2:11 error header-name: this cannot be the name of a header"),
    (
        f'{URL}\nheaders: {{X-A: "a\\nb"}}',
        "2:16 error header-value: the value holds a line break or another control character",
    ),
    (
        f'{URL}\nheaders: {{X-A: " a"}}',
        "2:16 error header-value: the blanks around the value would be lost on the way",
    ),
    (f"{URL}\nheaders: {{X-A: 猫}}", "2:16 error header-value: a header cannot hold these letters"),
    (
        f"{URL}\nheaders: {{X-A: é}}",
        "2:16 warning header-value: receivers read letters beyond ASCII in a header differently",
    ),
    (
        f"{URL}\nheaders: {{Host: a}}",
        "2:11 error header-connection: Host belongs to the connection and cannot be forwarded",
    ),
    (
        f"{URL}\nheaders: {{Upstash-Delay: 3s}}",
        "2:11 error header-upstash: Upstash-Delay is a setting of QStash, not a header to forward",
    ),
    (
        f'{URL}\nheaders: {{X-A: "REDACTED:0f"}}',
        "2:16 error header-redacted: this is QStash's stand-in for a value that it hides",
    ),
    (
        f"{URL}\nheaders: {{Content-Type: text/html}}",
        "2:11 error header-content-type: Content-Type has a field of its own",
    ),
    (
        f"{URL}\ncallback: {{url: https://api.example.com/done, headers: {{X-A: b, x-a: c}}}}",
        "2:70 error header-repeated: x-a is the same header as X-A",
    ),
    (
        f"{URL}\nheaders: {{X-Key: a}}\nredact: {{headers: [X-Kye]}}",
        "3:20 warning redact-unsent: the message has no header X-Kye to redact",
    ),
    (
        f"{URL}\nnot_before: 2020-01-01T00:00:00Z",
        "2:13 error not-before-past: 2020-01-01 00:00:00 UTC is past",
    ),
    (
        f"{URL}\ndelay: 400d",
        "2:8 warning delay-long: this is more than a year ahead, which few plans allow",
    ),
    (
        f"{URL}\nretry_delay: pow(2 retried)",
        '2:14 error retry-delay: a "," is missing before "retried"',
    ),
    (
        f"{URL}\nretry_delay: 1000 - 2000 * retried",
        "2:14 warning retry-delay: before retry 2, the delay is negative",
    ),
    (
        f"{URL}\nretry_delay: pow(10, retried) * 1000000\nretries: 3",
        "2:14 warning retry-delay: before retry 3, the delay is longer than a day, which is the most that QStash waits",
    ),
    (f"{URL}\nretry_delay: 1000 / 0", "2:14 warning retry-delay: before retry 1, the delay has no value"),
    (
        f"{URL}\nretry_delay: 5",
        "2:14 warning retry-delay: before retry 1, the delay is less than a second, which may be none at all",
    ),
    (
        f"{URL}\nretry_delay: 1000\nretries: 0",
        "2:1 warning retry-delay-unused: `retries: 0` leaves nothing to delay",
    ),
    (f"{URL}\ntimeout: 0", "2:10 error timeout: with a timeout of 0 nothing can answer in time"),
    (f"{URL}\ntimeout: 3h", "2:10 warning timeout: a timeout can only shorten the plan's own, 2h"),
    (
        f"{URL}\ndedup: {{id: a:b}}",
        "2:13 error dedup-id: the deduplication id holds a `:`",
    ),
    (
        f"{URL}\ndedup: {{id: a b}}",
        "2:13 error dedup-id: the deduplication id holds a character that QStash refuses",
    ),
    (
        f"{URL}\ndedup: {{id: {'a' * 513}}}",
        "2:13 warning dedup-id: the deduplication id is longer than 512 characters",
    ),
    (
        f"{URL}\ndedup: none",
        "2:8 warning dedup-none: without an id, trying again after a lost answer may duplicate the message",
    ),
    (f'{URL}\nlabels: [a, "b,c"]', "2:13 error label: a comma makes two labels of one"),
    (f'{URL}\nlabels: [" "]', "2:10 error label: a label is empty"),
    (f"{URL}\nlabels: [é]", "2:10 error label: a label cannot hold letters beyond ASCII"),
    (
        f'{URL}\nlabels: ["a "]',
        "2:10 error label: a label cannot hold blanks at its ends, nor control characters",
    ),
    (
        f"{URL}\nflow_control: {{key: a/b, rate: 1}}",
        "2:21 error flow-control-key: a flow-control key cannot be this",
    ),
    (
        f"{URL}\nflow_control: {{key: a, rate: 1, period: 8d}}",
        "2:41 error flow-control-period: a period lasts from a second to a week",
    ),
    (
        f"{URL}\nflow_control: {{key: a, parallelism: 1, period: 1m}}",
        "2:48 warning flow-control-period: a period without a `rate` says nothing",
    ),
    (
        f"{URL}\nbody: '{{a: 1}}'\ncontent_type: application/json",
        "2:7 error body-json: the content type says JSON, and the body is none from line 1, column 2 on",
    ),
    (
        f"{URL}\nbody: '\"REDACTED:0f\"'",
        "2:7 error body-redacted: this is QStash's stand-in for a body that it hides",
    ),
    (
        f"{URL}\nmethod: GET\nbody: a",
        "3:7 warning body-get: many destinations ignore or refuse the body of a GET",
    ),
    (f"{URL}\ncontent_type: html\nbody: a", "2:15 warning content-type: this is not a media type"),
    (f'{URL}\ncontent_type: "text/html\\r\\nX: y"', "2:15 error content-type: this cannot stand in a header"),
    (
        f"{URL}\nheaders: {{Authorization: Bearer hunter2}}",
        "2:26 warning secret-literal: the value of Authorization stands in the open",
    ),
    (
        f'{URL}\nheaders: {{X-Api-Key: "${{{{ env.KEY }}}}"}}',
        "2:22 warning secret-literal: the value of X-Api-Key stands in the open",
    ),
    (
        f"{URL}\nbody: eyJVc2VySUQiOiJkZWZhdWx0VXNlciJ9",
        "2:7 warning secret-token: `body` holds what looks like a token or a signing key of QStash's",
    ),
    (schedule('cron: "0 0 4 * * *"'), "cron-syntax"),
    (schedule('cron: "0 4 31 2 *"'), "cron-never"),
    (schedule('cron: "0 4 1 * 1"'), "cron-meaning"),
    (schedule('cron: "30 2 * * *"', "timezone: Europe/Berlin"), "cron-clock-change"),
    (
        schedule('cron: "0 4 * * *"', "timezone: Mars/Base"),
        "5:15 error cron-timezone: there is no such time zone",
    ),
    (schedule('cron: "0 4 * * *"', "dedup: content"), "5:5 error schedule-dedup: a schedule has no `dedup`"),
    (
        schedule('cron: "0 4 * * *"', "not_before: 2026-09-01T00:00:00Z"),
        "5:5 error schedule-dedup: a schedule has no `not_before`",
    ),
    (
        'schedules: {a: {cron: "0 4 * * *", url: "https://api.example.com/?qstash_token=a"}}',
        "1:41 error url-configuration: qstash_token in the query is a setting to QStash",
    ),
]


@pytest.mark.parametrize(("text", "expected"), BAD)
def test_each_fault_is_found_at_its_place_and_nothing_else_is(text: str, expected: str) -> None:
    assert [p.rule if " " not in expected else write(p) for p in find(text)] == [expected]


def test_every_rule_on_messages_has_a_case_here() -> None:
    shown = {expected.split(":")[1].split()[-1] if " " in expected else expected for _, expected in BAD}
    of_the_account = {"schedule-id", "schedule-repeated", "schedule-stranger"}
    elsewhere = {"body-size", "retries-many", "secret-visible", "quota-messages"} | of_the_account
    raised_by_others = (
        "yaml-",
        "schema-",
        "render-",
        "row-",
        "job-",
        "run-",
        "project-",
        "unquoted-",
        "resource-",
        "policy-",
        "account-",
    )
    raised_by_others += ("url-group-unknown", "queue-unknown")
    ids = {id_ for id_ in all_rules() if not id_.startswith(raised_by_others)} | {"schedule-dedup"}
    assert ids == shown | elsewhere


GOOD = [
    URL,
    "url: HTTPS://API.Example.Com:8443/a//b/%2F?q=a%20b&x=..&upstash=1",
    "url: https://api.example.com/v2/a...b/.well-known/x?next=https://b.example.com/../c",
    "url: https://203.0.113.7/a\ncallback: https://[2606:4700::1111]:8443/done",
    "url: https://xn--bcher-kva.example/a",
    "url_group: order-placed_2.0\nqueue: invoices",
    f"{URL}\nheaders: {{X-A: b, X-Empty: '', Authorization: 'Bearer ${{{{ secrets.A }}}}', X-B: 'a\tb'}}",
    f"{URL}\nnot_before: 2026-08-02T12:00:00Z",
    f"{URL}\ndelay: 7d\nretries: 5\nretry_delay: min(pow(2, retried) * 1000, 300000)\ntimeout: 15m",
    f"{URL}\ndedup: {{id: 'a.b_c,d-1'}}",
    f"{URL}\ndedup: {{key: 'a:b c', window: forever}}",
    f"{URL}\nlabels: [billing, two words]\nflow_control: {{key: a.b_c-1, rate: 1, period: 7d}}",
    f"{URL}\nbody: '[1, 2]'\ncontent_type: application/vnd.api+json; charset=utf-8",
    f"{URL}\nbody: '\"\\ud800\"'\ncontent_type: application/json",
    f'{URL}\nbody: <p>hello\ncontent_type: text/html; charset="utf-8"',
    f"{URL}\nmethod: GET\ncallback: https://api.example.com/done",
    f"{URL}\nheaders: {{X-Key: a}}\nredact: {{body: true, headers: [x-key]}}",
    schedule('cron: "0 4 * * 1-5"', "timezone: Europe/Berlin", "delay: 3s"),
    schedule('cron: "*/10 * * * *"', "queue: a", "flow_control: {key: a, rate: 1}"),
]


@pytest.mark.parametrize("text", GOOD)
def test_what_qstash_takes_as_it_stands_has_no_problem(text: str) -> None:
    assert [write(problem) for problem in find(text)] == []


LOOPBACK = ["127.0.0.1", "127.8.9.1", "localhost", "a.LOCALHOST", "localhost.", "0.0.0.0", "[::1]", "[::]"]


@pytest.mark.parametrize("host", [*LOOPBACK, "[::ffff:127.0.0.1]"])
def test_this_machine_is_out_of_reach_for_the_service_and_in_reach_for_a_local_server(host: str) -> None:
    assert [p.rule for p in find(f'url: "http://{host}/a"')] == ["url-loopback"]
    assert find(f'url: "http://{host}/a"', server_is_local=True) == []


@pytest.mark.parametrize(
    "host",
    [
        *("10.1.2.3", "192.168.0.1", "172.16.0.1", "172.31.255.1", "169.254.1.1", "[fd00::1]", "[fe80::1]"),
        *("backend", "printer.local", "db.internal", "Printer.Local."),
    ],
)
def test_a_private_network_is_warned_of(host: str) -> None:
    assert [(p.rule, p.severity) for p in find(f'url: "http://{host}/a"')] == [
        ("url-private", Severity.WARNING)
    ]
    assert find(f'url: "http://{host}/a"', server_is_local=True) == []


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "127.1", "0177.0.0.1", "1.2.3.4.5", "256.1.1.1"]
)
def test_an_ipv4_address_in_an_odd_spelling_is_refused(host: str) -> None:
    assert [p.rule for p in find(f'url: "http://{host}/a"', server_is_local=True)] == ["url-number"]


def test_the_hint_says_what_to_write_instead() -> None:
    assert find("url: order-placed")[0].hint == "for a URL group, write `url_group: order-placed`"
    assert find("url: api.example.com/a")[0].hint == "write https://api.example.com/a"
    assert find("url: https%3A%2F%2Fa.example.com")[0].hint == "write https://a.example.com"
    assert find(f"{URL}\nheaders: {{Upstash-Retrys: 3}}")[0].hint == "write `retries: …`"
    assert find(f"{URL}\nheaders: {{upstash-label: a}}")[0].hint == "write `labels: …`"
    assert find(f"{URL}\nheaders: {{Upstash-Forward-X-A: a}}")[0].hint == (
        "write the header without `Upstash-Forward-`"
    )
    assert find(f"{URL}\nheaders: {{Upstash-Callback-Retries: 3}}")[0].hint == (
        "write `callback: {url: …}` with the setting inside"
    )


def test_limits_of_the_plan_are_held_where_they_are_known() -> None:
    assert [p.rule for p in find(f"{URL}\ndelay: 8d", max_delay_s=604_800)] == ["delay-long"]
    assert find(f"{URL}\ndelay: 7d", max_delay_s=604_800) == []
    assert [p.rule for p in find(f"{URL}\nnot_before: 2026-09-01T00:00:00Z", max_delay_s=604_800)] == [
        "delay-long"
    ]
    assert [write(p) for p in find(f"{URL}\nretries: 6", max_retries=5)] == [
        "2:10 error retries-many: the plan allows 5 retries at most"
    ]
    assert find(f"{URL}\ntimeout: 20m", max_timeout_s=900)[0].severity is Severity.WARNING
    assert [write(p) for p in find(f"{URL}\nbody: hello", max_message_bytes=4)] == [
        "2:7 error body-size: the body has 5 bytes, and the plan allows 4"
    ]


def test_a_body_beyond_the_free_plan_is_warned_of() -> None:
    (problem,) = find(f"{URL}\nbody: {'a' * 1_048_577}")
    assert (problem.rule, problem.severity) == ("body-size", Severity.WARNING)


def test_a_secret_is_warned_of_where_qstash_cannot_hide_it() -> None:
    shown = {"url": frozenset({"A"}), "labels": frozenset({"A"}), "body": frozenset({"A"})}
    message = read(f"{URL}\nlabels: [a]\nbody: b", secrets=shown)
    assert [write(problem) for problem in check_message(message, CONTEXT)] == [
        "1:6 warning secret-visible: a secret in `url` can be read in QStash's log",
        "2:9 warning secret-visible: a secret in `labels` can be read in QStash's log",
    ]


def test_a_secret_in_the_headers_of_a_callback_is_no_secret_in_its_url() -> None:
    text = f'{URL}\ncallback: {{url: https://a.example.com/, headers: {{X-A: "${{{{ secrets.A }}}}"}}}}'
    message = read(text, secrets={"callback": frozenset({"A"})})
    assert check_message(message, CONTEXT) == []


def test_a_secret_in_a_deduplication_key_is_hashed_and_in_an_id_it_is_not() -> None:
    secrets = {"dedup": frozenset({"A"})}
    assert check_message(read(f"{URL}\ndedup: {{key: a}}", secrets=secrets), CONTEXT) == []
    (problem,) = check_message(read(f"{URL}\ndedup: {{id: a}}", secrets=secrets), CONTEXT)
    assert problem.rule == "secret-visible"


def test_a_secret_that_is_not_known_here_is_no_fault_of_the_field_it_goes_into() -> None:
    secrets = dict.fromkeys(("url", "dedup", "queue", "callback"), frozenset({"A"}))
    text = "url: https://***/a\ndedup: {id: '***'}\nqueue: '***'\ncallback: https://***/b"
    found = check_message(read(text, secrets=secrets), CONTEXT)
    assert {problem.rule for problem in found} == {"secret-visible"}
    assert {problem.rule for problem in check_message(read(text), CONTEXT)} == {
        "url-host",
        "dedup-id",
        "queue-name",
    }


def test_only_the_rules_that_read_a_changed_field_are_asked_again() -> None:
    message = read("url: http://localhost/\nlabels: ['a,b']\ndedup: none")

    def rules(*changed: str) -> list[str]:
        return [problem.rule for problem in check_message(message, CONTEXT, changed=frozenset(changed))]

    assert rules() == []
    assert rules("labels") == ["label"]
    assert rules("url", "dedup") == ["url-loopback", "dedup-none"]
    assert len(check_message(message, CONTEXT)) == 3


def test_each_field_of_a_job_that_a_row_can_change_is_read_by_the_rules_on_it() -> None:
    for text, expected in BAD:
        message = read(text)
        changed = frozenset(message.job.fields)
        found = [problem.rule for problem in check_message(message, CONTEXT, changed=changed)]
        assert found == [problem.rule for problem in check_message(message, CONTEXT)], expected


def nowhere(path: Path, at_key: bool) -> Location:
    return Location(file="a.yaml", line=len(path), column=int(at_key))


def test_what_is_declared_of_the_account_is_held_to_the_same_rules() -> None:
    group = {"headers": {"Upstash-Delay": "3s"}, "endpoints": {"a": "http://localhost/", "b": "a.b/c"}}
    assert [(p.rule, p.path) for p in check_resource("url_group", "a b", group, CONTEXT, nowhere)] == [
        ("url-group-name", ()),
        ("header-upstash", ("headers", "Upstash-Delay")),
        ("url-loopback", ("endpoints", "a")),
        ("url-scheme", ("endpoints", "b")),
    ]
    assert [p.rule for p in check_resource("queue", "a b", {}, CONTEXT, nowhere)] == ["queue-name"]
    limits = {"parallelism": 1, "period": "8d"}
    assert [(p.rule, p.path) for p in check_resource("flow_control", "a:b", limits, CONTEXT, nowhere)] == [
        ("flow-control-key", ()),
        ("flow-control-period", ("period",)),
    ]
    assert check_resource("flow_control", "a", {"rate": 1, "period": 60}, CONTEXT, nowhere) == []


def test_explain_says_what_why_and_what_to_write_for_every_id() -> None:
    for id_, known in all_rules().items():
        text = explain(id_)
        assert text is not None
        assert text.startswith(f"{id_}: ")
        assert len(known.text) > 20
        assert not known.title.endswith(".")
    assert explain("no-such-rule") is None


TEXTS = st.text(st.characters(codec="utf-8"), max_size=40) | st.from_regex(
    r"https?://[a-z0-9.@:\[\]%-]{0,20}(/[a-z.%]{0,5}){0,3}(\?[a-z=&-]{0,10})?(#[a-z]?)?", fullmatch=True
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "url": TEXTS,
    "queue": TEXTS,
    "content_type": TEXTS,
    "body": TEXTS,
    "headers": st.dictionaries(TEXTS, TEXTS, max_size=3),
    "retry_delay": TEXTS,
    "labels": st.lists(TEXTS, max_size=3),
    "dedup": st.fixed_dictionaries({"id": TEXTS}),
    "callback": st.fixed_dictionaries({"url": TEXTS, "headers": st.dictionaries(TEXTS, TEXTS, max_size=2)}),
    "cron": TEXTS,
    "timezone": TEXTS,
    "flow_control": st.fixed_dictionaries({"key": TEXTS, "rate": st.integers(1, 9)}),
    "redact": st.fixed_dictionaries({"headers": st.lists(TEXTS, max_size=2)}),
}


@settings(deadline=None, max_examples=300)
@given(st.fixed_dictionaries({}, optional=FIELDS))
def test_no_value_makes_a_rule_fail(fields: dict[str, Any]) -> None:
    job = read(URL).job
    message = read_fields(job, fields)
    for problem in check_message(message, CONTEXT):
        assert problem.rule in all_rules()
        assert problem.message.isprintable()
        assert problem.hint is None or problem.hint.isprintable()
