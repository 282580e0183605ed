"""Plain data with expressions + values -> plain data, knowing which secrets and which foreign values went where."""

from qstash_jobs.render.columns import Column, find_columns
from qstash_jobs.render.fault import Fault, Place
from qstash_jobs.render.filters import FILTERS, MAX_NUMBER_LENGTH
from qstash_jobs.render.names import JOB, JOB_OF_ROWS, ROOTS, RUN_KEY, VARS, Allowed
from qstash_jobs.render.scope import MissingSecret, Scope
from qstash_jobs.render.settled import Settled
from qstash_jobs.render.template import URL_PATHS, Filled, Template, compile_value

__all__ = [
    "FILTERS",
    "JOB",
    "JOB_OF_ROWS",
    "MAX_NUMBER_LENGTH",
    "ROOTS",
    "RUN_KEY",
    "URL_PATHS",
    "VARS",
    "Allowed",
    "Column",
    "Fault",
    "Filled",
    "MissingSecret",
    "Place",
    "Scope",
    "Settled",
    "Template",
    "compile_value",
    "find_columns",
]
