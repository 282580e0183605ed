"""Everything that is done to the code: `nox -l` lists it."""

from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
nox.options.sessions = ["lint", "types", "tests"]


@nox.session
def lint(session: nox.Session) -> None:
    """Style, and the direction of imports."""
    session.install(".[dev]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")
    session.run("cog", "-I", "docs", "--check", *(str(page) for page in Path("docs").glob("*.md")))


@nox.session
def types(session: nox.Session) -> None:
    """Types."""
    session.install(".[dev]")
    session.run("mypy")


@nox.session(python=["3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """Every test, on every Python that is supported."""
    session.install(".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Which lines no test runs."""
    session.install("-e", ".[test]")
    session.run("coverage", "run", "-m", "pytest", *session.posargs)
    session.run("coverage", "report", "--show-missing", "--skip-covered")


@nox.session
def storm(session: nox.Session) -> None:
    """The long form of the fault tests, with its figures as a table; `-- power cuts` for parts of it."""
    session.install(".[test]")
    session.run("python", "tests/faults/storm.py", *session.posargs)


@nox.session
def chaos(session: nox.Session) -> None:
    """The official SDK and `run` through the same mishaps; `-- --json benchmarks/chaos.json` keeps the figures."""
    session.install(".[test]")
    session.run("python", "benchmarks/chaos.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Speed, as ratios against peers in the same run; `-- --page` writes docs/performance.md, `-- --small` tries it."""
    # check-jsonschema is a peer, which nothing of the project needs; ajv-cli comes from npm where there is one
    session.install(".[test]", "check-jsonschema")
    session.run("python", "benchmarks/report.py", *session.posargs)
