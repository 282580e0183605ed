"""Command-line words -> Inputs."""

from pathlib import Path

from qstash_jobs.api.workspace import Inputs
from qstash_jobs.errors import UsageError


def read_inputs(
    paths: tuple[str, ...],
    *,
    environment: str | None,
    variables: tuple[str, ...],
    vars_file: Path | None,
    secrets_dir: Path | None,
    jobs: tuple[str, ...],
    default: str | None,
) -> Inputs:
    """Gather what is to be read. `default` is the path where none is given; None means that one has to be."""
    if not paths and default is None:
        raise UsageError("say which jobs to publish: a file, a folder such as jobs/, or - for standard input")
    return Inputs(
        paths=paths or ((default,) if default else ()),
        here=Path.cwd(),
        environment=environment or "",
        variables=dict(_read_variable(text) for text in variables),
        vars_file=vars_file,
        secrets_dir=secrets_dir,
        jobs=jobs,
    )


def _read_variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"--var {name or '…'} needs a value: --var NAME=VALUE")
    return name, value
