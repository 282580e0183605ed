"""The data of a job file -> which of its two shapes it has."""

from typing import Any, Literal

from qstash_jobs.schema.published import job_file_schema

Shape = Literal["set", "single"]


def shape(data: Any) -> Shape:
    """Tell a job set by its keys. `run_key` stands in both shapes, so it decides only where it stands alone."""
    if not isinstance(data, dict):
        return "single"
    both = {"run_key", "version"}
    if data.keys() & (_keys("job_set") - both):
        return "set"
    if data.keys() & (_keys("single_job") - both):
        return "single"
    return "set" if "run_key" in data else "single"


def _keys(definition: str) -> set[str]:
    return set(job_file_schema()["$defs"][definition]["properties"])
