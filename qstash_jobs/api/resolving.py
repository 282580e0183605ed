"""A message in doubt and a person's word -> the message settled, with who said so and when."""

from collections.abc import Sequence
from datetime import datetime

from qstash_jobs.api.finding import find_key
from qstash_jobs.api.keys import lock_scope
from qstash_jobs.boundary import Ledger, Scope
from qstash_jobs.errors import LockedError, UsageError
from qstash_jobs.record import Evidence, Record, Result, State, Verdict, Witness
from qstash_jobs.state import DOUBTFUL, change

_STATES = {Verdict.PUBLISHED: State.PUBLISHED, Verdict.NOT_PUBLISHED: State.PLANNED}


def resolve(ledger: Ledger, record: Record, verdict: Verdict, *, who: str, at: datetime) -> None:
    """Settle a doubt by a person's word: published, or planned again, so that the next run sends it with its id.

    Raises LockedError while a run of its jobs is under way: that may be about to settle it by itself.
    """
    state = _STATES[verdict]
    with ledger.lock([_scope(ledger, record)]):
        (known,) = ledger.find([record.slot])
        if known is None or known.state not in DOUBTFUL or known.slot.generation != record.slot.generation:
            raise UsageError(f"{record.name} is not in doubt any more; see qstash-jobs show {record.id[:11]}")
        if known.is_held:
            raise LockedError(
                f"a runner that was cut off may be sending {record.name} still; try again in a minute"
            )
        change(known.state, state)
        ledger.write(
            results=[Result(slot=known.slot, attempt=known.attempt, state=state, settled_at=at)],
            released=_released(ledger, known) if state is State.PLANNED else (),
            evidence=[Evidence(slot=known.slot, at=at, witness=Witness.PERSON, verdict=verdict, who=who)],
        )


def _released(ledger: Ledger, record: Record) -> Sequence[str]:
    """Give back the deduplication id of a message that was not published, where the ledger holds it for this one."""
    if record.dedup_id is None:
        return ()
    window = ledger.find_windows([record.dedup_id]).get(record.dedup_id)
    return (record.dedup_id,) if window is not None and window.slot.identity == record.slot.identity else ()


def _scope(ledger: Ledger, record: Record) -> Scope:
    """Name the lock that a run of the message's job file holds."""
    key = find_key(ledger, record.slot.key).key
    # a job's name is its file's, a colon, and its id, which holds none
    return lock_scope(key.project, key.environment, record.slot.job.rpartition(":")[0])
