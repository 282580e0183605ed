"""How many messages a plan takes in a day: counted by UTC days of the wall clock, over all of an account."""

from collections.abc import Iterable

from qstash_jobs.local.world.account import Account
from qstash_jobs.local.world.refusal import Refusal
from qstash_jobs.local.world.world import World

DAY_MS = 86_400_000


def check_allowance(world: World, account: Account, sizes: Iterable[int]) -> None:
    """Refuse messages that are too many for today; raises Refusal."""
    limit = world.quota.messages_a_day
    if not limit:
        return
    left = limit - _count_today(world, account)
    if sum(sizes) > left:
        reset_s = (world.steady_ms // DAY_MS + 1) * DAY_MS // 1000
        # wire contract 15: the daily family; its words are not documented
        raise Refusal(
            429,
            f"quota maxMessagesPerDay exceeded, current limit: {limit}",
            headers=(
                ("RateLimit-Limit", str(limit)),
                ("RateLimit-Remaining", str(max(0, left))),
                ("RateLimit-Reset", str(reset_s)),
            ),
        )


def use_allowance(world: World, account: Account) -> None:
    """Count one message."""
    account.today_count = _count_today(world, account) + 1


def _count_today(world: World, account: Account) -> int:
    today = world.steady_ms // DAY_MS
    if account.today != today:
        account.today, account.today_count = today, 0
    return account.today_count
