"""Problems -> one SARIF 2.1.0 log, as code scanning and editors read it.

Columns are counted in UTF-16 code units, as those who show them do. Fingerprints hold no line number, so that an
alert stays the same alert when lines are put above it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from urllib.parse import quote

from qstash_jobs.problem import Location, Problem, Severity
from qstash_jobs.report.escape import escape, write_json
from qstash_jobs.rules import Explained, all_rules

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"

ROOT = "%SRCROOT%"

_WORD = re.compile(r""" "(?:[^"\\]|\\.)*" | '(?:[^']|'')*' | \$\{\{.*?\}\} | [\w./-]+ | \S+ """, re.VERBOSE)
"""What a problem's column most likely points at: a quoted text, an expression, a key or a plain value."""


def write_problems_sarif(problems: Sequence[Problem], *, version: str) -> str:
    """Write one document; `version` is this program's."""
    ids = sorted({problem.rule for problem in problems})
    known = all_rules()
    driver = {
        "name": "qstash-jobs",
        "semanticVersion": version,
        "rules": [_collect_rule(id_, known.get(id_), _level(id_, problems)) for id_ in ids],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "utf16CodeUnits",
        "originalUriBaseIds": {
            ROOT: {"description": {"text": "The folder that the command ran in."}},
        },
        "results": list(_collect_results(problems, {id_: index for index, id_ in enumerate(ids)})),
    }
    return write_json({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _level(id_: str, problems: Iterable[Problem]) -> str:
    levels = {problem.severity for problem in problems if problem.rule == id_}
    return Severity.ERROR.value if Severity.ERROR in levels else Severity.WARNING.value


def _collect_rule(id_: str, rule: Explained | None, level: str) -> dict[str, object]:
    rule = rule or Explained(title=id_, text=id_)
    example = f"\n\n{rule.example}" if rule.example else ""
    block = f"\n\n```yaml\n{rule.example}\n```" if rule.example else ""
    return {
        "id": id_,
        "shortDescription": {"text": _end_sentence(rule.title)},
        "fullDescription": {"text": _end_sentence(rule.text)},
        "help": {"text": rule.text + example, "markdown": rule.text + block},
        "defaultConfiguration": {"level": level},
    }


def _end_sentence(text: str) -> str:
    # SARIF 2.1.0, 3.49.9: a short description is one whole sentence
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


def _collect_results(problems: Sequence[Problem], indices: dict[str, int]) -> Iterator[dict[str, object]]:
    seen: Counter[str] = Counter()
    for problem in problems:
        digest = _fingerprint(problem)
        seen[digest] += 1
        yield {
            "ruleId": problem.rule,
            "ruleIndex": indices[problem.rule],
            "level": problem.severity.value,
            "message": {"text": _write_message(problem)},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": _locate(problem.location.file),
                        "region": _measure_region(problem.location),
                    }
                }
            ],
            # docs.github.com, "SARIF support for code scanning": the only fingerprint that is looked at
            "partialFingerprints": {"primaryLocationLineHash": f"{digest}:{seen[digest]}"},
        }


def _write_message(problem: Problem) -> str:
    text = escape(problem.message)
    if problem.hint is not None:
        text += f"; {escape(problem.hint)}"
    # SARIF 2.1.0, 3.11.6: [text](1) would be a link
    return _end_sentence(re.sub(r"([\[\]])", r"\\\1", text) if "](" in text else text)


def _locate(file: str) -> dict[str, str]:
    """Name a file by a URI: relative to where the command ran, unless it lies on its own."""
    path = quote(file.encode("utf-8", "surrogatepass"), safe="/~")
    if file.startswith("/"):
        return {"uri": f"file://{path}"}
    return {"uri": path, "uriBaseId": ROOT}


def _measure_region(location: Location) -> dict[str, int]:
    """Measure the word at a place; the very beginning where the problem is the file itself."""
    if not location.line:
        return {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1}
    at = max(location.column, 1) - 1
    word = _WORD.match(location.source, at)
    end = len(word[0].rstrip(",:") or word[0]) + at if word is not None else at
    return {
        "startLine": location.line,
        "startColumn": _count_units(location.source, at) + 1,
        "endLine": location.line,
        "endColumn": _count_units(location.source, end) + 1,
    }


def _count_units(source: str, characters: int) -> int:
    """Count the UTF-16 code units of a line's beginning; what the line is too short for counts as one each."""
    start = source[:characters]
    beyond = characters - len(start)
    return len(start.encode("utf-16-le", "surrogatepass")) // 2 + beyond


def _fingerprint(problem: Problem) -> str:
    """Hash what stays the same when lines are moved: the rule, the way to the value, and the line's own text."""
    parts = (problem.rule, *map(str, problem.path), " ".join(problem.location.source.split()))
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
