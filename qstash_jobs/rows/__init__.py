"""The bytes of a data file (csv, tsv, jsonl, json, yaml) -> its rows, each knowing its line.

csv, tsv and jsonl are streamed: one row is in memory at a time. json and yaml are read whole, up to 16 MiB.
"""

from qstash_jobs.rows.read import read_rows, read_tables
from qstash_jobs.rows.row import LONGEST_FIELD, LONGEST_LINE, LONGEST_WHOLE, Format, Row, RowError
from qstash_jobs.rows.table import Table

__all__ = [
    "LONGEST_FIELD",
    "LONGEST_LINE",
    "LONGEST_WHOLE",
    "Format",
    "Row",
    "RowError",
    "Table",
    "read_rows",
    "read_tables",
]
