"""What messages ask of a plan: each goes to every endpoint of its group, and again for each retry."""

from collections.abc import Iterator, Mapping
from dataclasses import field

from qstash_jobs.message import Message
from qstash_jobs.problem import Location, Problem, Severity
from qstash_jobs.rules.registry import describe
from qstash_jobs.value import dataclass

# upstash docs, features/retry (July 2026); earlier pages say five for paid plans, or the plan's most
USUAL_RETRIES = 3

describe(
    "quota-messages",
    "the plan limits the messages of a day",
    "1,000 on the free plan, a million or ten on the fixed ones (upstash.com/pricing/qstash). A message counts once "
    "for each endpoint that it goes to. Whether a retry counts is answered both ways by Upstash's own pages, so both "
    "figures are told, and the larger one is held against the limit. What other runs publish that day, and what is "
    "sent to callbacks, comes on top.",
    example="quota: {messages_per_day: 10000}    # what your plan allows",
)


@dataclass(slots=True, kw_only=True)
class Demand:
    """What some messages ask of a plan, counted one by one."""

    endpoints: Mapping[str, int] = field(default_factory=dict)
    """How many each URL group has that the files declare, by its name in the account."""
    messages: int = 0
    deliveries: int = 0
    attempts: int = 0
    """Deliveries with every retry that they may have."""
    unknown_groups: set[str] = field(default_factory=set)
    """Groups that no file declares; they count as one endpoint."""

    def note(self, message: Message, times: int = 1) -> None:
        """Count one message, or so many that differ in their bodies only."""
        fan_out = 1
        if message.url_group is not None:
            if message.url_group not in self.endpoints:
                self.unknown_groups.add(message.url_group)
            fan_out = self.endpoints.get(message.url_group, 1)
        self.messages += times
        self.deliveries += fan_out * times
        self.attempts += (
            fan_out * times * (1 + (USUAL_RETRIES if message.retries is None else message.retries))
        )


def check_demand(demand: Demand, most: int, place: Location) -> Iterator[Problem]:
    """Hold messages against those of a day; `place` is where the limit stands."""
    if demand.attempts <= most:
        return
    with_retries = (
        f", and {demand.attempts:,} with every retry" if demand.attempts > demand.deliveries else ""
    )
    hint = "publish fewer jobs at once with --job, or spread them over days"
    if demand.deliveries <= most:
        hint = "a job's `retries` says how often a delivery is tried again; QStash may not count them"
    yield Problem(
        location=place,
        rule="quota-messages",
        message=f"these jobs make {demand.deliveries:,} deliveries{with_retries}; "
        f"the plan allows {most:,} messages a day",
        hint=hint,
        path=("quota",),
        severity=Severity.WARNING,
    )
