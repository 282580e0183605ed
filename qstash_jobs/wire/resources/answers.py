"""The answer to a request that changes the account -> done, absent, or why not."""

from datetime import datetime

from qstash_jobs.wire.http import Answer, Reply
from qstash_jobs.wire.refusal import Failure, read_loss, read_refusal


def read_done(answer: Answer, *, now: datetime) -> Failure | None:
    """Read whether a change is made; None where it is. What the body says of it is never relied on."""
    if not isinstance(answer, Reply):
        return read_loss(answer)
    # 200, 201 and 202 have all been seen
    return None if 200 <= answer.status < 300 else read_refusal(answer, now=now)
