"""The step that publishes: claim, send, settle, stop cleanly."""

from qstash_jobs.publish.desk import Ending, Options, UnrecordedError, publish
from qstash_jobs.publish.results import Settlement

__all__ = ["Ending", "Options", "Settlement", "UnrecordedError", "publish"]
