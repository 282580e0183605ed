"""Job files of a test -> sessions, envelopes and requests, by the same way that the program goes."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from qstash_jobs.api.inputs import Inputs
from qstash_jobs.api.session import Session, Surroundings
from qstash_jobs.api.variables import RunFacts
from qstash_jobs.api.workspace import load
from qstash_jobs.envelope import Addresser, Envelope
from qstash_jobs.problem import Problem
from qstash_jobs.record import RunKey

NOW = datetime(2026, 11, 23, 20, 15, tzinfo=UTC)
RUN_KEY = RunKey(project="example.com/team/repo", environment="", target="127.0.0.1", text="test")


def open_session(
    folder: Path,
    *,
    run_key: str | None = "test",
    env: Mapping[str, str] | None = None,
    environment: str = "",
    skip: tuple[str, ...] = (),
    **secrets: str,
) -> Session:
    """Load every job file below a folder."""
    workspace = load(Inputs(paths=(str(folder),), here=folder, environment=environment))
    return Session(
        workspace,
        Surroundings(
            env=env or {},
            secrets=secrets,
            missing_secret="error",
            now=NOW,
            server_is_local=True,
            project_name="example.com/team/repo",
            run_id="0123456789ab",
            run_key=run_key,
            skip=skip,
            facts_of=lambda key: RunFacts(id="0123456789ab", key=key, started=NOW),
        ),
    )


def write_job(folder: Path, fields: Mapping[str, Any], name: str = "job") -> Path:
    """Write one job as a file; JSON is YAML."""
    path = folder / f"{name}.yaml"
    path.write_bytes(orjson.dumps(fields))
    return path


def envelopes_of(session: Session) -> list[Envelope]:
    """Make the envelopes of a session whose files have to be in order."""
    problems = session.check()
    assert not session.has_errors, problems
    addresser = Addresser(key=RUN_KEY, key_number=1, fingerprint_key=b"")
    return [addresser.address(message) for keyed in session.tasks() for message in keyed.task.messages()]


def envelopes(folder: Path, *jobs: Mapping[str, Any]) -> list[Envelope]:
    """Write jobs, read them back, and make their envelopes."""
    write_job(folder, {"jobs": {f"job-{number}": job for number, job in enumerate(jobs, 1)}})
    return envelopes_of(open_session(folder))


def problems_of(folder: Path, fields: Mapping[str, Any]) -> list[Problem]:
    """Write a job file, and check everything of it."""
    write_job(folder, fields)
    return open_session(folder).check()
