"""A cron text in the dialect of robfig/cron v3, which QStash speaks -> the times at which it fires.

Five fields: minute, hour, day of month, month, day of week.
"""

from qstash_jobs.cron.expression import Cron
from qstash_jobs.cron.read import DESCRIPTORS, CronError, read_cron
from qstash_jobs.cron.zone import is_repeated

__all__ = ["DESCRIPTORS", "Cron", "CronError", "is_repeated", "read_cron"]
