"""What the local server delivered -> a line for each delivery."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice

import orjson

from qstash_jobs.api.following import describe, follow_messages, targets_of
from qstash_jobs.api.wish import Tools
from qstash_jobs.cli.terminal import Terminal
from qstash_jobs.follow import Progress
from qstash_jobs.local.serve import LocalServer
from qstash_jobs.local.sink import Delivery
from qstash_jobs.report.deliveries import Arrival, summarise_deliveries, write_arrival, write_followed
from qstash_jobs.report.wording import count

PATIENCE_S = 600
"""How long the last delivery is waited for."""

LOG_PATIENCE_S = 5
"""How long the log is asked about messages that have been delivered already."""

SHOWN = 200
"""Deliveries that are shown one by one."""

FOLLOWED = 5_000
"""Messages that are followed one by one; of more, only the number of deliveries is told."""


def show_arrivals(server: LocalServer, tools: Tools, run: str, terminal: Terminal, *, format_: str) -> int:
    """Wait for the deliveries of a run and show them; return 1 where one failed, 9 where time ran out."""
    idle = server.wait_idle(PATIENCE_S)
    targets = list(islice(targets_of(tools.ledger.messages(run=run)), FOLLOWED + 1))
    if len(targets) > FOLLOWED:
        terminal.note(
            f"{count(server.delivery_count, 'delivery')} so far; over {FOLLOWED:,} messages are not shown"
        )
        return 0 if idle else 9
    followed = {
        progress.target.message_id: progress
        for progress in follow_messages(targets, tools.service, tools.clock, wait_s=LOG_PATIENCE_S)
    }
    show = terminal.note if format_ != "text" or terminal.quiet else terminal.result
    for line in _write_deliveries(server, followed, terminal):
        show(line)
    return _sum_up(followed.values(), tools, terminal)


def _write_deliveries(
    server: LocalServer, followed: Mapping[str, Progress], terminal: Terminal
) -> Iterator[str]:
    deliveries = server.deliveries()
    for delivery in deliveries[:SHOWN]:
        name, created_at = _identify(delivery, followed)
        yield write_arrival(
            Arrival(
                name=name,
                message_id=delivery.message_id,
                method=delivery.method,
                url=delivery.url,
                status=delivery.status or None,
                after_s=max(0.0, (delivery.at - (created_at or delivery.at)).total_seconds()),
                body=terminal.mask.hide_bytes(delivery.body),
                attempt=delivery.attempt,
            ),
            width=terminal.width,
            colour=terminal.colour,
        )
    if len(deliveries) > SHOWN:
        yield f"and {server.delivery_count - SHOWN:,} more"


def _identify(delivery: Delivery, followed: Mapping[str, Progress]) -> tuple[str, datetime | None]:
    """Name the message that a delivery carries, or the one that a callback tells of."""
    source = delivery.message_id
    if delivery.kind != "message":
        # upstash docs, features/callbacks: the body of a callback names its message
        source = orjson.loads(delivery.body).get("sourceMessageId", "")
    progress = followed.get(source)
    name = progress.target.name if progress is not None else source
    if delivery.kind != "message":
        return f"{name} ({delivery.kind.replace('_', ' ')})", None
    return name, progress.created_at if progress is not None else None


def _sum_up(followed: Iterable[Progress], tools: Tools, terminal: Terminal) -> int:
    states: Counter[str] = Counter()
    for progress in followed:
        shown = describe(progress)
        states[shown.state] += 1
        if not shown.delivered:
            terminal.warn(write_followed(shown, now=tools.clock.now(), colour=terminal.error_colour))
    terminal.note(summarise_deliveries(states))
    if states["failed"] or states["cancelled"]:
        return 1
    return 0 if set(states) <= {"delivered"} else 9
