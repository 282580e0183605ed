"""The bytes of a YAML file -> a Document: plain data, and where each value stands.

YAML 1.2's core schema, read from the events of PyYAML's parser by a constructor of our own. Limits hold while the
events come in, so that a hostile file is left early; whatever is wrong becomes a Problem, never an exception.
"""

from qstash_jobs.document.document import Document
from qstash_jobs.document.limits import (
    MOST_ALIASES,
    MOST_BYTES,
    MOST_LEVELS,
    MOST_NODES,
    MOST_PROBLEMS,
)
from qstash_jobs.document.read import read_document
from qstash_jobs.document.scalars import NumberError, read_decimal, read_integer

__all__ = [
    "MOST_ALIASES",
    "MOST_BYTES",
    "MOST_LEVELS",
    "MOST_NODES",
    "MOST_PROBLEMS",
    "Document",
    "NumberError",
    "read_decimal",
    "read_document",
    "read_integer",
]
