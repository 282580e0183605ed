"""A QStash-compatible server for this machine: requests in, deliveries out, nothing else leaves the process."""

from qstash_jobs.local.serve import LocalServer, start_server
from qstash_jobs.local.setup import Limits
from qstash_jobs.local.sink import Delivery, SinkAnswer
from qstash_jobs.local.world.account import Retention
from qstash_jobs.local.world.quota import FIXED, FREE, PAYG, Quota, Switches

__all__ = [
    "FIXED",
    "FREE",
    "PAYG",
    "Delivery",
    "Limits",
    "LocalServer",
    "Quota",
    "Retention",
    "SinkAnswer",
    "Switches",
    "start_server",
]
