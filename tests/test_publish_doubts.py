"""How doubt ends: by the same id in time, else by QStash's log, and never by a guess."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from publishing import Service, Stage, Went, accepts_then, answers, http, jobs_to, names, resets, serve

from qstash_jobs.record import Evidence, State, Verdict, Witness

Change = Callable[[Stage], object]


def evidence_of(stage: Stage, name: str = "m") -> tuple[Evidence, ...]:
    with closing(stage.open_ledger()) as ledger:
        (found,) = ledger.find_evidence([stage.records()[name].slot])
    return found


class Story:
    """A message whose attempts all came to nothing that is known, and what happens then."""

    def __init__(self, folder: Path, *, arrived: bool, **job: Any) -> None:
        fault = accepts_then(resets) if arrived else resets
        self.service = Service(*[fault] * 5)
        self.folder = folder
        self.job = job
        self.sent_before = 0

    def tell(
        self, *changes: Change, again: dict[str, Any] | None = None, **options: Any
    ) -> tuple[Stage, Went]:
        with serve(self.service) as server:
            stage = Stage(self.folder, server.url)
            self.service.log.now = lambda: stage.clock.now().timestamp()
            assert stage.run(jobs_to("m", **self.job)).states == {"m": "in_doubt"}
            self.service.faults.clear()
            self.sent_before = len(self.service.calls)
            for change in changes:
                change(stage)
            went = stage.run(jobs_to("m", **(self.job if again is None else again)), **options)
        return stage, went

    @property
    def sent(self) -> int:
        """How often it was sent after the first run."""
        return len(self.service.calls) - self.sent_before


def later(seconds: float) -> Change:
    return lambda stage: stage.clock.advance(seconds)


def restarted(stage: Stage) -> None:
    stage.clock.restart()


# in time


@pytest.mark.parametrize("seconds", [0, 250, 500])
@pytest.mark.parametrize("arrived", [True, False])
def test_in_time_the_same_id_settles_it_and_the_log_is_not_asked(
    tmp_path: Path, arrived: bool, seconds: float
) -> None:
    story = Story(tmp_path, arrived=arrived)
    stage, went = story.tell(later(seconds))
    assert went.states == stage.states == {"m": "published"}
    assert story.service.accepted.total() == 1
    assert story.sent == 1
    assert story.service.log.questions == []
    assert evidence_of(stage) == ()


# too late for the same id


def test_too_late_the_log_says_that_it_arrived(tmp_path: Path) -> None:
    story = Story(tmp_path, arrived=True)
    stage, went = story.tell(later(540))
    assert went.states == stage.states == {"m": "published"}
    assert went.ending is None
    assert (story.sent, story.service.accepted.total()) == (0, 1)
    (told,) = went.told
    assert told.reason == "an earlier attempt had arrived: QStash's log lists it"
    assert (told.evidence, told.foreign) == (Witness.LOG, False)
    record = stage.records()["m"]
    assert record.message_ids == ("msg_1",)
    assert [(one.witness, one.verdict) for one in evidence_of(stage)] == [(Witness.LOG, Verdict.PUBLISHED)]
    (question,) = story.service.log.questions
    assert question.startswith("/v2/events?")
    assert f"label=qj-m-{record.id[3:19]}" in question


def test_what_the_log_does_not_list_twice_two_minutes_apart_stays_in_doubt(tmp_path: Path) -> None:
    story = Story(tmp_path, arrived=False)
    moments: list[float] = []
    with_clock: list[Stage] = []

    def watch(stage: Stage) -> None:
        with_clock.append(stage)
        now = story.service.log.now
        story.service.log.now = lambda: moments.append(now()) or now()  # type: ignore[func-returns-value]

    stage, went = story.tell(later(540), watch)
    assert went.states == stage.states == {"m": "in_doubt"}
    assert went.ending is None
    assert story.sent == 0
    assert went.reasons["m"] == (
        "it may have been accepted, QStash has forgotten its id since, and QStash's log does not list it"
    )
    assert went.told[0].asked_in_vain
    assert len(moments) == 2
    assert moments[1] - moments[0] >= 120
    assert [one.verdict for one in evidence_of(stage)] == [Verdict.ABSENT, Verdict.ABSENT]


def test_what_the_log_lists_at_the_second_look_is_published(tmp_path: Path) -> None:
    story = Story(tmp_path, arrived=True)
    story.service.log.lists = lambda message_id: len(story.service.log.questions) > 1
    stage, went = story.tell(later(540))
    assert went.states == stage.states == {"m": "published"}
    assert story.sent == 0
    assert [one.verdict for one in evidence_of(stage)] == [Verdict.ABSENT, Verdict.PUBLISHED]


def test_a_later_run_asks_once_and_waits_for_nobody(tmp_path: Path) -> None:
    story = Story(tmp_path, arrived=False)
    stage, _ = story.tell(later(540))
    asked = len(story.service.log.questions)
    with serve(story.service) as server:
        stage.url = server.url
        stage.clock.advance(300)
        before_s = stage.clock.ahead_s
        for _ in range(3):
            assert stage.run(jobs_to("m")).states == {"m": "in_doubt"}
        assert stage.clock.ahead_s == before_s
    assert len(story.service.log.questions) == asked + 3
    assert len(evidence_of(stage)) == 2


def test_other_messages_are_published_while_a_doubt_waits_for_its_second_look(tmp_path: Path) -> None:
    service = Service(*[resets] * 5)
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        stage.run(jobs_to("m"))
        stage.clock.advance(540)
        told: list[tuple[str, float]] = []
        stage.run(
            jobs_to("m", *names(5)),
            tell=lambda one: told.append((one.envelope.target.rpartition("/")[2], stage.clock.monotonic_s())),
        )
    assert [name for name, _ in told] == [*names(5), "m"]
    assert told[-1][1] - told[0][1] >= 115


def test_a_run_that_is_stopped_does_not_wait_for_the_second_look(tmp_path: Path) -> None:
    story = Story(tmp_path, arrived=False)
    stage, went = story.tell(later(540), stopping=lambda: bool(story.service.log.questions))
    assert went.exit_code == 130
    assert went.states == stage.states == {"m": "in_doubt"}
    assert (went.reasons["m"] or "").endswith("QStash's log does not list it yet")
    assert len(story.service.log.questions) == 1


def test_a_run_that_is_stopped_while_it_reads_its_files_asks_nothing(tmp_path: Path) -> None:
    story = Story(tmp_path, arrived=True)
    asked: list[int] = []
    _, went = story.tell(later(540), stopping=lambda: len(asked) > 0 or bool(asked.append(1)))
    assert story.service.log.questions == []
    assert went.states == {"m": "in_doubt"}


UNREADABLE = {
    "it is broken": http(503, b"no"),
    "the token may not": http(401, {"error": "no"}),
    "it is not there": http(404, {"error": "no such path"}),
    "it is something else": http(200, b"hello"),
}


@pytest.mark.parametrize("answer", UNREADABLE.values(), ids=UNREADABLE.keys())
@pytest.mark.parametrize("resends", [False, True])
def test_where_the_log_cannot_be_read_nothing_is_sent_and_nothing_concluded(
    tmp_path: Path, answer: bytes, resends: bool
) -> None:
    story = Story(tmp_path, arrived=True)
    story.service.log.faults.extend([answer] * 9)
    stage, went = story.tell(later(540), resends_doubts=resends)
    assert went.states == stage.states == {"m": "in_doubt"}
    assert went.ending is None
    assert story.sent == 0
    assert evidence_of(stage) == ()


def test_a_log_that_cannot_be_read_is_not_asked_about_every_message(tmp_path: Path) -> None:
    service = Service(*[resets] * 15)
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        jobs = jobs_to("a", "b", "c")
        stage.run(jobs, batch_size=3)
        stage.clock.advance(540)
        service.log.faults.extend([http(503, b"no")] * 99)
        went = stage.run(jobs)
    assert set(went.states.values()) == {"in_doubt"}
    assert len(service.log.questions) == 5


def test_entries_with_other_labels_prove_nothing(tmp_path: Path) -> None:
    """A log that does not heed the label answers with everybody's messages."""
    story = Story(tmp_path, arrived=False)
    entry = {"messageId": "msg_9", "url": "https://example.com/m", "labels": ["qj-m-0000000000000000"]}
    story.service.log.faults.extend([http(200, {"events": [entry | {"state": "CREATED", "time": 1}]})] * 2)
    stage, went = story.tell(later(540))
    assert went.states == stage.states == {"m": "in_doubt"}


