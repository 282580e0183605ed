"""The published schemas' files -> their text, their data, and the concrete form derived from them."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Literal

Name = Literal["job-file", "project"]

PACKAGE = Path(__file__).parents[1]
"""A plain path: importlib.resources would load archives and temporary files at every start."""

EXPRESSION = {"$ref": "#/$defs/expression"}
"""The alternative that stands beside every scalar as written."""

NULL = {"type": "null"}
"""The alternative that takes a default away."""


@cache
def schema_text(name: Name = "job-file") -> str:
    """Read a published schema: from the package, or from beside it in a checkout."""
    for folder in (PACKAGE / "schemas", PACKAGE.parent / "schemas"):
        file = folder / f"{name}.schema.json"
        if file.is_file():
            return file.read_text(encoding="utf-8")
    raise FileNotFoundError(
        f"{name}.schema.json is neither in {PACKAGE} nor beside it: install qstash-jobs again"
    )


def job_file_schema() -> dict[str, Any]:
    """Return the schema of job files."""
    return _load("job-file")


def project_schema() -> dict[str, Any]:
    """Return the schema of the project file. Its `defaults` hold the fields of a job: see the job file's."""
    return _load("project")


@cache
def _load(name: Name) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(schema_text(name))
    return schema


def part(name: str) -> dict[str, Any]:
    """Return the schema of one of the job file's definitions, as written."""
    return {"$ref": f"#/$defs/{name}", "$defs": job_file_schema()["$defs"]}


@cache
def concrete_part(name: str) -> dict[str, Any]:
    """Return the schema of one of the job file's definitions, as rendered."""
    schema: dict[str, Any] = derive_concrete(part(name))
    return schema


def concrete_fields(name: str) -> dict[str, Any]:
    """Return what a definition, as rendered, asks of the value of each field, whatever stands beside it."""
    whole = concrete_part(name)
    definitions = whole["$defs"]
    wholes = definitions[name]
    base = definitions[wholes["$ref"].removeprefix("#/$defs/")]
    return {
        "allOf": [{"properties": each["properties"]} for each in (base, wholes)],
        "$defs": definitions,
    }


def derive_concrete(schema: Any) -> Any:
    """Take the alternatives away that only hold as written: the expression, and the null for no default."""
    if isinstance(schema, list):
        return [derive_concrete(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: [derive_concrete(item) for item in value if item not in (EXPRESSION, NULL)]
        if key == "anyOf"
        else derive_concrete(value)
        for key, value in schema.items()
    }
