"""A machine and its settings -> what is in order for a run, what is not, and what to do about it."""

from qstash_jobs.api.checkup.consult import Question, check_up

__all__ = ["Question", "check_up"]