def test_every_page_of_the_log_is_read(tmp_path: Path) -> None:
    story = Story(tmp_path, arrived=True)
    story.service.log.page = 1
    stage, went = story.tell(later(540))
    assert went.states == {"m": "published"}
    assert len(story.service.log.questions) == 2
    assert stage.records()["m"].message_ids == ("msg_1",)


# what was killed


def test_what_was_on_the_wire_when_a_run_was_killed_is_asked_about_and_is_in_doubt_from_then_on(
    tmp_path: Path,
) -> None:
    story = Story(tmp_path, arrived=False)

    def kill(stage: Stage) -> None:
        with closing(stage.open_ledger()) as ledger:
            record = replace(stage.records()["m"], state=State.SENDING, settled_at=None)
            ledger._ledger.write(intents=[record])  # type: ignore[attr-defined]

    stage, went = story.tell(later(540), kill)
    assert went.states == stage.states == {"m": "in_doubt"}
    assert len(story.service.log.questions) == 2


# content that has changed


@pytest.mark.parametrize("seconds", [0, 540])
def test_changed_content_is_not_sent_before_the_log_has_said_whether_the_old_one_arrived(
    tmp_path: Path, seconds: float
) -> None:
    story = Story(tmp_path, arrived=True)
    stage, went = story.tell(later(seconds), again={"retries": 1})
    assert story.sent == 0
    assert went.states == stage.states == {"m": "published"}


