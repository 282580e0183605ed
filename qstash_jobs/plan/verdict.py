"""What became of one change."""

from typing import Literal

from qstash_jobs.plan.changes import Change
from qstash_jobs.value import dataclass

State = Literal["applied", "partial", "failed", "uncertain", "pending", "unstuck"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A change, and how far it got.

    `applied`; `partial`: some of its requests were taken, then one was refused; `failed`: the first one was;
    `uncertain`: a request may have been carried out; `pending`: nothing of it was sent; `unstuck`: it was taken, and
    is not to be seen in the account.
    """

    change: Change
    state: State
    reason: str | None = None
    exit_code: int = 0
    """What the whole comes to by this alone."""
