"""What a plan allows: the figures that a server holds its messages to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Limits of a plan (wire contract, section 16)."""

    message_bytes: int
    delay_s: int
    retries: int
    timeout_s: int
    groups: int
    endpoints: int
    queues: int
    queue_parallelism: int
    schedules: int
    messages_a_day: int = 0
    """0 is no limit."""
    parallelism: int = 0
    """Deliveries under way at once, over all; 0 is no limit."""


# wire contract 16, pay-as-you-go; 4.2: the developer API's example account allows 999 retries
PAYG = Quota(
    message_bytes=10 * 1024 * 1024,
    delay_s=365 * 86_400,
    retries=999,
    timeout_s=2 * 3_600,
    groups=100,
    endpoints=100,
    queues=100,
    queue_parallelism=100,
    schedules=1_000,
)
# wire contract 16, fixed: delays without a limit, here a century
FIXED = Quota(
    message_bytes=50 * 1024 * 1024,
    delay_s=100 * 365 * 86_400,
    retries=999,
    timeout_s=24 * 3_600,
    groups=1_000,
    endpoints=100,
    queues=1_000,
    queue_parallelism=1_000,
    schedules=10_000,
)
# wire contract 16, free; 4.2: five retries
FREE = Quota(
    message_bytes=1024 * 1024,
    delay_s=7 * 86_400,
    retries=5,
    timeout_s=900,
    groups=1,
    endpoints=100,
    queues=10,
    queue_parallelism=2,
    schedules=10,
    messages_a_day=1_000,
    parallelism=10,
)
