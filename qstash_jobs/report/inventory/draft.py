"""An Account + Terms -> its Draft, and the secrets that have to be set before it can be compared."""

from qstash_jobs.plan.account import Account
from qstash_jobs.report.inventory.resources import (
    NO_HEADERS,
    draft_flow_controls,
    draft_groups,
    draft_queues,
    key_groups,
)
from qstash_jobs.report.inventory.schedules import draft_schedules
from qstash_jobs.report.inventory.secrets import SecretNames
from qstash_jobs.report.inventory.terms import Terms
from qstash_jobs.report.job_file import Draft
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What an account holds, as files would say it."""

    draft: Draft
    secrets: tuple[str, ...] = ()
    """What has to be set, since QStash does not give it back."""


def draft_account(account: Account, terms: Terms) -> Inventory:
    """Draft all that an account holds; what no file can say is among the draft's omissions."""
    secrets = SecretNames()
    keys = key_groups(account.groups, terms)
    schedules, unsaid_schedules = draft_schedules(
        account.schedules, terms, {**terms.group_keys, **keys}, secrets
    )
    groups, unsaid_groups = draft_groups(account.groups, keys, secrets)
    queues, unsaid_queues = draft_queues(account.queues)
    flows, unsaid_flows = draft_flow_controls(account.flow_controls)
    draft = Draft(
        schedules=tuple(schedules),
        url_groups=tuple(groups),
        queues=tuple(queues),
        flow_controls=tuple(flows),
        remarks=(NO_HEADERS,) if any(group.headers is None for group in account.groups) else (),
        omissions=(*unsaid_schedules, *unsaid_groups, *unsaid_queues, *unsaid_flows),
    )
    return Inventory(draft=draft, secrets=secrets.names)
