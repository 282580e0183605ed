"""Messages of the ledger -> what QStash did with them since."""

from collections.abc import Iterable, Iterator

from qstash_jobs.api.world import Service
from qstash_jobs.boundary import Clock
from qstash_jobs.follow import Progress, Target, follow
from qstash_jobs.record import Record
from qstash_jobs.report.deliveries import Followed, name_event
from qstash_jobs.wire.logs import EventState

_ENDINGS = {EventState.DELIVERED: True, EventState.FAILED: False, EventState.CANCELLED: False}


def targets_of(records: Iterable[Record]) -> Iterator[Target]:
    """Name what is to be followed of some messages: each of QStash's ids, an endpoint of a URL group each."""
    for record in records:
        for endpoint in record.endpoints:
            if endpoint.message_id:
                yield Target(
                    message_id=endpoint.message_id,
                    name=record.name,
                    id=record.id,
                    url=endpoint.url or record.target,
                )


def follow_messages(
    targets: Iterable[Target], service: Service, clock: Clock, *, wait_s: float
) -> Iterator[Progress]:
    """Ask QStash's log until each message is delivered or has failed, or the time is over."""
    line = service.open_line()
    try:
        yield from follow(targets, line=line, clock=clock, wait_s=wait_s)
    finally:
        line.close()


def describe(progress: Progress) -> Followed:
    """Turn what the log says into what is shown."""
    event, target = progress.latest, progress.target
    if event is None:
        return Followed(
            name=target.name,
            id=target.id,
            message_id=target.message_id,
            url=target.url,
            state=name_event(None),
        )
    return Followed(
        name=target.name,
        id=target.id,
        message_id=target.message_id,
        url=event.url or target.url,
        state=name_event(event.state),
        at=event.at,
        next_at=event.next_delivery_at,
        attempts=progress.attempts,
        response_status=event.response_status,
        response_body=event.response_body,
        error=event.error,
        delivered=_ENDINGS.get(EventState(event.state)) if event.is_terminal else None,
    )
