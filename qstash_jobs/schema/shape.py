"""The data of a job file -> which of its two shapes it has."""

from functools import cache
from typing import Any, Literal

from qstash_jobs.schema.published import job_file_schema

Shape = Literal["set", "single"]


def shape(data: Any) -> Shape:
    """Tell a job set by its keys. `run_key` stands in both shapes, so it decides only where it stands alone."""
    if not isinstance(data, dict):
        return "single"
    if not _own_keys("job_set").isdisjoint(data):
        return "set"
    if not _own_keys("single_job").isdisjoint(data):
        return "single"
    return "set" if "run_key" in data else "single"


@cache
def _own_keys(definition: str) -> frozenset[str]:
    return frozenset(job_file_schema()["$defs"][definition]["properties"]) - {"run_key", "version"}
