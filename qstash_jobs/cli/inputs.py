"""Command-line words -> Inputs, durations, names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qstash_jobs.api.workspace import Inputs
from qstash_jobs.errors import UsageError
from qstash_jobs.grammar import GrammarError, read_seconds


def read_inputs(given: Mapping[str, Any], *, default: str | None) -> Inputs:
    """Gather what `options.reading` was given. `default` is the path where there is none; None: there has to be one."""
    paths: tuple[str, ...] = given["paths"]
    if not paths and default is None:
        raise UsageError("say which jobs to publish: a file, a folder such as jobs/, or - for standard input")
    return Inputs(
        paths=paths or ((default,) if default else ()),
        here=Path.cwd(),
        environment=given["environment"] or "",
        variables=dict(_read_variable(text) for text in given["variables"]),
        vars_file=given["vars_file"],
        secrets_dir=given["secrets_dir"],
        jobs=given["jobs"],
    )


def read_duration(option: str, text: str | None) -> float:
    """Read a duration such as `90s` or `2m`; 0 where none is given."""
    if text is None:
        return 0
    try:
        return read_seconds(text)
    except GrammarError as error:
        hint = f"; {error.hint}" if error.hint else ""
        raise UsageError(f"{option} {text}: {error}{hint}") from error


def _read_variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"--var {name or '…'} needs a value: --var NAME=VALUE")
    return name, value
