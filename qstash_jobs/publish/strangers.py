"""Messages whose own deduplication id QStash knew and this ledger did not -> whether they were these very messages.

Another ledger, or this one before it was lost, may have published them under the same run key: then they carry the
same label. It is looked for in QStash's log and among its messages that wait, for a minute, because the log lags.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from qstash_jobs.boundary import Clock, Ledger
from qstash_jobs.errors import StopError
from qstash_jobs.identity import message_label
from qstash_jobs.inquiry import Inquiry
from qstash_jobs.publish.aside import Aside
from qstash_jobs.publish.settlement import Settlement
from qstash_jobs.record import Evidence, Result, State, Verdict, Witness
from qstash_jobs.state import change

MOST = 500
"""How many are gathered before they are asked about: their bodies stay in memory."""

LONGEST_S = 60.0
"""How long all questions of a run wait for the log. The SDKs' own tests wait as long."""

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 10.0


class Strangers:
    """Gathers them, and asks while nothing is on the wire."""

    def __init__(
        self,
        *,
        inquiry: Inquiry,
        ledger: Ledger,
        clock: Clock,
        aside: Aside,
        stopping: Callable[[], bool],
        note: Callable[[str], None],
    ) -> None:
        self._inquiry = inquiry
        self._ledger = ledger
        self._clock = clock
        self._aside = aside
        self._stopping = stopping
        self._note = note
        self._gathered: list[tuple[int, Settlement]] = []
        """Each with its place in the run."""
        self._ends_s: float | None = None

    def __bool__(self) -> bool:
        return bool(self._gathered)

    @property
    def is_full(self) -> bool:
        return len(self._gathered) >= MOST

    def take(self, place: int, settlement: Settlement) -> None:
        """Take a message that QStash calls a duplicate; its settlement holds if nothing else is found out."""
        self._gathered.append((place, settlement))

    def is_known(self, settlement: Settlement) -> bool:
        """Say whether it was asked about before, or cannot be."""
        (known,) = self._ledger.find_evidence([settlement.envelope.slot])
        return bool(known) or not can_be_asked(settlement)

    def leave(self) -> list[Settlement]:
        """Give them back unasked, because the run ends."""
        gathered, self._gathered = self._gathered, []
        return [settlement for _, settlement in gathered]

    def resolve(self) -> Iterator[Settlement]:
        """Ask about all of them, write down what is found, and say what became of each."""
        asked, self._gathered = self._gathered, []
        try:
            labels = self._find_labels([one.endpoints[0].message_id for _, one in asked])
        except StopError:  # without the log they are what QStash's answer says
            yield from self._not_taken_over(asked)
            return
        gathered = list(self._not_taken_over(asked))
        ours = {id(one) for one in gathered if _label(one) in labels.get(one.endpoints[0].message_id, ())}
        if not self._stopping():
            self._write(gathered, ours)
            gathered = [_recognise(one) if id(one) in ours else one for one in gathered]
        yield from gathered

    def _find_labels(self, message_ids: Iterable[str]) -> dict[str, frozenset[str]]:
        """Find the labels of QStash's messages: in its log, then one by one, then in its log until time is up."""
        left = list(dict.fromkeys(message_ids))
        found = self._inquiry.find_labels(left)
        for message_id in left:
            if message_id not in found and (labels := self._inquiry.ask_pending(message_id)) is not None:
                found[message_id] = labels
        pause_s = FIRST_PAUSE_S
        if self._ends_s is None:
            self._ends_s = self._clock.monotonic_s() + LONGEST_S
            if any(one not in found for one in left):
                self._note(
                    "QStash knew some messages that this ledger does not; asking its log for a minute whose they are"
                )
        while left := [one for one in left if one not in found]:
            left_s = self._ends_s - self._clock.monotonic_s()
            if left_s <= 0 or self._stopping():
                break
            self._clock.sleep(min(pause_s, left_s))
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            found |= self._inquiry.find_labels(left)
        return found

    def _not_taken_over(self, asked: Iterable[tuple[int, Settlement]]) -> Iterator[Settlement]:
        """Let those stand aside that another runner has claimed since: what becomes of them is for that one to say."""
        for place, one in asked:
            (known,) = self._ledger.find([one.envelope.slot])
            if known is None or (known.attempt, known.state) == (one.attempts, State.DEDUPLICATED):
                yield one
            else:
                self._aside.put(place, one.envelope)

    def _write(self, gathered: Iterable[Settlement], ours: set[int]) -> None:
        now = self._clock.now()
        results = [
            Result(
                slot=one.envelope.slot,
                attempt=one.attempts,
                state=change(State.DEDUPLICATED, State.PUBLISHED),
                settled_at=now,
                endpoints=one.endpoints,
                status=one.status,
            )
            for one in gathered
            if id(one) in ours
        ]
        evidence = [
            Evidence(
                slot=one.envelope.slot,
                at=now,
                witness=Witness.LOG,
                verdict=Verdict.PUBLISHED if id(one) in ours else Verdict.ABSENT,
            )
            for one in gathered
        ]
        self._ledger.write(results=results, evidence=evidence)


def can_be_asked(settlement: Settlement) -> bool:
    """Say whether a duplicate of a message's own id would show by its labels whose it is."""
    return settlement.foreign and settlement.envelope.message.run_labels and bool(settlement.endpoints)


def _label(settlement: Settlement) -> str:
    return message_label(settlement.envelope.id)


def _recognise(settlement: Settlement) -> Settlement:
    return replace(
        settlement,
        state=State.PUBLISHED,
        reason="it had been published before: QStash's log knows it as this message",
        foreign=False,
        evidence=Witness.LOG,
    )
