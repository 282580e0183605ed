"""Cron entries of other programs (a crontab, vercel.json, a GitHub workflow) -> what a schedule takes of each."""

from qstash_jobs.entries.crontab import read_crontab
from qstash_jobs.entries.entry import Entry, LeftOut, Reading, UnreadableEntriesError
from qstash_jobs.entries.github import read_workflow
from qstash_jobs.entries.vercel import read_vercel

__all__ = [
    "Entry",
    "LeftOut",
    "Reading",
    "UnreadableEntriesError",
    "read_crontab",
    "read_vercel",
    "read_workflow",
]
