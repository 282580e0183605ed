"""A Workspace and the world around it -> the Scope that a file's templates are filled with."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from qstash_jobs.api.workspace import Workspace
from qstash_jobs.git import git_head, git_is_dirty
from qstash_jobs.job import Job, JobFile, Source
from qstash_jobs.problem import Location, Path, Problem
from qstash_jobs.render import RUN_KEY, VARS, MissingSecret, Scope, compile_value
from qstash_jobs.settings import ci_git, ci_run_url, run_key_fault
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What `run.` finds: those of the run key's first run, so that a second try renders the same bytes."""

    id: str
    key: str
    started: datetime


def base_scope(
    workspace: Workspace,
    *,
    env: Mapping[str, str],
    secrets: Mapping[str, str],
    missing_secret: MissingSecret,
    project_name: str,
    permitted: frozenset[str] = frozenset(),
) -> Scope:
    """Gather what is the same for every file. `permitted` are credentials that the policy lets messages carry."""
    return Scope(
        roots={
            "env": env,
            "secrets": secrets,
            "git": _git(workspace, env),
            "ci": {"run_url": ci_run_url(env)},
            "environment": {"name": workspace.project.environment or None},
            "project": {"name": project_name},
        },
        missing_secret=missing_secret,
        permitted=permitted,
    )


def _git(workspace: Workspace, env: Mapping[str, str]) -> Mapping[str, Any]:
    head = git_head(workspace.root) or ci_git(env)
    sha = head.get("sha")
    asked = any("git.dirty" in file.document.text for file in workspace.files)
    return {
        "sha": sha,
        "short_sha": sha and sha[:7],
        "branch": head.get("branch") or ci_git(env).get("branch"),
        "dirty": git_is_dirty(workspace.root) if asked else None,
    }


def file_scope(base: Scope, file: JobFile, workspace: Workspace) -> tuple[Scope, list[Problem]]:
    """Add a file's variables: the project's, its own, the environment's, the command line's, the last strongest."""
    own = (Source(document=file.document, path=("vars",), fields=file.vars),) if file.vars else ()
    project = workspace.project
    sources = (*project.vars, *own, *project.environment_vars, *workspace.variables)
    if not sources:
        return base.with_roots(vars={}), []
    origins: dict[str, Source] = {name: source for source in sources for name in source.fields}
    values = {name: source.fields[name] for name, source in origins.items()}

    def place(path: Path) -> Location:
        source = origins.get(str(path[0])) if path else None
        return source.document.locate((*source.path, *path)) if source else file.document.locate(())

    template, problems = compile_value(values, place=place, allowed=VARS, url_paths=frozenset())
    filled = template.fill(base)
    problems += template.problems(filled)
    return (
        Scope(
            roots={**base.roots, "vars": filled.value},
            missing_secret=base.missing_secret,
            permitted=base.permitted,
            vars_outside=filled.outside,
        ),
        problems,
    )


def render_run_key(file: JobFile, scope: Scope, now: datetime) -> tuple[str | None, list[Problem]]:
    """Render a file's own run key; None where it has none. Here `run.date` and `run.hour` are the present ones."""
    if file.run_key is None:
        return None, []

    def place(_: Path) -> Location:
        return file.document.locate(("run_key",))

    template, problems = compile_value(file.run_key, place=place, path=("run_key",), allowed=RUN_KEY)
    filled = template.fill(scope.with_roots(run=_times(now)))
    problems += template.problems(filled)
    text = "" if filled.value is None else str(filled.value)
    fault = None if problems else run_key_fault(text)
    if fault is not None:
        problems.append(
            Problem(location=place(()), rule="run-key", message=f"the run key {fault}", path=("run_key",))
        )
    return text, problems


def run_scope(scope: Scope, facts: RunFacts) -> Scope:
    """Add what `run.` finds."""
    return scope.with_roots(run={"id": facts.id, "key": facts.key, **_times(facts.started)})


def job_scope(scope: Scope, job: Job) -> Scope:
    """Add what `job.` finds."""
    return scope.with_roots(job={"id": job.id, "name": job.name, "file": job.file})


@lru_cache(maxsize=16)
def _times(moment: datetime) -> dict[str, str]:
    moment = moment.astimezone(UTC)
    return {
        "started": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "date": moment.strftime("%Y-%m-%d"),
        "hour": moment.strftime("%Y-%m-%dT%H"),
    }
