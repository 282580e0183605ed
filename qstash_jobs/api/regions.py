"""A region's name -> the account there: its address, and the token that its variables hold."""

from collections.abc import Mapping

from qstash_jobs.api.world import Service
from qstash_jobs.errors import UsageError
from qstash_jobs.settings import account_of, find_setting, read_address, read_token
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """One of QStash's regions; nothing in one knows of what is in another."""

    name: str
    short: str
    url: str

    @property
    def prefix(self) -> str:
        # upstash/docs, qstash/howto/multi-region, "migration mode"
        return self.name.upper().replace("-", "_")


# upstash/docs, qstash/howto/multi-region
REGIONS = (
    Region(name="eu-central-1", short="eu", url="https://qstash-eu-central-1.upstash.io"),
    Region(name="us-east-1", short="us", url="https://qstash-us-east-1.upstash.io"),
)


def find_region(text: str) -> Region:
    """Find a region by its name in any spelling, or by its first two letters; UsageError where there is none."""
    name = text.strip().lower().replace("_", "-")
    for region in REGIONS:
        if name in (region.name, region.short):
            return region
    known = " and ".join(f"{region.short} ({region.name})" for region in REGIONS)
    raise UsageError(f"there is no region {text}; QStash has {known}")


def find_regional(region: Region, env: Mapping[str, str]) -> tuple[Service, tuple[str, ...]]:
    """Find a region's account by the variables that begin with its name; AuthenticationError without a token.

    The variables without a region are not asked: that of one region would be sent to the other.
    """
    url = f"{region.prefix}_QSTASH_URL"
    server, warnings = read_address(find_setting(env, url) or region.url, source=url)
    name = f"{region.prefix}_QSTASH_TOKEN"
    token = read_token(env, name)
    service = Service(server=server, token=token, account=account_of(token), env=env, token_from=name)
    return service, warnings
