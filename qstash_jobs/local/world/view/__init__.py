"""What the server holds -> the fields that the service shows, with what is redacted hidden."""

from qstash_jobs.local.world.view.messages import show_dead_letter, show_event, show_message
from qstash_jobs.local.world.view.resources import show_flow, show_group, show_keys, show_queue
from qstash_jobs.local.world.view.schedules import show_schedule

__all__ = [
    "show_dead_letter",
    "show_event",
    "show_flow",
    "show_group",
    "show_keys",
    "show_message",
    "show_queue",
    "show_schedule",
]
