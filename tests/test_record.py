from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qstash_jobs.identity import message_name
from qstash_jobs.outcome import (
    Deduplicated,
    Endpoint,
    Limit,
    Misconfigured,
    NotSent,
    Outcome,
    Partial,
    Published,
    Rejected,
    Throttled,
    Unknown,
)
from qstash_jobs.record import SETTLED, Record, Slot, State, settle

ENDPOINT = Endpoint(message_id="msg_1")
REFUSED = Endpoint(message_id="", url="https://example.com/a", error="no such host")

TABLE: list[tuple[Outcome, State, State]] = [
    # outcome, what it leaves of a fresh message, what it leaves of one that may have been accepted before
    (Published(status=201, endpoints=(ENDPOINT,)), State.PUBLISHED, State.PUBLISHED),
    (Deduplicated(status=202, endpoints=(ENDPOINT,)), State.DEDUPLICATED, State.PUBLISHED),
    (Partial(status=201, endpoints=(ENDPOINT, REFUSED)), State.PARTIAL, State.PARTIAL),
    (Rejected(status=400, error="bad"), State.REJECTED, State.IN_DOUBT),
    (Throttled(status=429, limit=Limit.BURST), State.PLANNED, State.IN_DOUBT),
    (Throttled(status=429, limit=Limit.DAILY), State.PLANNED, State.IN_DOUBT),
    (NotSent(reason="refused"), State.PLANNED, State.IN_DOUBT),
    (Unknown(reason="cut"), State.IN_DOUBT, State.IN_DOUBT),
    (Misconfigured(error="bad token", exit_code=4, status=401), State.PLANNED, State.IN_DOUBT),
]


@pytest.mark.parametrize(("outcome", "fresh", "doubtful"), TABLE, ids=lambda value: type(value).__name__)
def test_an_outcome_leaves_the_state_of_the_table(outcome: Outcome, fresh: State, doubtful: State) -> None:
    assert settle(outcome, doubtful=False) is fresh
    assert settle(outcome, doubtful=True) is doubtful


@pytest.mark.parametrize(
    "outcome", [outcome for outcome, _, _ in TABLE], ids=lambda outcome: type(outcome).__name__
)
def test_only_an_acceptance_clears_doubt(outcome: Outcome) -> None:
    accepted = isinstance(outcome, Published | Deduplicated | Partial)
    assert (settle(outcome, doubtful=True) is not State.IN_DOUBT) == accepted


def test_every_outcome_is_in_the_table() -> None:
    assert {type(outcome) for outcome, _, _ in TABLE} == set(Outcome.__args__)


def test_what_may_have_been_accepted_or_was_refused_is_not_settled() -> None:
    assert SETTLED.isdisjoint({State.PLANNED, State.SENDING, State.IN_DOUBT, State.REJECTED})


@pytest.mark.parametrize(
    ("slot", "name"),
    [
        (Slot(key=1, job="jobs/a:hello"), "jobs/a:hello"),
        (Slot(key=1, job="jobs/a:hello", row=7), "jobs/a:hello[7]"),
        (Slot(key=1, job="jobs/a:hello", row=7, row_key="A-1"), "jobs/a:hello[A-1]"),
        (Slot(key=1, job="jobs/a:hello", row=7, row_key="a]b\\c"), "jobs/a:hello[a\\]b\\\\c]"),
    ],
)
def test_a_message_is_named_by_its_job_and_its_row(slot: Slot, name: str) -> None:
    assert record(slot).name == name


@given(st.text(), st.text())
def test_different_row_keys_have_different_names(one: str, other: str) -> None:
    assert (message_name("job", one) == message_name("job", other)) == (one == other)


def test_message_ids_leave_out_the_endpoints_that_were_refused() -> None:
    assert record(Slot(key=1, job="a"), endpoints=(ENDPOINT, REFUSED)).message_ids == ("msg_1",)


def record(slot: Slot, *, endpoints: tuple[Endpoint, ...] = ()) -> Record:
    return Record(
        slot=slot,
        id="qj-" + "0" * 40,
        dedup_id=None,
        fingerprint=b"0" * 16,
        state=State.PUBLISHED,
        attempt=1,
        run="7f3a",
        file="jobs/a.yaml",
        line=1,
        target="https://example.com/",
        settled_at=datetime(2026, 1, 2, tzinfo=UTC),
        endpoints=endpoints,
    )
