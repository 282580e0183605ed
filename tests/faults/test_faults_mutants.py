"""The mutants can still be made, and one of them is hunted; the long form hunts all of them."""

from pathlib import Path

import pytest
from faults.mutants import MUTANTS, Mutant, apply, copy_package, hunt


def test_every_mutant_can_still_be_made(tmp_path: Path) -> None:
    assert len(MUTANTS) >= 12
    for number, mutant in enumerate(MUTANTS):
        folder = tmp_path / str(number)
        copy_package(folder)
        apply(mutant, folder)
        for edit in mutant.edits:
            path = folder / "qstash_jobs" / edit.file
            compile(path.read_text(), str(path), "exec")


@pytest.mark.parametrize("mutant", [MUTANTS[0]], ids=lambda mutant: mutant.name)
def test_a_mutant_is_caught(mutant: Mutant) -> None:
    assert hunt([mutant]) == [mutant.name]
