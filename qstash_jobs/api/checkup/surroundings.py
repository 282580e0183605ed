"""The program, the project file and the environment's variables -> checks, made without the network."""

import platform
import sqlite3
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

from qstash_jobs import __version__
from qstash_jobs.api.workspace import find_project
from qstash_jobs.errors import LedgerError, UsageError
from qstash_jobs.grammar import nearest
from qstash_jobs.ledger.opening import require_sqlite
from qstash_jobs.project import Project
from qstash_jobs.report.checkup import Check
from qstash_jobs.transport.library import is_fork, is_supported, urllib3_version


def check_program() -> Check:
    """Name the versions that a report of a fault needs."""
    found = (
        f"qstash-jobs {__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"{' '.join(ssl.OPENSSL_VERSION.split()[:2])}"
    )
    try:
        require_sqlite(sqlite3.sqlite_version_info)
    except LedgerError as error:
        return Check(name="program", verdict="wrong", found=f"{found}: {error}", exit_code=6)
    return Check(name="program", verdict="good", found=found)


def check_library() -> Check:
    """Say which urllib3 opens the connections: another package can take its place without a word."""
    version = urllib3_version()
    if is_fork(version):
        return Check(
            name="urllib3",
            verdict="warning",
            found=f"{version} is urllib3-future, which niquests puts in the place of urllib3",
            advice=(
                "give qstash-jobs an environment of its own; or python -m pip uninstall urllib3-future, "
                "then python -m pip install --force-reinstall urllib3"
            ),
        )
    if not is_supported(version):
        return Check(
            name="urllib3",
            verdict="wrong",
            found=f"{version} is not a version that connections are opened with",
            advice="python -m pip install 'urllib3>=2.7,<3'",
            exit_code=2,
        )
    return Check(name="urllib3", verdict="good", found=version)


def check_project(here: Path, environment: str) -> tuple[Project, Check]:
    """Read the project around a folder; without one that can be read, the rest is looked at as if there were none."""
    try:
        project = find_project(here, environment)
    except UsageError as error:
        return Project(), Check(name="project", verdict="wrong", found=str(error), exit_code=2)
    if project.environments and not environment:
        return project, Check(
            name="project",
            verdict="warning",
            found=f"it has the environments {', '.join(project.environments)}, and none was chosen",
            advice="look at each with --environment NAME: it may have a token and a ledger of its own",
        )
    named = f"{project.name or 'without a name'}{f', {environment}' if environment else ''}"
    return project, Check(name="project", verdict="good", found=named)


def check_names(env: Mapping[str, str], known: frozenset[str]) -> Iterator[Check]:
    """Find variables that look like options and are none: a misspelt one is not read, and nobody says so."""
    for name in sorted(env):
        if name.startswith("QSTASH_JOBS_") and name not in known:
            likely = nearest(name, known)
            yield Check(
                name="variable",
                verdict="warning",
                found=f"{name} is not read: no option is called so",
                advice=f"did you mean {likely}?" if likely else None,
            )


def check_modes(env: Mapping[str, str]) -> Iterator[Check]:
    """Find what changes where the SDKs publish to, and nothing here."""
    # upstash docs, howto/local-development: QSTASH_DEV=true makes the JS SDK use its own local server
    if env.get("QSTASH_DEV", "").lower() not in ("", "0", "false"):
        yield Check(
            name="development mode",
            verdict="warning",
            found="QSTASH_DEV makes SDKs publish to a local server; it is not read here",
            advice="to publish to a server on this machine: run --local, or the lines that qstash-jobs dev prints",
        )
    # qstash-js, src/client/multi-region: QSTASH_REGION picks variables such as EU_CENTRAL_1_QSTASH_TOKEN
    if env.get("QSTASH_REGION"):
        region = env["QSTASH_REGION"].upper().replace("-", "_")
        yield Check(
            name="region",
            verdict="warning",
            found="QSTASH_REGION picks variables for the JS SDK; it is not read here",
            advice=f"set QSTASH_URL and QSTASH_TOKEN to what {region}_QSTASH_URL and {region}_QSTASH_TOKEN say",
        )
