"""`--metrics-file`: the metrics of the runs before -> the file that a collector finds whole, old or new."""

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from qstash_jobs.cli.terminal import explain_error
from qstash_jobs.errors import UsageError
from qstash_jobs.report.metrics import Carried, Finished, read_metrics, write_metrics

MOST_BYTES = 1024 * 1024


class MetricsFile:
    """A file of metrics: looked at before a run, replaced after it."""

    def __init__(self, path: Path) -> None:
        self._shown = path
        # a link is followed, so that it is not the link that is replaced
        self._path = Path(os.path.realpath(path))

    def check(self) -> None:
        """UsageError where it could not be replaced, or where it is something else that would be lost."""
        if str(self._shown) == "-":
            raise UsageError("--metrics-file is a file that lasts from run to run, not standard output")
        try:
            self._read()
            if not os.access(self._path.parent, os.W_OK | os.X_OK):
                raise UsageError(
                    f"--metrics-file {self._shown} cannot be written: its folder is not to be written"
                )
        except OSError as error:
            raise UsageError(
                f"--metrics-file {self._shown} cannot be used: {explain_error(error)}"
            ) from error
        except ValueError as error:
            raise UsageError(
                f"--metrics-file {self._shown} is something else, which would be lost; name another file"
            ) from error

    def replace(self, run: Finished) -> str | None:
        """Write the metrics after a run; say why they could not be written, or None."""
        try:
            self._replace(write_metrics(self._path.name.partition(".")[0], run, self._read()))
        except (OSError, ValueError) as error:
            return explain_error(error)
        return None

    def _read(self) -> Carried:
        """Read what the file says; none, and an empty one, says nothing."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            if not self._path.parent.is_dir():
                raise
            return Carried()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:
            raise ValueError("not a file of metrics")
        return read_metrics(self._path.read_text(encoding="utf-8"))

    def _replace(self, text: str) -> None:
        """Put a new file in the place of the old one; the collector reads only names that end in .prom."""
        handle, unfinished = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode("utf-8", "backslashreplace"))
                file.flush()
                # the collector is another user
                os.fchmod(handle, 0o644)
                os.fsync(handle)
            Path(unfinished).rename(self._path)
        except BaseException:
            with suppress(OSError):
                Path(unfinished).unlink()
            raise
