"""The step that publishes: claim, send, settle, stop cleanly."""

from qstash_jobs.publish.options import Ending, Options, UnrecordedError
from qstash_jobs.publish.settlement import Settlement
from qstash_jobs.publish.step import publish

__all__ = ["Ending", "Options", "Settlement", "UnrecordedError", "publish"]
