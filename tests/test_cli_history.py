"""`runs` and `show` in every format, and what they choose."""

import csv
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from chaos_server import ChaosServer, Peer
from junitparser import JUnitXml
from markdown_page import Page

GOOD = "url: https://api.example.com/hello\nbody: {hello: world}\n"
REFUSED = "url: https://api.example.com/far\ndelay: 400d\n"


@pytest.fixture
def history(cli):
    """Two runs: one that went well, and one of which a message was rejected."""
    cli.write("jobs/good.yaml", GOOD)
    cli.write("jobs/far.yaml", REFUSED)
    cli.write("qstash-jobs.yaml", "project: shop\n")
    assert cli("run", "jobs/good.yaml", "--run-key", "monday").code == 0
    assert cli("run", "jobs").code == 1
    return cli


def chosen(cli, *words: object) -> list[int]:
    """The exit codes of the runs that are chosen; newest first."""
    return [run["exit_code"] for run in cli("runs", *words, "--format", "jsonl").lines]


def names(cli, *words: object) -> list[str]:
    (run, _) = cli("runs", "--format", "jsonl").lines
    return [record["name"] for record in cli("show", run["id"], *words, "--format", "jsonl").lines]


def test_runs_are_chosen_by_all_that_is_known_of_them(history) -> None:
    assert chosen(history) == [1, 0]
    assert chosen(history, "--outcome", "ok") == [0]
    assert chosen(history, "--outcome", "failed") == [1]
    assert chosen(history, "--outcome", "unended") == []
    assert chosen(history, "--state", "rejected") == [1]
    assert chosen(history, "--state", "rejected", "--state", "published") == [1, 0]
    assert chosen(history, "--state", "in_doubt") == []
    assert chosen(history, "--job", "far") == [1]
    assert chosen(history, "--job", "jobs/*") == [1, 0]
    assert chosen(history, "--job", "none") == []
    assert chosen(history, "--run-key", "monday") == [0]
    assert chosen(history, "--limit", 1) == [1]
    assert chosen(history, "--outcome", "ok", "--limit", 1) == [0]


def test_runs_are_chosen_by_when_they_started(history) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    for when in ("1h", "2d ago", "2026-01-01", "2026-01-01T00:00+02:00"):
        assert chosen(history, "--since", when) == [1, 0], when
        assert chosen(history, "--until", when) == [], when
    assert chosen(history, "--since", f"{tomorrow:%Y-%m-%d}") == []
    assert chosen(history, "--until", f"{tomorrow:%Y-%m-%dT%H:%M:%SZ}") == [1, 0]
    answer = history("runs", "--since", "soon")
    assert (answer.code, answer.out) == (2, "")
    assert "--since soon is no moment; write 2026-01-31" in answer.err


def test_no_run_is_no_error(history) -> None:
    answer = history("runs", "--run-key", "sunday")
    assert (answer.code, answer.out, answer.err) == (0, "", "no such runs\n")


def test_the_messages_of_a_run_are_chosen_by_state_and_job(history) -> None:
    assert sorted(names(history)) == ["jobs/far:far", "jobs/good:good"]
    assert names(history, "--state", "rejected") == ["jobs/far:far"]
    assert names(history, "--job", "g*") == ["jobs/good:good"]
    assert names(history, "--job", "g*", "--state", "rejected") == []
    answer = history("show", "jobs/good:good", "--state", "rejected")
    assert answer.code == 2
    assert "--state and --job choose among the messages of a run, and no run is jobs/good:good" in answer.err


@pytest.mark.parametrize("what", ["runs", "run", "message"])
def test_every_format_is_one_document_that_its_readers_take(history, what: str) -> None:
    (run, _) = history("runs", "--format", "jsonl").lines
    words = {"runs": ["runs"], "run": ["show", run["id"]], "message": ["show", "jobs/far:far"]}[what]
    seen = run["id"] if what == "runs" else "jobs/far:far"

    def show(format_: str) -> str:
        answer = history(*words, "--format", format_)
        assert (answer.code, answer.err) == (0, "")
        return answer.out

    document = json.loads(show("json"))
    assert seen in [one.get("name", one["id"]) for one in document["runs" if what == "runs" else "messages"]]
    (suite,) = JUnitXml.fromstring(show("junit").encode())
    assert seen in [case.name for case in suite]
    header, *lines = csv.reader(StringIO(show("csv")))
    assert seen in [line[header.index("id" if what == "runs" else "name")] for line in lines]
    assert seen in Page(show("markdown")).text
    html = show("html")
    assert html.startswith("<!doctype html>\n")
    assert seen in html


