"""A Job, variables and rows -> Messages that are in order, or the Problems why not."""

from qstash_jobs.prepare.collector import Collector
from qstash_jobs.prepare.compiled import CompiledJob, compile_job
from qstash_jobs.prepare.keys import KeyCheck
from qstash_jobs.prepare.preparation import Preparation, locate

__all__ = ["Collector", "CompiledJob", "KeyCheck", "Preparation", "compile_job", "locate"]
