"""A workflow of GitHub's, as its runner goes through it on this machine: step by step, with bash.

Nothing is fetched: the steps that use an action are left out, and so is the installation, because the program is
installed already.
"""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markdown_page import Page

from qstash_jobs.local import LocalServer

SHA = "8f3c1f0d6a0e4b1c9d2e7f5a3b8c6d4e2f1a0b9c"
INSTALL = "python -m pip install qstash-jobs"
EXPRESSION = re.compile(r"\$\{\{ ([\w.]+) \}\}")


@dataclass(slots=True, kw_only=True)
class Runner:
    """A runner with a checkout, and an environment that has no token until a step is given one."""

    root: Path
    server: LocalServer
    values: dict[str, str]
    """What GitHub puts in place of an expression, such as `secrets.QSTASH_TOKEN`; nothing for one that is not set."""

    def run(self, job: dict[str, Any], **more: str) -> list[tuple[int, str]]:
        """Run the steps of a job until one fails; return exit codes and output."""
        done: list[tuple[int, str]] = []
        for step in job["steps"]:
            if "run" in step and step["run"] != INSTALL:
                done.append(self._run(step["run"], job.get("env", {}) | step.get("env", {}) | more))
                if done[-1][0]:
                    break
        return done

    def _run(self, command: str, given: dict[str, str]) -> tuple[int, str]:
        env = {
            "HOME": str(self.root),
            "PATH": f"{self.root / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin",
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_SHA": SHA,
            "GITHUB_STEP_SUMMARY": str(self.root / "summary.md"),
            "QSTASH_URL": self.server.url,
        }
        env |= {name: value for name, value in os.environ.items() if name.startswith("COVERAGE")}
        env |= {name: self._fill(value) for name, value in given.items()}
        # docs.github.com, "Workflow syntax", shell: what runs where none is named
        process = subprocess.run(
            ["bash", "-e", "-c", command],
            cwd=self.root / "checkout",
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        return process.returncode, process.stdout

    def _fill(self, value: str) -> str:
        filled = EXPRESSION.sub(lambda found: self.values.get(found[1], ""), value)
        assert "${{" not in filled
        return filled.replace("/home/runner", str(self.root))

    @property
    def summary(self) -> Page:
        """What the steps have written for whoever looks at the run."""
        return Page((self.root / "summary.md").read_text(encoding="utf-8"))

    def write(self, name: str, text: str) -> None:
        path = self.root / "checkout" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def published(self) -> int:
        return sum(
            len(json.loads(request.body)) if request.target.endswith("/v2/batch") else 1
            for request in self.server.requests()
            if request.method != "GET"
        )
