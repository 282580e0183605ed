"""What a server did, what the ledger knows and what a run has said -> where the promise was not kept."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from faults.chaos_qstash import ENDPOINTS, ChaosQStash
from faults.hindsight import Acceptance
from faults.lives import Life

from qstash_jobs.record import Record, State

MAY_HAVE_ARRIVED = frozenset(
    {State.SENDING, State.IN_DOUBT, State.PUBLISHED, State.DEDUPLICATED, State.PARTIAL}
)
"""Where the ledger has to have what the server took."""


@dataclass(kw_only=True)
class Findings:
    """Where the promise was not kept: nothing, all being well."""

    lost: list[str] = field(default_factory=list)
    """Neither settled nor visibly unfinished."""
    doubled: list[str] = field(default_factory=list)
    """Accepted more than once."""
    lies: list[str] = field(default_factory=list)
    """Said or written, and not so."""
    unrecorded: list[str] = field(default_factory=list)
    """Taken by the server, and not so much as claimed in the ledger."""
    faults: list[str] = field(default_factory=list)
    """A traceback, or an ending as a fault of the program."""

    def __iter__(self) -> Iterator[str]:
        for kind in ("lost", "doubled", "lies", "unrecorded", "faults"):
            yield from (f"{kind}: {one}" for one in getattr(self, kind))

    def __bool__(self) -> bool:
        return any(True for _ in self)

    def add(self, others: "Findings") -> None:
        for kind in ("lost", "doubled", "lies", "unrecorded", "faults"):
            getattr(self, kind).extend(getattr(others, kind))


@dataclass(frozen=True, kw_only=True)
class Case:
    """One life and what was there when it had ended."""

    life: Life
    records: Mapping[str, Record]
    """The ledger's, by the last parts of the destinations."""
    names: Sequence[str]
    """All that was to be published."""
    service: ChaosQStash


def judge(case: Case) -> Findings:
    """Hold the server's own record against the ledger and against what was said."""
    found = Findings()
    life = case.life
    for name, acceptances in list(case.service.acceptances.items()):
        found.doubled += _find_doubles(name, acceptances)
        record = case.records.get(name)
        ours = [one for one in acceptances if not one.elsewhere]
        if ours and (record is None or record.state not in MAY_HAVE_ARRIVED):
            found.unrecorded.append(f"{name} is {record.state if record else 'unknown'}")
    for name, record in case.records.items():
        found.lies += _check(case, name, str(record.state), record.message_ids, "the ledger")
    for line in life.printed:
        name = line["name"].rpartition("[")[2].rstrip("]")
        found.lies += _check(case, name, line["state"], line["message_ids"], "the run")
        if line["evidence"] is None:
            found.lies += _check_endpoints(case, name, line["state"])
    found.lies += _find_overtaking(case)
    if not life.was_killed:
        _check_ending(case, found)
    return found


def _find_doubles(name: str, acceptances: Sequence[Acceptance]) -> Iterator[str]:
    if max(Counter(one.endpoint for one in acceptances).values(), default=0) > 1:
        yield f"{name}: {[(one.message_id, one.endpoint, one.at_s) for one in acceptances]}"


def _check(case: Case, name: str, state: str, ids: Sequence[str], who: str) -> Iterator[str]:
    """Hold what was said of one message against what the server did."""
    real = {one.message_id for one in case.service.acceptances.get(name, ())}
    claimed, is_published = set(ids), state in ("published", "partial")
    others = {f"stranger_{name}"} if state in ("deduplicated", "skipped") else set()
    if (is_published and not ids) or not claimed <= real | others:
        yield f"{who} says {name} is {state} as {list(ids)}, and it is {sorted(real)}"
    elif state == "rejected" and real:
        yield f"{who} says {name} is rejected, and it is {sorted(real)}"


def _check_endpoints(case: Case, name: str, state: str) -> Iterator[str]:
    """Of a URL group, published means by all of its endpoints, and partial by some; the log tells only of these."""
    took = {one.endpoint for one in case.service.acceptances.get(name, ())} - {""}
    if took and (state, len(took) == len(ENDPOINTS)) in (("published", False), ("partial", True)):
        yield f"the run says {name} is {state}, and its endpoints {sorted(took)} have taken it"


def _find_overtaking(case: Case) -> Iterator[str]:
    """Find messages of a queue that were accepted before one that stands earlier; a batch goes as a whole."""
    places = {name: place for place, name in enumerate(case.names)}
    last: dict[str, Acceptance] = {}
    for one in sorted(case.service.accepted, key=lambda one: int(one.message_id.partition("_")[2])):
        if one.queue is None or one.elsewhere:
            continue
        before = last.get(one.queue)
        if before is None or places[before.name] < places[one.name]:
            last[one.queue] = one
        elif one.name not in before.together:
            yield f"{before.name} overtook {one.name} in the queue {one.queue}"


def _check_ending(case: Case, found: Findings) -> None:
    """Nothing may be missing behind an exit code that says that all is well."""
    life = case.life
    states = {
        name: str(case.records[name].state) if name in case.records else "planned" for name in case.names
    }
    done = {"published", "deduplicated", "partial", "abandoned"}
    unfinished = {name: state for name, state in states.items() if state not in done}
    if life.code == 0 and unfinished:
        found.lost += [f"exit 0, and {name} is {state}" for name, state in unfinished.items()]
    in_doubt = {name for name, state in unfinished.items() if state in ("in_doubt", "sending")}
    if in_doubt and life.code not in (3, 4, 6, 130, 143):
        # before its first message nothing has been settled or hidden by a run
        if life.code in (2, 7) and not life.printed and "redirect" not in life.said:
            return
        found.lies.append(f"exit {life.code}, and {sorted(in_doubt)[:5]} are in doubt: {life.said[-300:]}")
