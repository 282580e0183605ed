"""The reference pages against what they describe: tables, links, and the names that a reader looks for."""

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from qstash_jobs.render import FILTERS, ROOTS
from qstash_jobs.state import TRANSITIONS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())

# cog's markers: the code stands between the first two, what it wrote between the last two
BLOCK = re.compile(
    r"<!-- \[\[\[cog\n(?P<code>.*?)\]\]\] -->\n(?P<text>.*?)<!-- \[\[\[end\]\]\] -->", re.DOTALL
)
CALL = re.compile(
    r"import cog, reference\ncog\.out\(reference\.(?P<function>\w+)\((?P<word>\"[\w ]+\")?\)\)\n"
)
LINK = re.compile(r"\]\((?P<path>[^)#\s]*)(?:#(?P<anchor>[^)\s]+))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def load_reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REFERENCE = load_reference()


def collect_blocks() -> Iterator[tuple[str, str, str]]:
    for page in PAGES:
        for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
            if "reference" in block["code"]:
                yield page.relative_to(ROOT).as_posix(), block["code"], block["text"]


def read_anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings: lower case, no punctuation, dashes for blanks."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in HEADING.findall(text)}


@pytest.mark.parametrize(("page", "code", "text"), list(collect_blocks()))
def test_a_table_says_what_schema_and_code_say(page: str, code: str, text: str) -> None:
    call = CALL.fullmatch(code)
    assert call is not None, f"{page} has a block that is not one call of reference.py"
    arguments = [call["word"].strip('"')] if call["word"] else []
    written = getattr(REFERENCE, call["function"])(*arguments)
    assert text == written, f"cog -I docs -r {page}"


def test_there_are_tables() -> None:
    assert len(list(collect_blocks())) > 10


def test_every_filter_has_an_example() -> None:
    assert {name for name, *_ in REFERENCE.FILTERS} == FILTERS


def test_every_root_of_look_ups_is_on_the_page() -> None:
    text = (DOCS / "job-file.md").read_text(encoding="utf-8")
    assert [root for root in ROOTS if f"`{root}." not in text] == []


@every_page
def test_a_link_leads_to_a_page_and_a_heading_that_exist(page: Path) -> None:
    broken = []
    for link in LINK.finditer(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if "://" in link["path"] or link["path"].startswith("mailto:"):
            continue
        target = page if not link["path"] else page.parent / link["path"]
        if not target.exists() or (link["anchor"] and link["anchor"] not in read_anchors(target)):
            broken.append(link[0])
    assert broken == []


def test_a_section_that_a_comment_refers_to_is_on_the_page_about_qstash() -> None:
    text = (DOCS / "qstash-api.md").read_text(encoding="utf-8")
    known = set(re.findall(r"^#+ ([0-9.]*[0-9])\.? ", text, re.MULTILINE))
    known |= set(re.findall(r"^\| (D[0-9]+) \|", text, re.MULTILINE))
    referred = {
        (path.name, section)
        for path in (ROOT / "qstash_jobs").rglob("*.py")
        for section in re.findall(
            r"wire contract,? (?:sections? )?(D?[0-9]+(?:\.[0-9]+)?)", path.read_text(encoding="utf-8")
        )
    }
    assert sorted((file, section) for file, section in referred if section not in known) == []


def test_the_picture_of_states_has_every_change_that_is_allowed() -> None:
    picture = (DOCS / "reliability.md").read_text(encoding="utf-8").split("```mermaid\n")[1].split("```")[0]
    edges = re.findall(r"^    (\S+) --> (\S+)$", picture, re.MULTILINE)
    assert edges == [(str(one.before or "[*]"), str(one.after)) for one in TRANSITIONS]


def test_every_file_that_tests_a_promise_exists() -> None:
    named = re.findall(r"`(tests/[^`]+)`", (DOCS / "reliability.md").read_text(encoding="utf-8"))
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).is_file()] == []
