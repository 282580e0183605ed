"""CI systems read what was checked and what was published as test cases; junitparser is the reader here."""

from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st
from junitparser import JUnitXml, TestSuite

from qstash_jobs.problem import Location, Problem, Severity
from qstash_jobs.report.cases import write_problems_junit
from qstash_jobs.report.escape import escape
from qstash_jobs.report.junit import Case, Verdict, write_junit

TYPO = Problem(
    location=Location(file="jobs/a.yaml", line=3, column=1, source="retrys: 3"),
    rule="schema-unknown-key",
    message="unknown field `retrys`",
    hint="did you mean `retries`?",
)
GET = Problem(
    location=Location(file="jobs/b.yaml", line=4, column=7, source="body: hi"),
    rule="body-get",
    message="many destinations ignore or refuse the body of a GET",
    severity=Severity.WARNING,
)
ALLOWED = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {"name", "time", "tests", "failures", "errors", "skipped"},
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"name", "classname", "time"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "skipped": {"type", "message"},
    "system-out": set(),
}
"""What of the elements and attributes that Jenkins' xunit plugin allows (junit-10.xsd) is written."""

TEXT = st.text(st.characters())
VERDICT = st.builds(
    Verdict,
    kind=st.sampled_from(["failure", "error", "skipped"]),
    type=TEXT,
    message=TEXT,
    lines=st.lists(TEXT, max_size=2).map(tuple),
)
CASE = st.builds(
    Case,
    group=TEXT,
    name=TEXT,
    verdict=st.none() | VERDICT,
    took_s=st.none() | st.floats(0, 1e6),
    output=st.lists(TEXT, max_size=2).map(tuple),
)


def read(text: str) -> TestSuite:
    (suite,) = JUnitXml.fromstring(text.encode())
    return suite


def test_validate_is_a_test_case_for_each_file_and_a_failure_tells_all_its_errors() -> None:
    again = Problem(location=TYPO.location, rule="z", message="another")
    suite = read(
        write_problems_junit([TYPO, again, GET], files=["jobs/a.yaml", "jobs/b.yaml", "jobs/c.yaml"])
    )
    assert (suite.tests, suite.failures, suite.errors) == (3, 1, 0)
    broken, warned, fine = suite
    assert [case.name for case in suite] == ["jobs/a.yaml", "jobs/b.yaml", "jobs/c.yaml"]
    (failure,) = broken.result
    assert failure.message == "2 errors"
    assert failure.text.startswith(
        "jobs/a.yaml:3:1: error: unknown field `retrys` [schema-unknown-key]\n    retrys: 3\n    ^\n"
        "  hint: did you mean `retries`?\njobs/a.yaml:3:1: error: another [z]\n"
    )
    assert warned.is_passed
    assert "jobs/b.yaml:4:7: warning: many destinations" in warned.system_out
    assert fine.is_passed
    assert fine.system_out is None


def test_a_problem_outside_of_the_job_files_has_a_test_case_too() -> None:
    suite = read(write_problems_junit([TYPO], files=[]))
    assert [(case.name, case.is_failure) for case in suite] == [("jobs/a.yaml", True)]


@settings(deadline=None)
@given(cases=st.lists(CASE, max_size=3), facts=st.lists(st.tuples(TEXT, TEXT), max_size=2))
def test_every_text_can_be_read_back(cases: list[Case], facts: list[tuple[str, str]]) -> None:
    written = write_junit(cases, name="all", facts=facts)
    for element in ElementTree.fromstring(written).iter():
        assert set(element.attrib) <= ALLOWED[element.tag]
    suite = read(written)
    assert [case.name for case in suite] == [_show(case.name) for case in cases]
    assert [one.value for one in suite.properties()] == [_show(value) for _, value in facts]
    for case, found in zip(cases, suite, strict=True):
        if case.verdict is not None:
            (ending,) = found.result
            assert (ending.type, ending.message) == (_show(case.verdict.type), _show(case.verdict.message))


def _show(text: str) -> str:
    return escape(text).replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