def test_changed_content_that_the_log_does_not_list_stays_in_doubt(tmp_path: Path) -> None:
    story = Story(tmp_path, arrived=False)
    stage, went = story.tell(again={"retries": 1})
    assert story.sent == 0
    assert went.states == stage.states == {"m": "in_doubt"}
    assert "its content was changed since it was attempted" in (went.reasons["m"] or "")


def test_without_an_id_the_log_settles_it_too(tmp_path: Path) -> None:
    story = Story(tmp_path, arrived=True, dedup="none")
    story.service.faults.clear()
    story.service.faults.append(accepts_then(resets))
    stage, went = story.tell()
    assert went.states == stage.states == {"m": "published"}
    assert (story.sent, story.service.accepted.total()) == (0, 1)


def test_without_labels_the_log_is_not_asked_and_the_doubt_stays(tmp_path: Path) -> None:
    story = Story(tmp_path, arrived=True, run_labels=False)
    stage, went = story.tell(later(540))
    assert story.service.log.questions == []
    assert went.states == stage.states == {"m": "in_doubt"}
    assert (went.reasons["m"] or "").endswith("`run_labels: false` keeps QStash's log from telling")


# another start of the machine


@pytest.mark.parametrize("labels", [True, False])
def test_after_another_start_it_is_sent_again_once_the_log_and_both_clocks_agree(
    tmp_path: Path, labels: bool
) -> None:
    story = Story(tmp_path, arrived=False, run_labels=labels)
    stage, went = story.tell(restarted, later(60))
    assert went.states == stage.states == {"m": "published"}
    assert (story.sent, len(story.service.log.questions)) == (1, 1)


def test_after_another_start_what_the_log_lists_is_not_sent_again(tmp_path: Path) -> None:
    story = Story(tmp_path, arrived=True)
    stage, went = story.tell(restarted)
    assert went.states == stage.states == {"m": "published"}
    assert story.sent == 0


WRONG_CLOCKS: dict[str, Change] = {
    "set back": later(-60),
    "nine minutes on": later(540),
    "a day on": later(86_400),
}


@pytest.mark.parametrize("change", WRONG_CLOCKS.values(), ids=WRONG_CLOCKS.keys())
def test_after_another_start_a_clock_that_may_be_wrong_lets_nothing_be_sent(
    tmp_path: Path, change: Change
) -> None:
    story = Story(tmp_path, arrived=False)
    stage, went = story.tell(restarted, change)
    assert story.sent == 0
    assert went.states == stage.states == {"m": "in_doubt"}


@pytest.mark.parametrize("ahead_s", [-40, 40])
def test_after_another_start_a_clock_that_differs_from_qstashs_lets_nothing_be_sent(
    tmp_path: Path, ahead_s: float
) -> None:
    story = Story(tmp_path, arrived=False)

    def differ(stage: Stage) -> None:
        story.service.log.now = lambda: (stage.clock.now() + timedelta(seconds=ahead_s)).timestamp()

    _, went = story.tell(restarted, differ)
    assert story.sent == 0
    assert went.states == {"m": "in_doubt"}


def test_after_another_start_an_answer_without_a_date_lets_nothing_be_sent(tmp_path: Path) -> None:
    story = Story(tmp_path, arrived=False)
    story.service.log.says_when = False
    _, went = story.tell(restarted)
    assert story.sent == 0
    assert went.states == {"m": "in_doubt"}


def test_after_another_start_a_ledger_written_in_the_future_lets_nothing_be_sent(tmp_path: Path) -> None:
    story = Story(tmp_path, arrived=False)

    def write_ahead(stage: Stage) -> None:
        with closing(stage.open_ledger()) as ledger:
            slot = stage.records()["m"].slot
            at = stage.clock.now() + timedelta(minutes=5)
            ledger.write(evidence=[Evidence(slot=slot, at=at, witness=Witness.LOG, verdict=Verdict.ABSENT)])

    _, went = story.tell(restarted, write_ahead)
    assert story.sent == 0
    assert went.states == {"m": "in_doubt"}


# sent again on purpose


