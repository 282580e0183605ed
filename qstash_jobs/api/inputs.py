"""What a command was told to read, and the variables that it was told."""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

import orjson

from qstash_jobs.document import read_document
from qstash_jobs.errors import UsageError
from qstash_jobs.files import read_document as read_bytes
from qstash_jobs.job import Source
from qstash_jobs.value import dataclass

STDIN = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a command was told to read."""

    paths: tuple[str, ...]
    here: Path
    """The working directory."""
    environment: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    vars_file: Path | None = None
    secrets_dir: Path | None = None
    jobs: tuple[str, ...] = ()
    """Patterns of full names or ids; none means all."""
    schedules_too: bool = False
    """The patterns may choose schedules."""
    schedules: tuple[str, ...] = ()
    """Patterns of schedules to publish now, once; with any, jobs are published only where `jobs` names them."""
    stdin: bytes | None = None
    """What standard input held, for the path `-`: it can be read once only."""


def read_variables(inputs: Inputs) -> tuple[Source, ...]:
    """Read what `--vars-file` and `--var` say, the stronger last; UsageError where that cannot be read."""
    sources: list[Source] = []
    if inputs.vars_file is not None:
        shown = str(inputs.vars_file)
        document = read_document(read_bytes(inputs.here / inputs.vars_file, shown=shown), file=shown)
        if document.problems or not isinstance(document.data, dict):
            why = document.problems[0].message if document.problems else "it holds no mapping"
            raise UsageError(f"the variables in {shown} cannot be read: {why}")
        sources.append(Source(document=document, path=(), fields=document.data))
    if inputs.variables:
        document = read_document(_write_variables(inputs.variables), file="--var")
        sources.append(Source(document=document, path=(), fields=document.data))
    return tuple(sources)


def _write_variables(variables: Mapping[str, str]) -> bytes:
    try:
        return orjson.dumps(dict(variables))
    except TypeError as error:
        raise UsageError("--var holds bytes that are not UTF-8") from error
