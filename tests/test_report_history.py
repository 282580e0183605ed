"""Pages, Markdown, CSV and JUnit of the ledger's history hold what the text holds, whatever the names are."""

import csv
import re
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from html.parser import HTMLParser
from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from junitparser import JUnitXml
from markdown_page import Page

from qstash_jobs.outcome import Endpoint
from qstash_jobs.record import Evidence, Record, Run, Slot, State, Verdict, Witness
from qstash_jobs.report.escape import UNSAFE, escape
from qstash_jobs.report.history import sheet_of_run, sheet_of_runs, sheets_of_messages
from qstash_jobs.report.page import write_page
from qstash_jobs.report.sheet import Sheet, write_markdown
from qstash_jobs.report.spreadsheet import write_records_csv, write_runs_csv
from qstash_jobs.report.verdicts import write_messages_junit, write_run_junit, write_runs_junit

NOW = datetime(2026, 11, 23, 20, 20, tzinfo=UTC)
ID = "qj-" + "0" * 40
RUN = Run(
    id="7f3a0c112233",
    started_at=NOW,
    project="billing",
    environment="production",
    target="qstash.upstash.io, account a1b2",
    paths=("/srv/jobs",),
    options={},
    expected=13,
    keys=("2026-11-23",),
    ended_at=NOW + timedelta(seconds=3),
    exit_code=1,
    totals={"published": 12, "rejected": 1},
)
HELLO = Record(
    slot=Slot(key=1, job="jobs/hello:hello"),
    id=ID,
    dedup_id=ID,
    fingerprint=b"",
    state=State.PUBLISHED,
    attempt=1,
    run=RUN.id,
    file="jobs/hello.yaml",
    line=3,
    target="https://api.example.com/hello",
    settled_at=NOW,
    endpoints=(Endpoint(message_id="msg_x"),),
    status=200,
)
REFUSED = replace(
    HELLO,
    slot=Slot(key=1, job="jobs/far:far"),
    state=State.REJECTED,
    endpoints=(),
    status=400,
    error="quota maxDelay exceeded",
)
SAID = Evidence(slot=HELLO.slot, at=NOW, witness=Witness.PERSON, verdict=Verdict.PUBLISHED, who="ada")
TEXT = st.text(st.characters() | st.sampled_from("=+-@|`<>&'\"\\\n\t,;"), max_size=20)


