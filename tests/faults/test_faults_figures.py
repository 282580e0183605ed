"""The figures that the long form measures, in the docs as it prints them, and that it says which one is missed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from doc_blocks import DOCS, read_blocks
from faults.figures import WANTED, Figure, Measured, find_missed, write_table
from faults.storm import PARTS as STORM_PARTS
from markdown_page import Page

STORM = Path(__file__).with_name("storm.py")

NOXFILE = DOCS.parent / "noxfile.py"

KEPT: Measured = {figure.key: figure.least if figure.most else 0 for figure in WANTED}

PARTS = {figure.part for figure in WANTED}


def read_rows() -> list[list[str]]:
    page = (DOCS / "reliability.md").read_text()
    return Page(page[page.index("| part | what | measured | wanted |") :]).cells


def read_number(text: str) -> float:
    found = re.match(r"[\d,.]+", text)
    assert found is not None
    return float(found[0].replace(",", ""))


def test_the_docs_show_every_figure_as_the_storm_prints_it_and_none_is_missed() -> None:
    header, *rows = read_rows()
    assert header == ["part", "what", "measured", "wanted"]
    measured = {(part, what): read_number(value) for part, what, value, _ in rows}
    assert list(find_missed(measured, PARTS)) == []
    assert Page("\n".join(write_table(measured))).cells == [header, *rows]


def test_the_command_in_the_docs_runs_the_storm_and_names_parts_of_it() -> None:
    (command,) = [block.text for block in read_blocks("reliability.md", "console")]
    assert command == "$ nox -s storm\n"
    assert '"python", "tests/faults/storm.py", *session.posargs' in NOXFILE.read_text()
    named = re.findall(r"`nox -s storm -- ([\w ]+)`", (DOCS / "reliability.md").read_text())
    assert named
    assert {part for words in named for part in words.split()} <= PARTS == set(STORM_PARTS)


def test_what_keeps_to_every_figure_misses_none() -> None:
    assert list(find_missed(KEPT, PARTS)) == []


@pytest.mark.parametrize("figure", WANTED, ids=lambda figure: " ".join(figure.key))
def test_each_figure_that_is_missed_or_not_measured_is_named(figure: Figure) -> None:
    wrong = figure.least - 0.5 if figure.least else figure.most + 0.5
    (said,) = find_missed({**KEPT, figure.key: wrong}, PARTS)
    assert said.startswith(f"{figure.part}: {figure.what} is ")
    assert said.endswith(f", and was to be {figure.wanted}")
    unmeasured = {key: value for key, value in KEPT.items() if key != figure.key}
    assert list(find_missed(unmeasured, PARTS)) == [f"{figure.part}: {figure.what} was not measured"]


def test_a_part_that_was_not_asked_for_is_not_missed() -> None:
    assert list(find_missed({}, {"mutants"})) == [
        "mutants: mutants was not measured",
        "mutants: not caught was not measured",
    ]


def test_the_figures_are_those_that_were_promised() -> None:
    wanted = {figure.key: (figure.least, figure.most) for figure in WANTED}
    inf = float("inf")
    assert wanted["storm", "publications"] == (10_000, inf)
    assert wanted["storm", "SIGKILLs"] == (500, inf)
    assert wanted["storm", "chaotic answers"] == (30, inf)
    assert wanted["storm", "seeds"] == (10, inf)
    assert wanted["storm", "in doubt at the end"] == (0, 1)
    assert wanted["mutants", "mutants"] == (12, inf)
    assert wanted["postgres", "messages"] == (10_000, inf)
    assert wanted["postgres", "runners at a time"] == (10, inf)
    assert wanted["deadline", "the longest"] == (29, 31)
    assert wanted["memory", "most memory"][1] < 150
    nothing = {key for key, bounds in wanted.items() if bounds == (0, 0)}
    for part in ("storm", "postgres"):
        assert {(part, "lost"), (part, "doubled"), (part, "lies")} <= nothing
    assert {("cuts", "lies"), ("power", "sent and unrecorded"), ("mutants", "not caught")} <= nothing


def test_the_storm_ends_with_1_and_says_what_it_missed(tmp_path: Path) -> None:
    """As on a machine whose PostgreSQL cannot be found."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from faults import storm\n"
        "storm.find_programs = lambda: None\n"
        "storm.main('postgres')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(STORM.parents[1])], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    missed = [line for line in done.stdout.splitlines() if line.startswith("missed: ")]
    assert len(missed) == sum(figure.part == "postgres" for figure in WANTED)
    assert "missed: postgres: runners at a time was not measured" in missed