def test_a_run_is_one_document_for_a_pipeline(history) -> None:
    answer = history("run", "jobs", "--format", "markdown")
    page = Page(answer.out)
    assert answer.code == 1
    assert ["messages", "published 1, rejected 1"] in page.cells
    assert ["rejected", "jobs/far:far", "", page.cells[-2][3], "jobs/far.yaml:1"] in page.cells
    assert "quota maxDelay exceeded" in page.text
    assert "published 1, rejected 1" in answer.err
    answer = history("run", "jobs", "--format", "junit", "--quiet")
    (suite,) = JUnitXml.fromstring(answer.out.encode())
    assert answer.code == 1
    assert {case.name: case.is_failure for case in suite} == {"jobs/far:far": True, "jobs/good:good": False}


def test_rows_are_told_with_their_job_in_a_document_too(cli) -> None:
    cli.write("rows.csv", "n\n" + "".join(f"{number}\n" for number in range(500)))
    cli.write("a.yaml", "url: https://api.example.com/${{ row.n }}\nfor_each: {file: rows.csv, key: n}\n")
    page = Page(cli("run", "a.yaml", "--format", "markdown", "--results", "kept.jsonl").out)
    assert page.cells[-1] == ["published", "a:a", "", "published 500", ""]
    assert len((cli.folder / "kept.jsonl").read_text().splitlines()) == 500
    (suite,) = JUnitXml.fromstring(cli("run", "a.yaml", "--format", "junit").out.encode())
    assert [(case.name, case.system_out) for case in suite] == [("a:a", "published a:a 500 messages")]


def test_what_keeps_a_run_from_beginning_is_the_document(cli) -> None:
    cli.write("a.yaml", GOOD + "retrys: 3\n")
    answer = cli("run", "a.yaml", "--format", "markdown")
    assert answer.code == 2
    assert "nothing was sent: 1 error in 1 file" in Page(answer.out).text
    assert Page(answer.out).cells[1][:2] == ["error", "a.yaml:3:1"]
    (suite,) = JUnitXml.fromstring(cli("run", "a.yaml", "--format", "junit").out.encode())
    assert [(case.name, case.is_failure) for case in suite] == [("a.yaml", True)]
    assert cli.sent == []


def test_what_a_run_did_not_come_to_is_an_error_of_its_document(cli) -> None:
    cli.write("a.yaml", GOOD)
    cli.set("QSTASH_URL", "http://127.0.0.1:9")
    answer = cli("run", "a.yaml", "--format", "junit")
    (suite,) = JUnitXml.fromstring(answer.out.encode())
    assert answer.code == 5
    assert [(case.name, case.result[0].message) for case in suite] == [
        ("not reached", "1 not reached before the run ended")
    ]


@pytest.mark.parametrize("format_", ["junit", "markdown"])
def test_a_run_that_broke_off_does_not_pass_for_one_that_went_well(cli, format_: str) -> None:
    def take_the_ledger_away(peer: Peer) -> None:
        while request := peer.read_request():
            with closing(sqlite3.connect(cli.ledger)) as connection:
                connection.execute("ALTER TABLE messages RENAME TO gone")
            assert request.startswith(b"POST")
            peer.write(b'HTTP/1.1 201 Created\r\nContent-Length: 21\r\n\r\n{"messageId":"msg_1"}')

    cli.write("a.yaml", GOOD)
    with ChaosServer(take_the_ledger_away) as server:
        cli.set("QSTASH_URL", server.url)
        answer = cli("run", "a.yaml", "--format", format_)
    assert answer.code == 6
    if format_ == "markdown":
        assert "broke off" in [cells[0] for cells in Page(answer.out).cells]
        return
    (suite,) = JUnitXml.fromstring(answer.out.encode())
    assert suite.errors == 1
    assert [case.name for case in suite if not case.is_passed] == ["broke off"]


def test_a_local_run_prints_its_document_alone_on_stdout(cli) -> None:
    cli.write("a.yaml", GOOD)
    answer = cli("run", "--local", "a.yaml", "--format", "junit")
    (suite,) = JUnitXml.fromstring(answer.out.encode())
    assert [case.is_passed for case in suite] == [True]
    assert "delivered a:a" in answer.err


def test_a_run_of_nothing_is_a_document_too(cli) -> None:
    cli.write("a.yaml", GOOD + "enabled: false\n")
    (suite,) = JUnitXml.fromstring(cli("run", "a.yaml", "--format", "junit").out.encode())
    assert suite.tests == 0
    assert "no messages" in cli("run", "a.yaml", "--format", "markdown").out
