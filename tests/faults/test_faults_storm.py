"""A short storm, and that the trial would notice a promise that is not kept. The long form is `nox -s storm`."""

from dataclasses import replace
from pathlib import Path

import pytest
from chaos_server import Peer
from faults.chaos_qstash import ChaosQStash
from faults.fate import Fate
from faults.hindsight import Acceptance
from faults.lives import Launcher
from faults.storms import rage
from faults.trial import trial
from publishing import Call


def _forget_one(service: ChaosQStash, call: Call, peer: Peer) -> bool:
    whole = service.answer(call)
    service.acceptances[call.names[0]].pop()
    peer.write(whole)
    return True


forgets_one = Fate(name="one endpoint forgotten", act=_forget_one)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_killed_again_and_again_under_chaos_comes_through(
    tmp_path: Path, launcher: Launcher, seed: int
) -> None:
    figures = rage(tmp_path, launcher, seed=seed, messages=150, kills=8)
    assert not list(figures.findings)
    assert figures.publications == 150
    assert figures.chaotic > figures.requests / 5
    assert figures.kills == 8


@pytest.mark.parametrize(
    "witness", [{}, {"lag_s": 500, "waits_s": 60}], ids=["by the log", "by the message that waits"]
)
def test_somebody_elses_message_is_told_from_ours_and_from_what_another_machine_published(
    tmp_path: Path, launcher: Launcher, witness: dict[str, float]
) -> None:
    names = ["ours", "other", "stranger"]
    with trial(tmp_path, launcher, names, elsewhere=["other"], strangers=["stranger"], **witness) as one:
        life = one.live()
        assert life.code == 1
        assert {name: str(record.state) for name, record in one.records().items()} == {
            "ours": "published",
            "other": "published",
            "stranger": "deduplicated",
        }
        assert not list(one.findings)


def test_a_group_is_published_by_all_of_its_endpoints_or_told_as_partial(
    tmp_path: Path, launcher: Launcher
) -> None:
    names = ["all", "some", "mail"]
    with trial(tmp_path, launcher, names, groups=["all", "some"], refuses=["some"]) as one:
        assert one.live().code == 1
        found = {name: (str(record.state), len(record.message_ids)) for name, record in one.records().items()}
        assert found == {"all": ("published", 2), "some": ("partial", 1), "mail": ("published", 1)}
        assert not list(one.findings)


def test_a_trial_notices_what_overtakes_in_a_queue_and_endpoints_that_took_nothing(
    tmp_path: Path, launcher: Launcher
) -> None:
    with trial(tmp_path, launcher, ["g", "q1", "q2"], groups=["g"], queued=["q1", "q2"]) as one:
        service = one.service
        one.live("--batch-size", "1")
        first, second = (service.acceptances[name][0] for name in ("q1", "q2"))
        service.acceptances["q1"][0] = replace(first, message_id=second.message_id)
        service.acceptances["q2"][0] = replace(second, message_id=first.message_id)
        one.live()
        assert any("overtook" in finding for finding in one.findings)
    with trial(tmp_path / "again", launcher, ["g"], groups=["g"]) as one:
        one.service.plan = [forgets_one]
        one.live("--batch-size", "1")
        assert any("its endpoints" in finding for finding in one.findings)


def test_a_trial_notices_what_is_doubled_false_or_unrecorded(tmp_path: Path, launcher: Launcher) -> None:
    with trial(tmp_path, launcher, ["a", "b", "c"]) as one:
        one.live()
        twice = Acceptance(message_id="msg_9", name="a", at_s=0, labels=())
        one.service.acceptances["a"].append(twice)
        one.service.acceptances["b"].clear()
        one.service.acceptances["nobody"].append(twice)
        one.live()
        assert {finding.partition(":")[0] for finding in one.findings} == {"doubled", "lies", "unrecorded"}
