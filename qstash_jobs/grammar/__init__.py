"""Small texts with a grammar of their own, read and checked: durations, retry-delay expressions, names, env files."""

from qstash_jobs.grammar.duration import LONGEST_S, read_seconds, read_window, show_seconds, write_seconds
from qstash_jobs.grammar.env_file import read_env_file
from qstash_jobs.grammar.error import GrammarError
from qstash_jobs.grammar.names import is_dedup_id, is_header_name, is_job_id, is_label, is_wire_name, nearest
from qstash_jobs.grammar.retry_delay import MOST_RETRIES, RetryDelay, read_retry_delay
from qstash_jobs.grammar.visible import show_word, write_visible

__all__ = [
    "LONGEST_S",
    "MOST_RETRIES",
    "GrammarError",
    "RetryDelay",
    "is_dedup_id",
    "is_header_name",
    "is_job_id",
    "is_label",
    "is_wire_name",
    "nearest",
    "read_env_file",
    "read_retry_delay",
    "read_seconds",
    "read_window",
    "show_seconds",
    "show_word",
    "write_seconds",
    "write_visible",
]
