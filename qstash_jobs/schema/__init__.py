"""Plain data with positions, as written or rendered -> Problems, each at its own line, with the likely word."""

from qstash_jobs.schema.check import (
    Kind,
    Locate,
    are_concrete,
    check_concrete,
    check_job_file,
    check_project_file,
    is_concrete,
)
from qstash_jobs.schema.fields import describe_field, field_names, find_field
from qstash_jobs.schema.published import job_file_schema, project_schema, schema_text
from qstash_jobs.schema.shape import shape

__all__ = [
    "Kind",
    "Locate",
    "are_concrete",
    "check_concrete",
    "check_job_file",
    "check_project_file",
    "describe_field",
    "field_names",
    "find_field",
    "is_concrete",
    "job_file_schema",
    "project_schema",
    "schema_text",
    "shape",
]
