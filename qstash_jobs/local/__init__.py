"""A QStash-compatible server for this machine: requests in, deliveries out, nothing else leaves the process."""

from qstash_jobs.local.seen import SeenMessage
from qstash_jobs.local.serve import LocalServer, start_server
from qstash_jobs.local.setup import Limits
from qstash_jobs.local.sink import Delivery, SinkAnswer
from qstash_jobs.local.stand_in import StandIn
from qstash_jobs.local.world.account import DEV_USERS, Retention, User
from qstash_jobs.local.world.quota import FIXED, FREE, PAYG, Quota
from qstash_jobs.local.world.switches import Switches

__all__ = [
    "DEV_USERS",
    "FIXED",
    "FREE",
    "PAYG",
    "Delivery",
    "Limits",
    "LocalServer",
    "Quota",
    "Retention",
    "SeenMessage",
    "SinkAnswer",
    "StandIn",
    "Switches",
    "User",
    "start_server",
]
