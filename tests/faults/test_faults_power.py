"""The power fails: whatever was sent before stands in the ledger after, whatever the disk has kept of the rest."""

from pathlib import Path

from faults.power_loss import build_recorder, lose_power
from requirement import COMPILER, do_without


def test_what_was_sent_before_a_power_loss_is_in_the_ledger_after_it(tmp_path: Path) -> None:
    recorder = build_recorder(tmp_path)
    if recorder is None:
        do_without(COMPILER, "there is no C compiler, which the recorder of writes is built with")
    losses = lose_power(tmp_path, recorder, messages=8, parts=1)
    assert losses.images > 150
    assert losses.unrecorded == []
    assert losses.unreadable == []
