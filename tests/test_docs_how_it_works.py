"""The page about the code against the code: every module is on it, and everything that it names exists."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "qstash_jobs"
TEXT = (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8")

MODULES = sorted(
    path.stem
    for path in PACKAGE.iterdir()
    if not path.name.startswith("__") and (path.suffix == ".py" or (path / "__init__.py").is_file())
)
PATHS = sorted(set(re.findall(r"`((?:[a-z_.-]+/)+(?:[a-z_-]+\.[a-z.]+)?)`", TEXT)))
VALUES = re.findall(r"^\| (`[A-Z][^|]*) \| ([^|]*) \|", TEXT, re.MULTILINE)


@pytest.mark.parametrize("module", MODULES)
def test_every_module_is_on_the_page(module: str) -> None:
    assert f"`{module}`" in TEXT
    assert f"[{module}]" in TEXT or module in SIDE_ROADS


SIDE_ROADS = {
    *(
        "api",
        "boundary",
        "clock",
        "cron",
        "entries",
        "errors",
        "fixture",
        "follow",
        "git",
        "grammar",
        "inquiry",
        "outcome",
        "problem",
    ),
    *("reconcile", "resources", "settings", "state", "value"),
}
"""Modules that have no place of their own in the picture: values, tools and what puts the steps together."""


def test_every_module_in_the_picture_exists() -> None:
    picture = TEXT.split("```")[1]
    assert set(re.findall(r"\[([a-z_]+)\]", picture)) <= set(MODULES)


@pytest.mark.parametrize("path", PATHS)
def test_a_path_on_the_page_exists(path: str) -> None:
    assert (ROOT / path).exists() or (PACKAGE / path).exists()


@pytest.mark.parametrize(("names", "modules"), VALUES)
def test_a_value_comes_from_the_module_that_the_page_names(names: str, modules: str) -> None:
    homes = [
        importlib.import_module(f"qstash_jobs.{name.replace('/', '.')}")
        for name in re.findall(r"`([a-z_/]+)`", modules)
    ]
    for name in re.findall(r"`([A-Za-z]+)`", names):
        assert any(hasattr(home, name) for home in homes), f"{name} is not in {modules}"


def test_every_decision_has_a_number_of_its_own_in_its_name_and_its_title() -> None:
    files = sorted((ROOT / "docs" / "decisions").iterdir())
    assert [int(file.name.split("-")[0]) for file in files] == list(range(1, len(files) + 1))
    for number, file in enumerate(files, 1):
        assert file.read_text(encoding="utf-8").startswith(f"# {number}. ")


def test_a_decision_is_linked_by_its_own_number() -> None:
    links = [
        link
        for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
        for link in re.findall(r"\[decision (\d+)\]\(([^)]*)\)", page.read_text(encoding="utf-8"))
    ]
    assert links
    for number, path in links:
        name = path.rpartition("/")[2]
        assert int(name.split("-")[0]) == int(number)
        assert (ROOT / "docs" / "decisions" / name).is_file()


def test_there_are_values_and_paths() -> None:
    assert len(VALUES) > 10
    assert len(PATHS) > 10
