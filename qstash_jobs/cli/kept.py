"""`plan --out FILE` and `apply --plan FILE`: a plan that somebody looked at -> a file, and back."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from qstash_jobs.cli.terminal import explain_error
from qstash_jobs.errors import UsageError
from qstash_jobs.plan.account import AccountPlan
from qstash_jobs.plan.kept import KeptPlan, NotAPlanError, read_kept, write_kept

MOST_BYTES = 64 * 1024 * 1024


def write_plan_file(path: Path, kept: KeptPlan, plan: AccountPlan) -> None:
    """Write a plan, whole or not at all; UsageError where that cannot be."""
    place = Path(os.path.realpath(path))
    try:
        handle, unfinished = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(write_kept(kept, plan))
            Path(unfinished).replace(place)
        except BaseException:
            with suppress(OSError):
                Path(unfinished).unlink()
            raise
    except OSError as error:
        raise UsageError(f"--out {path} cannot be written: {explain_error(error)}") from error


def read_plan_file(path: Path) -> KeptPlan:
    """Read a plan; UsageError where it is none."""
    try:
        with path.open("rb") as file:
            return read_kept(file.read(MOST_BYTES))
    except OSError as error:
        raise UsageError(f"--plan {path} cannot be read: {explain_error(error)}") from error
    except NotAPlanError as error:
        raise UsageError(f"--plan {path}: {error}") from error
