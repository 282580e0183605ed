"""Test cases -> one JUnit XML document, as CI systems read it.

It keeps to what the strictest reader, the schema of Jenkins' xunit plugin, allows: no `file` or `line` of a test case,
so places stand in the texts.
"""

from collections.abc import Iterable, Sequence
from typing import Literal
from xml.etree import ElementTree as Tree

from qstash_jobs.report.escape import escape_xml
from qstash_jobs.value import dataclass

Kind = Literal["failure", "error", "skipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Why a test case has not passed."""

    kind: Kind
    type: str
    message: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test case; it has passed where it has no verdict."""

    group: str
    name: str
    verdict: Verdict | None = None
    took_s: float | None = None
    output: tuple[str, ...] = ()
    """Lines that are worth reading all the same."""


def write_junit(cases: Sequence[Case], *, name: str, facts: Iterable[tuple[str, str]] = ()) -> str:
    """Write one document with one suite; `facts` become its properties."""
    about = {
        "name": escape_xml(name),
        "tests": str(len(cases)),
        "failures": _count(cases, "failure"),
        "errors": _count(cases, "error"),
        "time": f"{sum(case.took_s or 0 for case in cases):.3f}",
    }
    root = Tree.Element("testsuites", about)
    suite = Tree.SubElement(root, "testsuite", about | {"skipped": _count(cases, "skipped")})
    _add_facts(suite, facts)
    for case in cases:
        _add_case(suite, case)
    Tree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Tree.tostring(root, encoding="unicode")


def _count(cases: Iterable[Case], kind: Kind) -> str:
    return str(sum(case.verdict is not None and case.verdict.kind == kind for case in cases))


def _add_facts(suite: Tree.Element, facts: Iterable[tuple[str, str]]) -> None:
    known = list(facts)
    if known:
        properties = Tree.SubElement(suite, "properties")
        for label, value in known:
            Tree.SubElement(properties, "property", name=escape_xml(label), value=escape_xml(value))


def _add_case(suite: Tree.Element, case: Case) -> None:
    element = Tree.SubElement(suite, "testcase", classname=escape_xml(case.group), name=escape_xml(case.name))
    if case.took_s is not None:
        element.set("time", f"{case.took_s:.3f}")
    verdict = case.verdict
    if verdict is not None:
        ending = Tree.SubElement(
            element, verdict.kind, type=escape_xml(verdict.type), message=escape_xml(verdict.message)
        )
        ending.text = _join(verdict.lines)
    if case.output:
        Tree.SubElement(element, "system-out").text = _join(case.output)


def _join(lines: Iterable[str]) -> str | None:
    return "\n".join(map(escape_xml, lines)) or None
