"""Code scanning finds each problem at its place, explained, and knows it again when its line has moved.

The whole document below was held against the official JSON schema, and `sarif-multitool validate --rule-kind
"Sarif;Ghas"` of npm has nothing to say of it but that no address of the tool is named.
"""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qstash_jobs.problem import Location, Problem, Severity
from qstash_jobs.report.escape import UNSAFE
from qstash_jobs.report.sarif import write_problems_sarif
from qstash_jobs.rules import all_rules

TYPO = Problem(
    location=Location(file="jobs/hello.yaml", line=3, column=1, source="retrys: 3"),
    rule="schema-unknown-key",
    message="unknown field `retrys`",
    hint="did you mean `retries`?",
    path=("retrys",),
)
GET = Problem(
    location=Location(file="jobs/hello.yaml", line=4, column=7, source="body: hi"),
    rule="body-get",
    message="many destinations ignore or refuse the body of a GET",
    path=("body",),
    severity=Severity.WARNING,
)
TEXT = st.text(st.characters())


def write(*problems: Problem) -> Any:
    document = json.loads(write_problems_sarif(problems, version="1.2.3"))
    (run,) = document["runs"]
    return run


def region(source: str, column: int, line: int = 3) -> tuple[int, int]:
    problem = replace(TYPO, location=replace(TYPO.location, source=source, column=column, line=line))
    (result,) = write(problem)["results"]
    found = result["locations"][0]["physicalLocation"]["region"]
    assert found["startLine"] == found["endLine"] == max(line, 1)
    return found["startColumn"], found["endColumn"]


def fingerprints(*problems: Problem) -> list[str]:
    return [
        result["partialFingerprints"]["primaryLocationLineHash"] for result in write(*problems)["results"]
    ]


def test_a_document_has_the_rules_with_their_texts_and_the_results_at_their_places() -> None:
    why = all_rules()["body-get"]
    unknown = all_rules()["schema-unknown-key"]
    assert json.loads(write_problems_sarif([TYPO, GET], version="1.2.3")) == {
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "qstash-jobs",
                        "semanticVersion": "1.2.3",
                        "rules": [
                            {
                                "id": "body-get",
                                "shortDescription": {"text": "A GET has no body."},
                                "fullDescription": {"text": why.text},
                                "help": {
                                    "text": f"{why.text}\n\n{why.example}",
                                    "markdown": f"{why.text}\n\n```yaml\n{why.example}\n```",
                                },
                                "defaultConfiguration": {"level": "warning"},
                            },
                            {
                                "id": "schema-unknown-key",
                                "shortDescription": {"text": "A field that does not exist."},
                                "fullDescription": {"text": unknown.text},
                                "help": {
                                    "text": f"{unknown.text}\n\n{unknown.example}",
                                    "markdown": f"{unknown.text}\n\n```yaml\n{unknown.example}\n```",
                                },
                                "defaultConfiguration": {"level": "error"},
                            },
                        ],
                    }
                },
                "columnKind": "utf16CodeUnits",
                "originalUriBaseIds": {
                    "%SRCROOT%": {"description": {"text": "The folder that the command ran in."}}
                },
                "results": [
                    {
                        "ruleId": "schema-unknown-key",
                        "ruleIndex": 1,
                        "level": "error",
                        "message": {"text": "Unknown field `retrys`; did you mean `retries`?"},
                        "locations": [
                            {
                                "physicalLocation": {
                                    "artifactLocation": {"uri": "jobs/hello.yaml", "uriBaseId": "%SRCROOT%"},
                                    "region": {
                                        "startLine": 3,
                                        "startColumn": 1,
                                        "endLine": 3,
                                        "endColumn": 7,
                                    },
                                }
                            }
                        ],
                        "partialFingerprints": {"primaryLocationLineHash": fingerprints(TYPO)[0]},
                    },
                    {
                        "ruleId": "body-get",
                        "ruleIndex": 0,
                        "level": "warning",
                        "message": {"text": "Many destinations ignore or refuse the body of a GET."},
                        "locations": [
                            {
                                "physicalLocation": {
                                    "artifactLocation": {"uri": "jobs/hello.yaml", "uriBaseId": "%SRCROOT%"},
                                    "region": {
                                        "startLine": 4,
                                        "startColumn": 7,
                                        "endLine": 4,
                                        "endColumn": 9,
                                    },
                                }
                            }
                        ],
                        "partialFingerprints": {"primaryLocationLineHash": fingerprints(GET)[0]},
                    },
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    ("source", "column", "found"),
    [
        ("retrys: 3", 1, (1, 7)),
        ("method: GTE  # why", 9, (9, 12)),
        ('url: "ftp://a b"', 6, (6, 17)),
        ("url: 'it''s'", 6, (6, 13)),
        ("{bodi: 1, x: 2}", 2, (2, 6)),
        ("delay: ${{ vars.a b }}", 8, (8, 23)),
        ("😀: {x: 1}", 5, (6, 7)),
        ("a: 😀😀", 4, (4, 8)),
        ("key:", 5, (5, 5)),
        ("key:", 9, (9, 9)),
    ],
)
def test_a_region_is_the_word_at_the_column_in_utf_16(
    source: str, column: int, found: tuple[int, int]
) -> None:
    assert region(source, column) == found


def test_a_problem_of_a_whole_file_is_at_its_very_beginning() -> None:
    assert region("", 0, line=0) == (1, 1)


def test_an_alert_is_the_same_when_its_line_moves_and_another_when_the_line_changes() -> None:
    moved = replace(TYPO, location=replace(TYPO.location, line=30, column=5, source="    retrys:   3"))
    other = replace(TYPO, location=replace(TYPO.location, source="retrys: 4"))
    assert fingerprints(TYPO) == fingerprints(moved)
    assert len(set(fingerprints(TYPO, moved, other))) == 3
    assert len(set(fingerprints(TYPO, replace(TYPO, path=("jobs", "b", "retrys"))))) == 2


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("jobs/a b#?%.yaml", "jobs/a%20b%23%3F%25.yaml"),
        ("c:d.yaml", "c%3Ad.yaml"),
        ("jobs/größe.yaml", "jobs/gr%C3%B6%C3%9Fe.yaml"),
        ("/srv/jobs/a.yaml", "file:///srv/jobs/a.yaml"),
    ],
)
def test_a_file_is_named_by_a_uri(file: str, uri: str) -> None:
    (result,) = write(replace(TYPO, location=replace(TYPO.location, file=file)))["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_a_message_makes_no_link() -> None:
    (result,) = write(replace(TYPO, message="[click](https://evil.example)", hint=None))["results"]
    assert result["message"]["text"] == r"\[click\](https://evil.example)."


def test_no_problems_are_a_document_too() -> None:
    assert write()["results"] == []


@settings(deadline=None)
@given(file=TEXT.filter(bool), message=TEXT, source=TEXT, column=st.integers(0, 50), line=st.integers(0, 9))
def test_no_text_reaches_a_viewer_raw(file: str, message: str, source: str, column: int, line: int) -> None:
    location = Location(file=file, line=line, column=column, source=source)
    (result,) = write(replace(TYPO, location=location, message=message))["results"]
    assert not UNSAFE.search(result["message"]["text"])
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"].isascii()
    assert unquote(place["artifactLocation"]["uri"], errors="surrogatepass").endswith(file)
    assert 1 <= place["region"]["startColumn"] <= place["region"]["endColumn"]