def test_where_it_is_wanted_what_the_log_does_not_list_is_sent_again_with_its_id(tmp_path: Path) -> None:
    story = Story(tmp_path, arrived=False)
    stage, went = story.tell(later(540), resends_doubts=True)
    assert went.states == stage.states == {"m": "published"}
    assert (story.sent, story.service.accepted.total()) == (1, 1)
    assert len(story.service.log.questions) == 2
    assert len({one.dedup_id for call in story.service.calls for one in call.messages}) == 1


def test_even_where_it_is_wanted_what_the_log_lists_is_not_sent_again(tmp_path: Path) -> None:
    story = Story(tmp_path, arrived=True)
    stage, went = story.tell(later(540), resends_doubts=True)
    assert went.states == stage.states == {"m": "published"}
    assert story.sent == 0


def test_without_labels_it_is_sent_again_where_that_is_wanted(tmp_path: Path) -> None:
    story = Story(tmp_path, arrived=False, run_labels=False)
    stage, went = story.tell(later(540), resends_doubts=True)
    assert went.states == stage.states == {"m": "published"}
    assert story.sent == 1


def test_changed_content_is_sent_where_that_is_wanted(tmp_path: Path) -> None:
    story = Story(tmp_path, arrived=False)
    stage, went = story.tell(again={"body": "new"}, resends_doubts=True)
    assert went.states == stage.states == {"m": "published"}
    assert story.service.calls[-1].messages[0].body == b"new"


def test_doubt_is_sticky_when_it_is_sent_again_on_purpose(tmp_path: Path) -> None:
    story = Story(tmp_path, arrived=False)
    stage, went = story.tell(
        later(540), lambda stage: story.service.faults.append(answers(400)), resends_doubts=True
    )
    assert went.states == stage.states == {"m": "in_doubt"}
    assert story.sent == 1


def test_an_attempt_on_purpose_that_is_cut_off_is_tried_again_within_its_own_window(tmp_path: Path) -> None:
    story = Story(tmp_path, arrived=False)
    stage, went = story.tell(
        later(540), lambda stage: story.service.faults.append(accepts_then(resets)), resends_doubts=True
    )
    assert went.states == stage.states == {"m": "published"}
    assert (story.sent, story.service.accepted.total()) == (2, 1)


def test_an_absence_that_was_seen_before_the_last_attempt_does_not_count(tmp_path: Path) -> None:
    story = Story(tmp_path, arrived=False)
    fault = [accepts_then(resets)] * 5
    stage, went = story.tell(
        later(540), lambda stage: story.service.faults.extend(fault), resends_doubts=True
    )
    assert went.states == {"m": "in_doubt"}
    with serve(story.service) as server:
        stage.url = server.url
        stage.clock.advance(900)
        story.service.log.lists = lambda message_id: False
        before_s = stage.clock.ahead_s
        assert stage.run(jobs_to("m")).states == {"m": "in_doubt"}
        assert stage.clock.ahead_s - before_s >= 115
    assert story.service.accepted.total() == 1


# queues


def test_a_queue_goes_on_behind_a_doubt_that_the_log_settles_at_once(tmp_path: Path) -> None:
    service = Service(*[accepts_then(resets)] * 5)
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        jobs = jobs_to("a", "b", queue="q")
        stage.run(jobs)
        stage.clock.advance(540)
        went = stage.run(jobs)
    assert went.states == stage.states == {"a": "published", "b": "published"}
    assert service.order == ["a", "b"]


def test_a_queue_waits_behind_a_doubt_that_the_log_does_not_settle_at_once(tmp_path: Path) -> None:
    service = Service(*[accepts_then(resets)] * 5)
    service.log.lists = lambda message_id: len(service.log.questions) > 1
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        jobs = jobs_to("a", "b", queue="q")
        stage.run(jobs)
        stage.clock.advance(540)
        went = stage.run(jobs)
        assert went.states == {"a": "published", "b": "planned"}
        assert stage.run(jobs).states == {"a": "skipped", "b": "published"}
    assert service.order == ["a", "b"]


# several at once


def test_many_doubts_are_asked_about_while_nothing_is_on_the_wire(tmp_path: Path) -> None:
    service = Service(*[accepts_then(resets)] * 5)
    everything = names(60)
    with serve(service) as server:
        stage = Stage(tmp_path, server.url)
        stage.run(jobs_to(*everything[:30]), batch_size=30)
        assert set(stage.states.values()) == {"in_doubt"}
        stage.clock.advance(540)
        service.latency_s = 0.05
        in_flight: list[int] = []
        entries = service.log.lists
        service.log.lists = lambda message_id: in_flight.append(service.in_flight) or entries(message_id)  # type: ignore[func-returns-value]
        went = stage.run(jobs_to(*everything), concurrency=4, batch_size=5)
    assert went.ending is None
    assert stage.states == dict.fromkeys(everything, "published")
    assert sorted(service.order) == everything
    assert set(in_flight) == {0}
