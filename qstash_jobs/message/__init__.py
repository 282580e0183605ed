"""Rendered fields of a job -> a Message: every unit read, every body encoded, nothing left to interpret."""

from qstash_jobs.message.content import ReadFile, write_json
from qstash_jobs.message.read import MessageReader
from qstash_jobs.message.types import (
    Callback,
    Dedup,
    DedupKind,
    FlowControl,
    Message,
    Redaction,
    UnreadableError,
)

__all__ = [
    "Callback",
    "Dedup",
    "DedupKind",
    "FlowControl",
    "Message",
    "MessageReader",
    "ReadFile",
    "Redaction",
    "UnreadableError",
    "write_json",
]