class Html(HTMLParser):
    """The tags with their attributes, and the text of each cell and each value."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[list[str]] = []
        self.values: list[str] = []
        self.style = self._open = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag
        if tag == "tr":
            self.cells.append([])
        if tag in ("td", "th"):
            self.cells[-1].append("")
        if tag == "dd":
            self.values.append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open in ("td", "th"):
            self.cells[-1][-1] += data
        if self._open == "dd":
            self.values[-1] += data
        if self._open == "style":
            self.style += data


def page(*sheets: Sheet, most: int = 100) -> Html:
    return Html("\n".join(write_page(sheets, most=most, version="1.2.3")))


def markdown(*sheets: Sheet, most: int = 100) -> Page:
    return Page("\n".join(write_markdown(sheets, most=most)))


def cells(*records: Record) -> list[list[str]]:
    return list(csv.reader(StringIO("\n".join(write_records_csv((record, ()) for record in records)))))


def test_a_page_and_markdown_show_a_run_and_its_messages() -> None:
    shown = [
        ["state", "message", "QStash's id", "answer", "stands in"],
        ["published", "jobs/hello:hello", "msg_x", "", "jobs/hello.yaml:3"],
        ["rejected", "jobs/far:far", "", "400 quota maxDelay exceeded", "jobs/hello.yaml:3"],
    ]
    html = page(sheet_of_run(RUN, [HELLO, REFUSED]))
    assert html.cells == shown
    assert "2026-11-23 20:20 UTC, after 3 s" in html.values
    assert "published 12, rejected 1" in html.values
    written = markdown(sheet_of_run(RUN, [HELLO, REFUSED]))
    assert written.cells[-3:] == shown
    assert ["exit code", "1: something was rejected"] in written.cells


def test_a_page_shows_runs_and_single_messages() -> None:
    assert page(sheet_of_runs([RUN])).cells[1] == [
        "1", "7f3a0c112233", "2026-11-23 20:20 UTC", "published 12, rejected 1", "billing, production", "2026-11-23",
    ]  # fmt: skip
    html = page(*sheets_of_messages([(HELLO, [SAID])]))
    assert {"published", ID, "msg_x", "2026-11-23 20:20 UTC: published, by the word of ada"} <= set(
        html.values
    )
    assert ("dd", {"class": "good"}) in html.tags


def test_a_page_fetches_nothing_and_allows_nothing_but_its_own_style() -> None:
    html = page(sheet_of_run(RUN, [HELLO]))
    (policy,) = [
        about["content"] for tag, about in html.tags if about.get("http-equiv") == "Content-Security-Policy"
    ]
    digest = b64encode(sha256(html.style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert not {"script", "link", "img", "iframe", "a", "form"} & {tag for tag, _ in html.tags}
    assert not {"src", "href", "style", "onclick"} & {name for _, about in html.tags for name in about}
    assert "url(" not in html.style
    assert "@import" not in html.style


def test_what_a_document_has_no_room_for_is_counted() -> None:
    sheet = sheet_of_run(RUN, [HELLO] * 7)
    assert "and 4 more messages" in "\n".join(write_page([sheet], most=3, version=""))
    assert "and 4 more messages" in markdown(sheet_of_run(RUN, [HELLO] * 7), most=3).text
    assert "no messages" in "\n".join(write_page([sheet_of_run(RUN, [])], most=3, version=""))
    assert "no runs" in markdown(sheet_of_runs([])).text


@settings(deadline=None)
@given(name=TEXT, error=TEXT, file=TEXT)
def test_names_and_answers_stay_text(name: str, error: str, file: str) -> None:
    record = replace(REFUSED, slot=Slot(key=1, job=name), error=error or "x", file=file)
    run = replace(RUN, project=name, keys=(error,), target=file)
    html = page(sheet_of_run(run, [record]), *sheets_of_messages([(record, ())]))
    assert html.cells[1] == [escape(text) for text in (
        "rejected", record.name, "", f"400 {record.error}".strip(), f"{file}:3"
    )]  # fmt: skip
    assert not [
        line for line in write_page([sheet_of_run(run, [record])], most=9, version="") if _misleads(line)
    ]
    known = {tag for tag, _ in page(sheet_of_run(RUN, [HELLO]), *sheets_of_messages([(HELLO, ())])).tags}
    assert {tag for tag, _ in html.tags} <= known


def _misleads(line: str) -> bool:
    return UNSAFE.search(line.replace("\n", "")) is not None


def test_csv_has_every_fact_in_a_column_of_its_own() -> None:
    header, hello, refused = cells(HELLO, REFUSED)
    assert dict(zip(header, hello, strict=True)) == {
        "id": ID, "name": "jobs/hello:hello", "file": "jobs/hello.yaml", "line": "3", "run": RUN.id,
        "state": "published", "message_ids": "msg_x", "endpoints": "", "dedup_id": ID, "status": "200", "error": "",
        "attempts": "1", "generation": "0", "target": "https://api.example.com/hello", "first_maybe_sent_at": "",
        "settled_at": "2026-11-23T20:20:00Z", "evidence": "",
    }  # fmt: skip
    assert refused[header.index("error")] == "quota maxDelay exceeded"
    header, run = csv.reader(write_runs_csv([RUN]))
    facts = dict(zip(header, run, strict=True))
    assert (facts["keys"], facts["published"], facts["rejected"], facts["planned"]) == (
        "2026-11-23",
        "12",
        "1",
        "0",
    )
    (_, died) = csv.reader(write_runs_csv([replace(RUN, ended_at=None, exit_code=None, totals=None)]))
    assert died[header.index("published")] == ""


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\uff1d1", " =1", "'=1", '"=1', "'plain", "=cmd|' /C calc'!A0"]
)
def test_no_cell_is_a_formula(text: str) -> None:
    header, row = cells(replace(REFUSED, error=text))
    assert row[header.index("error")] == f"'{text}"


@settings(deadline=None)
@given(text=TEXT)
def test_a_cell_reads_back(text: str) -> None:
    header, row = cells(replace(REFUSED, error=text))
    cell = row[header.index("error")]
    assert escape(text) == (cell[1:] if cell.startswith("'") else cell)
    assert not re.match("[=+@-]", cell)


def test_junit_has_a_test_case_for_each_message_and_rows_that_went_well_have_one_together() -> None:
    rows = [replace(HELLO, slot=Slot(key=1, job="jobs/rows:rows", row=number)) for number in (1, 2, 3)]
    lost = replace(
        rows[0],
        slot=Slot(key=1, job="jobs/rows:rows", row=4),
        state=State.IN_DOUBT,
        endpoints=(),
        error="cut",
    )
    theirs = replace(HELLO, slot=Slot(key=1, job="jobs/x:x"), state=State.DEDUPLICATED)
    (suite,) = JUnitXml.fromstring(write_run_junit(RUN, [HELLO, REFUSED, *rows, lost, theirs]).encode())
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (5, 1, 2, 0)
    assert [(case.classname, case.name, [type(end).__name__ for end in case.result]) for case in suite] == [
        ("jobs/hello", "jobs/hello:hello", []),
        ("jobs/far", "jobs/far:far", ["Failure"]),
        ("jobs/rows", "jobs/rows:rows[4]", ["Error"]),
        ("jobs/x", "jobs/x:x", ["Error"]),
        ("jobs/rows", "jobs/rows:rows", []),
    ]
    refused = list(suite)[1].result[0]
    assert (refused.type, refused.message, refused.text) == (
        "rejected", "400 quota maxDelay exceeded", "jobs/hello.yaml:3",
    )  # fmt: skip
    assert ("run key", "2026-11-23") in [(fact.name, fact.value) for fact in suite.properties()]
    (messages,) = JUnitXml.fromstring(write_messages_junit([HELLO]).encode())
    assert messages.tests == 1


def test_junit_of_runs_fails_what_did_not_end_well() -> None:
    died = replace(RUN, ended_at=None, exit_code=None, totals=None)
    fine = replace(RUN, exit_code=0, totals={"published": 13})
    (suite,) = JUnitXml.fromstring(write_runs_junit([RUN, died, fine]).encode())
    assert [[(type(end).__name__, end.message) for end in case.result] for case in suite] == [
        [("Failure", "exit code 1: something was rejected")],
        [("Error", "not ended yet, or it was killed")],
        [],
    ]
    assert next(iter(suite)).time == 3
