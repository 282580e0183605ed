"""Command-line words -> Inputs, durations, names."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qstash_jobs.api.inputs import STDIN, Inputs
from qstash_jobs.errors import UsageError
from qstash_jobs.files import DOCUMENT_BYTES, read_document
from qstash_jobs.grammar import GrammarError, read_seconds
from qstash_jobs.settings import working_folder


def read_inputs(
    given: Mapping[str, Any], *, default: str | None, what: str = "which jobs to publish"
) -> Inputs:
    """Gather what `options.reading` was given. `default` is the path where there is none; None: there has to be one."""
    paths: tuple[str, ...] = given["paths"]
    here = working_folder()
    if not paths and default is None:
        raise UsageError(f"say {what}: a file, a folder such as jobs/, or - for standard input")
    if not paths and not (here / str(default)).is_dir():
        raise UsageError(f"there is no folder {default} here; name a file or a folder")
    for pattern in given["jobs"]:
        check_text("--job", pattern)
    for pattern in given.get("schedules", ()):
        check_text("--schedule", pattern)
    check_secrets_dir(given)
    return Inputs(
        paths=paths or (str(default),),
        here=here,
        environment=given["environment"] or "",
        variables=dict(_read_variable(text) for text in given["variables"]),
        vars_file=given["vars_file"],
        secrets_dir=given["secrets_dir"],
        jobs=given["jobs"],
        schedules=given.get("schedules", ()),
        stdin=_read_stdin() if STDIN in paths else None,
    )


def check_secrets_dir(given: Mapping[str, Any]) -> None:
    """Refuse a folder of secrets that is none: every secret would seem to be missing."""
    folder: Path | None = given["secrets_dir"]
    try:
        if folder is not None and not folder.is_dir():
            raise UsageError(f"--secrets-dir {folder} is not a folder")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"--secrets-dir {folder} cannot be read: {reason}") from error


def _read_stdin() -> bytes:
    """Read standard input, as much of it as shows that it is too large."""
    try:
        return sys.stdin.buffer.read(DOCUMENT_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"standard input cannot be read: {reason}") from error


def check_text(what: str, text: str | None) -> None:
    """Refuse words that can name nothing: empty ones, and those with bytes that are no text."""
    if text is not None and not text.strip():
        raise UsageError(f"{what} is empty")
    if text is not None and re.search(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", text):
        raise UsageError(f"{what} holds a control character, or bytes that are not UTF-8")


def read_duration(option: str, text: str | None) -> float:
    """Read a duration such as `90s` or `2m`; 0 where none is given."""
    if text is None:
        return 0
    try:
        return read_seconds(text)
    except GrammarError as error:
        hint = f"; {error.hint}" if error.hint else ""
        raise UsageError(f"{option} {text}: {error}{hint}") from error


def read_file(text: str) -> bytes:
    """Read a file that a command was told, or standard input for `-`; UsageError where it is too large."""
    content = _read_stdin() if text == STDIN else read_document(working_folder() / text, shown=text)
    if len(content) > DOCUMENT_BYTES:
        raise UsageError(f"{text} is over {DOCUMENT_BYTES // 1024**2} MiB")
    return content


def _read_variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"--var {name or text or '…'} needs a name and a value: --var NAME=VALUE")
    return name, value
