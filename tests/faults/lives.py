"""Orders -> processes of the command line, one after the other, that live until they end or are killed."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).parent / "program.py"


@dataclass(frozen=True, kw_only=True)
class Life:
    """One process, from its beginning to its end."""

    code: int
    """Its exit code; -9 where it was killed."""
    printed: list[dict[str, Any]]
    said: str
    """What stands on stderr."""
    peak_mib: float
    crossings: dict[str, int]

    @property
    def was_killed(self) -> bool:
        return self.code == -9


class Launcher:
    """Begins processes of the command line; one at a time lives."""

    def __init__(self, *, preload: Path | None = None, environment: dict[str, str] | None = None) -> None:
        env = {"PATH": "/usr/bin:/bin", **_python_path(), **(environment or {})}
        if preload is not None:
            env["LD_PRELOAD"] = str(preload)
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
        )

    def begin(self, order: dict[str, Any]) -> int:
        """Begin a process; return its id."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        pid: int = self._hear()["pid"]
        return pid

    def wait(self) -> dict[str, Any]:
        """Wait for its end; say how it was."""
        return self._hear()

    def close(self) -> None:
        self._process.communicate(timeout=60)

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the launcher has gone"
        heard: dict[str, Any] = json.loads(line)
        return heard


def _python_path() -> dict[str, str]:
    """Let the processes have the package that is tested here: it may be a copy."""
    return {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}
