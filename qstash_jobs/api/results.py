"""A Settlement -> the ResultLine that people and programs are shown."""

from qstash_jobs.publish import Settlement
from qstash_jobs.report.records import ResultLine


def describe(run: str, settlement: Settlement) -> ResultLine:
    """Turn a settlement into what is said of it."""
    message = settlement.envelope.message
    return ResultLine(
        id=settlement.envelope.id,
        name=message.name,
        file=message.job.file,
        line=message.job.line,
        run=run,
        state=str(settlement.state),
        reason=settlement.reason,
        endpoints=settlement.endpoints,
        dedup_id=settlement.envelope.dedup_id,
        status=settlement.status,
        error=settlement.error,
        attempts=settlement.attempts,
        elapsed_ms=settlement.elapsed_ms,
        evidence=settlement.evidence.value if settlement.evidence else None,
        row=settlement.envelope.slot.row,
    )
