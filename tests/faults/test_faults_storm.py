"""A short storm, and that the trial would notice a promise that is not kept. The long form is `nox -s storm`."""

from pathlib import Path

import pytest
from faults.hindsight import Acceptance
from faults.lives import Launcher
from faults.storms import rage
from faults.trial import trial


@pytest.mark.parametrize("seed", range(3))
def test_what_is_killed_again_and_again_under_chaos_comes_through(
    tmp_path: Path, launcher: Launcher, seed: int
) -> None:
    figures = rage(tmp_path, launcher, seed=seed, messages=150, kills=8)
    assert not list(figures.findings)
    assert figures.publications == 150
    assert figures.chaotic > figures.requests / 5
    assert figures.kills == 8


def test_somebody_elses_message_is_told_from_ours_and_from_what_another_machine_published(
    tmp_path: Path, launcher: Launcher
) -> None:
    with trial(
        tmp_path, launcher, ["ours", "other", "stranger"], elsewhere=["other"], strangers=["stranger"]
    ) as one:
        life = one.live()
        assert life.code == 1
        assert {name: str(record.state) for name, record in one.records().items()} == {
            "ours": "published",
            "other": "published",
            "stranger": "deduplicated",
        }
        assert not list(one.findings)


def test_a_trial_notices_what_is_doubled_false_or_unrecorded(tmp_path: Path, launcher: Launcher) -> None:
    with trial(tmp_path, launcher, ["a", "b", "c"]) as one:
        one.live()
        twice = Acceptance(message_id="msg_9", name="a", at_s=0, labels=())
        one.service.acceptances["a"].append(twice)
        one.service.acceptances["b"].clear()
        one.service.acceptances["nobody"].append(twice)
        one.live()
        assert {finding.partition(":")[0] for finding in one.findings} == {"doubled", "lies", "unrecorded"}
