"""The published schema -> the fields of a job, and what is said of each."""

import json
from collections.abc import Iterator
from typing import Any

from qstash_jobs.schema.published import job_file_schema


def field_names() -> list[str]:
    """List the fields of jobs and schedules, in the schema's order."""
    definitions = job_file_schema()["$defs"]
    return list({**definitions["job"]["properties"], **definitions["schedule"]["properties"]})


def describe_field(name: str) -> Iterator[str]:
    """Say what a field means, line by line, and give examples."""
    field = find_field(name)
    yield f"{name}: {field['description']}"
    if field.get("examples"):
        yield ""
        for example in field["examples"]:
            yield f"    {name}: {json.dumps(example, ensure_ascii=False)}"


def find_field(name: str) -> dict[str, Any]:
    """Return the schema of a field. KeyError where there is none of that name."""
    definitions = job_file_schema()["$defs"]
    properties = {**definitions["job"]["properties"], **definitions["schedule"]["properties"]}
    field: dict[str, Any] = definitions[properties[name]["$ref"].rpartition("/")[2]]
    return field
