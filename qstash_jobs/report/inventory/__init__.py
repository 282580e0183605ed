"""An account as observed -> the Draft of a job file that declares it as it is."""

from qstash_jobs.report.inventory.draft import Inventory, draft_account
from qstash_jobs.report.inventory.terms import VARIANTS, Terms

KINDS = {
    "schedules": "schedule",
    "url_groups": "URL group",
    "queues": "queue",
    "flow_controls": "flow control",
}
"""What the things of each part of a job file are called."""

__all__ = ["KINDS", "VARIANTS", "Inventory", "Terms", "draft_account"]
