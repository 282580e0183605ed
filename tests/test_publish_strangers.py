"""A duplicate of a message's own id that this ledger does not know: is it this very message, or somebody else's?"""

from pathlib import Path
from typing import Any

import pytest
from publishing import Service, Stage, accepts_then, http, jobs_to, names, resets, serve

from qstash_jobs.record import Verdict, Witness


class Elsewhere:
    """Another ledger publishes first, and is lost; then this one publishes the same under the same run key."""

    def __init__(self, folder: Path, *published: str, **job: Any) -> None:
        self.service = Service()
        self.folder = folder
        self.published = published
        self.job = job

    def run(self, *jobs: str, **options: Any) -> Any:
        with serve(self.service) as server:
            other, here = (self.folder / name for name in ("other", "here"))
            other.mkdir()
            here.mkdir()
            Stage(other, server.url).run(jobs_to(*self.published, **self.job))
            self.stage = Stage(here, server.url)
            self.service.log.now = lambda: self.stage.clock.now().timestamp()
            return self.stage.run(jobs_to(*(jobs or self.published), **self.job), **options)

    @property
    def verdicts(self) -> list[Verdict]:
        ledger = self.stage.open_ledger()
        (found,) = ledger.find_evidence([one.slot for one in ledger.messages()])
        ledger.close()
        return [one.verdict for one in found]


def test_a_duplicate_that_carries_the_messages_own_label_is_this_message(tmp_path: Path) -> None:
    story = Elsewhere(tmp_path, "m")
    went = story.run()
    assert went.states == story.stage.states == {"m": "published"}
    (told,) = went.told
    assert told.reason == "it had been published before: QStash's log knows it as this message"
    assert (told.foreign, told.evidence) == (False, Witness.LOG)
    assert told.endpoints[0].message_id == "msg_1"
    assert story.service.accepted.total() == 1
    assert story.verdicts == [Verdict.PUBLISHED]


def test_a_message_that_waits_is_recognised_before_the_log_lists_it(tmp_path: Path) -> None:
    story = Elsewhere(tmp_path, "m")
    story.service.log.lists = lambda message_id: False
    story.service.log.pending.add("msg_1")
    went = story.run()
    assert went.states == story.stage.states == {"m": "published"}
    assert story.service.log.questions[1:] == ["/v2/messages/msg_1"]


def test_the_log_is_given_a_minute(tmp_path: Path) -> None:
    story = Elsewhere(tmp_path, "m")
    began: list[float] = []

    def lists(message_id: str) -> bool:
        now = story.stage.clock.monotonic_s()
        began.append(now)
        return now - began[0] > 45

    story.service.log.lists = lists
    assert story.run().states == story.stage.states == {"m": "published"}


def test_what_the_log_does_not_list_for_a_minute_is_somebody_elses(tmp_path: Path) -> None:
    story = Elsewhere(tmp_path, "m")
    story.service.log.lists = lambda message_id: False
    went = story.run()
    assert went.states == story.stage.states == {"m": "deduplicated"}
    assert went.told[0].foreign
    assert 55 <= story.stage.clock.ahead_s <= 65
    assert story.verdicts == [Verdict.ABSENT]


def relabel(service: Service) -> None:
    for entry in service.log.entries:
        entry["labels"] = ["qj-m-ffffffffffffffff"]


def test_what_carries_another_label_is_somebody_elses_at_once(tmp_path: Path) -> None:
    story = Elsewhere(tmp_path, "m")
    story.service.on_call = lambda call: relabel(story.service)
    went = story.run()
    assert went.states == story.stage.states == {"m": "deduplicated"}
    assert (went.reasons["m"] or "").endswith("it is the message of another ledger")
    assert story.stage.clock.ahead_s == 0


def test_somebody_elses_stays_so_in_the_next_run_and_nobody_is_asked_again(tmp_path: Path) -> None:
    story = Elsewhere(tmp_path, "m")
    story.service.on_call = lambda call: relabel(story.service)
    first = story.run()
    asked = len(story.service.log.questions)
    with serve(story.service) as server:
        story.stage.url = server.url
        went = story.stage.run(jobs_to("m"))
        left_out = story.stage.run(jobs_to("m"), skip=frozenset({first.told[0].envelope.message.name}))
    assert went.states == {"m": "skipped"}
    assert went.reasons == {"m": "another ledger's message as msg_1 has its deduplication id"}
    assert went.told[0].foreign
    assert len(story.service.log.questions) == asked
    assert left_out.reasons == {"m": "left out for good with --skip"}
    assert not left_out.told[0].foreign


@pytest.mark.parametrize("answer", [http(503, b"no"), http(401, {"error": "no"})])
def test_where_the_log_cannot_be_read_the_next_run_asks(tmp_path: Path, answer: bytes) -> None:
    story = Elsewhere(tmp_path, "m")
    story.service.log.faults.extend([answer] * 5)
    went = story.run()
    assert went.states == story.stage.states == {"m": "deduplicated"}
    assert went.told[0].foreign
    story.service.log.faults.clear()
    with serve(story.service) as server:
        story.stage.url = server.url
        assert story.stage.run(jobs_to("m")).states == story.stage.states == {"m": "published"}


def test_without_labels_nobody_is_asked(tmp_path: Path) -> None:
    story = Elsewhere(tmp_path, "m", run_labels=False)
    went = story.run()
    assert went.states == story.stage.states == {"m": "deduplicated"}
    assert went.told[0].foreign
    assert story.service.log.questions == []


@pytest.mark.parametrize("dedup", [{"key": "k"}, {"id": "k"}], ids=["key", "id"])
def test_an_id_that_messages_share_is_nobodys_in_particular(tmp_path: Path, dedup: object) -> None:
    story = Elsewhere(tmp_path, "m", dedup=dedup)
    went = story.run()
    assert went.states == story.stage.states == {"m": "deduplicated"}
    assert not went.told[0].foreign
    assert story.service.log.questions == []


def test_an_attempt_of_this_run_that_had_arrived_is_asked_about_nowhere(tmp_path: Path) -> None:
    service = Service(accepts_then(resets))
    with serve(service) as server:
        assert Stage(tmp_path, server.url).run(jobs_to("m")).states == {"m": "published"}
    assert service.log.questions == []


def test_a_run_that_is_stopped_leaves_the_question_to_the_next_one(tmp_path: Path) -> None:
    story = Elsewhere(tmp_path, "m")
    story.service.log.lists = lambda message_id: False
    went = story.run(stopping=lambda: bool(story.service.log.questions))
    assert went.states == story.stage.states == {"m": "deduplicated"}
    assert story.stage.clock.ahead_s == 0
    story.service.log.lists = lambda message_id: True
    with serve(story.service) as server:
        story.stage.url = server.url
        assert story.stage.run(jobs_to("m")).states == {"m": "published"}


def test_more_of_them_than_are_kept_in_memory_are_all_asked_about(tmp_path: Path) -> None:
    everything = names(620)
    story = Elsewhere(tmp_path, *everything[:600])
    went = story.run(*everything, concurrency=4, batch_size=50)
    assert went.ending is None
    assert story.stage.states == dict.fromkeys(everything, "published")
    assert sorted(story.service.order) == everything
    assert sum(one.evidence is Witness.LOG for one in went.told) == 600
