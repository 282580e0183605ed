"""Inputs -> messages published and recorded: the whole way of `run`, from the lock to the last result."""

import os
from collections.abc import Callable
from dataclasses import replace

from qstash_jobs.api.holding import held_session
from qstash_jobs.api.inputs import Inputs
from qstash_jobs.api.keys import Keys
from qstash_jobs.api.lookup import look_up
from qstash_jobs.api.publication import publish_session
from qstash_jobs.api.session import Session, Surroundings
from qstash_jobs.api.wish import Intention, Report, Tools, Wish
from qstash_jobs.api.workspace import Workspace
from qstash_jobs.errors import LedgerError, UsageError
from qstash_jobs.problem import Problem, Severity
from qstash_jobs.publish import Settlement
from qstash_jobs.settings import check_run_key


def new_run_id() -> str:
    """Make a run's id: random, so that its first four digits mostly name it."""
    return os.urandom(6).hex()


def run(
    workspace: Workspace,
    wish: Wish,
    tools: Tools,
    *,
    show_problems: Callable[[list[Problem]], None],
    confirm: Callable[[Intention], bool],
    tell: Callable[[str, Settlement], None],
    stopping: Callable[[], int],
    note: Callable[[str], None] = lambda _: None,
) -> Report:
    """Publish the jobs of a workspace; every message at most once for its run key.

    `show_problems` is given what validation found, also when nothing keeps the run from going on. `confirm` is
    asked before the first byte. `tell` is called with the run's id and each settled message. `stopping` is asked
    between requests: 0, or the exit code to stop with. `note` is told what takes long, or could not be asked.
    Raises StopError.
    """
    _check_wish(wish, workspace.inputs)
    run_id = new_run_id()
    project_name = workspace.project_name or tools.ledger.id

    def begin() -> tuple[Keys, Session]:
        keys = Keys(
            tools.ledger,
            run_id=run_id,
            started_at=tools.clock.now(),
            project=project_name,
            environment=workspace.project.environment,
            target=tools.service.target,
        )
        return keys, Session(workspace, _surroundings(wish, tools, keys, run_id, project_name))

    # `--again` asks for one generation more than there is: two at once would publish twice
    with held_session(begin, tools.ledger, tools.clock, wait_s=wish.lock_wait_s, is_alone=wish.again) as (
        keys,
        session,
    ):
        problems = session.check()
        if wish.looks_up and not session.has_errors:
            problems += look_up(session.named, session.resources, tools.service, tools.clock)
        show_problems(problems)
        if any(problem.severity is Severity.ERROR for problem in problems):
            return Report(run=None, exit_code=2, totals={}, problems=tuple(problems))
        if wish.needs_lasting_ledger and session.windowed is not None:
            raise LedgerError(
                f"the window of {session.windowed} outlasts the ledger, which goes with this machine; name one "
                "that lasts with --ledger, or say --ephemeral if it may be published again"
            )
        skip = session.skips.names()
        if not confirm(_intention(session, run_id, tools)):
            return Report(run=None, exit_code=0, totals={}, problems=tuple(problems))
        wish = replace(wish, options=replace(wish.options, skip=skip))
        report = publish_session(session, keys, wish, tools, run_id, tell=tell, stopping=stopping, note=note)
        return replace(report, problems=tuple(problems))


def _check_wish(wish: Wish, inputs: Inputs) -> None:
    check_run_key(wish.run_key)
    if wish.again and not (inputs.jobs or inputs.schedules):
        raise UsageError("--again publishes once more what was published; say which jobs with --job GLOB")


def _surroundings(wish: Wish, tools: Tools, keys: Keys, run_id: str, project_name: str) -> Surroundings:
    return Surroundings(
        env=tools.env,
        secrets=tools.secrets,
        missing_secret=wish.missing_secret,
        now=tools.clock.now(),
        server_is_local=tools.service.server.is_local,
        project_name=project_name,
        run_id=run_id,
        run_key=wish.run_key,
        skip=wish.skip,
        recorded_keys=wish.recorded_keys,
        facts_of=keys.facts,
    )


def _intention(session: Session, run_id: str, tools: Tools) -> Intention:
    return Intention(
        run=run_id,
        messages=session.totals.messages,
        jobs=session.totals.jobs,
        disabled=tuple(session.totals.disabled),
        service=tools.service,
        project=session.surroundings.project_name,
        environment=session.workspace.project.environment,
        keys=session.keys_by_file,
        resources=session.resources,
    )
