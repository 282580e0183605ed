"""Inputs -> every problem of every file, without network, token or secrets."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from qstash_jobs.api.inputs import Inputs
from qstash_jobs.api.keys import Keys
from qstash_jobs.api.session import Session, Surroundings
from qstash_jobs.api.workspace import Workspace, is_chosen, load_each_environment
from qstash_jobs.api.world import find_server, system_clock
from qstash_jobs.boundary import Ledger
from qstash_jobs.errors import UsageError
from qstash_jobs.plan.changes import Kind
from qstash_jobs.problem import Problem, Severity, sort_problems
from qstash_jobs.settings import Secrets
from qstash_jobs.value import dataclass

NO_RUN = "000000000000"
"""The run id of what is only looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What was looked at, and what is wrong with it."""

    files: int
    jobs: int
    messages: int
    declared: Mapping[Kind, int]
    """What is declared of an account, by its kind; no kind of which there is nothing."""
    problems: tuple[Problem, ...]
    missing_secrets: tuple[str, ...]
    documents: tuple[str, ...] = ()
    """The job files that were read, as they are shown."""

    @property
    def has_errors(self) -> bool:
        return any(problem.severity is Severity.ERROR for problem in self.problems)


def validate(inputs: Inputs, env: Mapping[str, str], *, strict: bool = False) -> Validation:
    """Find what is wrong, in each environment in turn where the project has some and none is chosen.

    `strict` makes errors of warnings. UsageError for paths and options that can't be used.
    """
    sessions = [
        look_at(workspace, env, Secrets(env, inputs.secrets_dir), keys=keys_of(workspace))
        for workspace in load_each_environment(inputs)
    ]
    problems = sort_problems([problem for session in sessions for problem in _check(session)])
    session = sessions[0]
    if strict:
        problems = [replace(problem, severity=Severity.ERROR) for problem in problems]
    return Validation(
        files=session.workspace.files_read,
        jobs=session.totals.jobs + len(session.totals.disabled),
        messages=session.totals.messages,
        declared=_count_declared(session),
        problems=tuple(problems),
        missing_secrets=tuple(sorted(set[str]().union(*(one.totals.missing_secrets for one in sessions)))),
        documents=session.workspace.documents,
    )


def _count_declared(session: Session) -> dict[Kind, int]:
    inputs = session.workspace.inputs
    counts: Counter[Kind] = Counter()
    counts["schedule"] = sum(is_chosen(one, inputs.jobs) for one in session.workspace.schedules)
    if not inputs.jobs:
        counts.update(one.kind for one in session.resources.resources)
    return dict(+counts)


def _check(session: Session) -> list[Problem]:
    return [*session.check(), *session.check_demand(session.demand)]


def look_at(
    workspace: Workspace,
    env: Mapping[str, str],
    secrets: Mapping[str, str],
    *,
    keys: Keys,
    run_key: str | None = None,
) -> Session:
    """Make a session of what nobody is going to publish: missing secrets are masked, nothing is asked of anybody."""
    return Session(
        workspace,
        Surroundings(
            env=env,
            secrets=secrets,
            missing_secret="mask",  # noqa: S106 - what to do, not a secret
            now=keys.started_at,
            server_is_local=_server_is_local(workspace.project.url, env),
            project_name=keys.project,
            run_id=NO_RUN,
            run_key=run_key,
            facts_of=keys.facts,
        ),
    )


def keys_of(workspace: Workspace, *, ledger: Ledger | None = None, target: str = "") -> Keys:
    """Make the run keys of what nobody is going to publish; with a ledger, those that earlier runs had are known."""
    return Keys(
        ledger,
        run_id=NO_RUN,
        started_at=system_clock().now(),
        project=workspace.project_name or (ledger.id if ledger is not None else ""),
        environment=workspace.project.environment,
        target=target,
    )


def _server_is_local(url: str | None, env: Mapping[str, str]) -> bool:
    try:
        server, _ = find_server(env, url)
    except UsageError:
        return False
    return server.is_local
