"""The record of an earlier run -> what has to be read, and asked for, to finish it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from qstash_jobs.api.inputs import STDIN, Inputs
from qstash_jobs.api.wish import Wish
from qstash_jobs.errors import UsageError
from qstash_jobs.record import Run


def continue_run(record: Run, wish: Wish) -> tuple[Inputs, Wish]:
    """Turn an earlier run's record into what finishes it, with the files as they are now."""
    options = record.options
    if STDIN in record.paths:
        raise UsageError(
            f"run {record.id} read its jobs from standard input; to finish it, pipe them in again: "
            f"qstash-jobs run - --run-key {record.keys[0] if record.keys else record.id}"
        )
    inputs = Inputs(
        paths=record.paths,
        here=Path(str(options["here"])),
        environment=record.environment,
        variables=dict(_mapping(options.get("variables"))),
        vars_file=Path(str(options["vars_file"])) if options.get("vars_file") else None,
        jobs=tuple(str(one) for one in _list(options.get("jobs"))),
        schedules=tuple(str(one) for one in _list(options.get("schedules"))),
    )
    keys = {str(file): str(key) for file, key in _mapping(options.get("keys")).items()}
    return inputs, replace(
        wish, recorded_keys=keys, recorded_generation=int(str(options.get("generation", 0)))
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
