"""What a schema cannot say and QStash would refuse, ignore or misread: a Message -> Problems.

One small function and one id for each; this file's imports are what registers them.
"""

from qstash_jobs.rules import (  # noqa: F401
    content,
    dedup,
    delivery,
    destination,
    headers,
    hosts,
    names,
    policy,
    quota,
    schedule,
    secrets,
    texts,
    timing,
)
from qstash_jobs.rules.check import Locate, Resource, check_message, check_resource
from qstash_jobs.rules.policies import Policy, read_policy
from qstash_jobs.rules.quota import Demand, check_demand
from qstash_jobs.rules.registry import Context, Explained, all_rules, explain

__all__ = [
    "Context",
    "Demand",
    "Explained",
    "Locate",
    "Policy",
    "Resource",
    "all_rules",
    "check_demand",
    "check_message",
    "check_resource",
    "explain",
    "read_policy",
]
