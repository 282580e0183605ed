"""Inputs -> messages published and recorded: the whole way of `run`, from the lock to the last result."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import field, replace
from datetime import datetime
from typing import Any

from qstash_jobs.api.holding import held_session
from qstash_jobs.api.keys import Keys
from qstash_jobs.api.lookup import look_up
from qstash_jobs.api.masking import MaskedLine
from qstash_jobs.api.outgoing import Outgoing
from qstash_jobs.api.recovery import recover
from qstash_jobs.api.session import Session, Surroundings
from qstash_jobs.api.tally import Tally, exit_code_of, exit_code_of_run
from qstash_jobs.api.workspace import STDIN, Inputs, Workspace
from qstash_jobs.api.world import Service, chance
from qstash_jobs.boundary import Clock, Ledger, Line
from qstash_jobs.errors import INTERRUPTED, LedgerError, UsageError
from qstash_jobs.mask import Mask
from qstash_jobs.problem import Problem, Severity
from qstash_jobs.publish import Ending, Options, Settlement, publish
from qstash_jobs.record import Run
from qstash_jobs.render import MissingSecret
from qstash_jobs.resources import Resources
from qstash_jobs.settings import check_run_key, who
from qstash_jobs.transport import open_watch
from qstash_jobs.value import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a run was asked to do, besides what to read."""

    run_key: str | None = None
    again: bool = False
    skip: tuple[str, ...] = ()
    options: Options = Options()
    missing_secret: MissingSecret = "error"  # noqa: S105 - what to do, not a secret
    lock_wait_s: float = 0
    needs_lasting_ledger: bool = False
    """The ledger goes with this machine, and nobody has said that this is meant."""
    looks_up: bool = True
    """Ask the account whether it has the URL groups and queues that the jobs name, and its log about new run keys."""
    recorded_keys: Mapping[str, str] = field(default_factory=dict)
    """The run keys of an earlier run, by file, where that one is continued."""
    recorded_generation: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What of the world a run works with."""

    service: Service
    ledger: Ledger
    clock: Clock
    env: Mapping[str, str]
    secrets: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intention:
    """What a run is about to do, for whoever is asked whether it may."""

    run: str
    messages: int
    jobs: int
    disabled: tuple[str, ...]
    service: Service
    project: str
    environment: str
    keys: Mapping[str, str]
    """The run key of each file, by what the names of its jobs begin with."""
    resources: Resources
    """What the job files declare of the account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How a run went."""

    run: str | None
    exit_code: int
    totals: Mapping[str, int]
    """Messages by state; `planned` counts those that were not reached."""
    problems: tuple[Problem, ...] = ()
    ending: Ending | None = None


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
        report = _publish(session, keys, wish, tools, run_id, tell=tell, stopping=stopping, note=note)
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


def _publish(
    session: Session,
    keys: Keys,
    wish: Wish,
    tools: Tools,
    run_id: str,
    *,
    tell: Callable[[str, Settlement], None],
    stopping: Callable[[], int],
    note: Callable[[str], None],
) -> Report:
    generation = wish.recorded_generation
    if wish.again:
        generation = _next_generation(session, keys, tools)
    mask = Mask({**tools.secrets, "QSTASH_TOKEN": tools.service.token})

    def open_line() -> Line:
        return MaskedLine(tools.service.open_line(), mask)

    if wish.looks_up and (named := session.named_keys()):
        recover(
            named, keys, open_line=open_line, clock=tools.clock, has_to=wish.needs_lasting_ledger, note=note
        )
    tools.ledger.start_run(_run_record(session, tools, run_id, keys.started_at, generation))
    if keys.are_outdated():
        # a runner that shares the work was first with the key: it and this one have to render the same
        session = Session(session.workspace, session.surroundings)
        session.check()
    tally = Tally(run_id, tell)
    outgoing = Outgoing(session, keys, tools.ledger.fingerprint_key, generation)

    def leave() -> None:
        tally.leave(session.totals.messages, lambda: _count_doubts(session, keys, tools, generation))

    def end(exit_code: int) -> None:
        tools.ledger.end_run(run_id, at=tools.clock.now(), exit_code=exit_code, totals=dict(tally.states))

    try:
        with open_watch() as watch:
            ending = publish(
                outgoing,
                run=run_id,
                options=wish.options,
                open_line=open_line,
                watch=watch,
                ledger=tools.ledger,
                clock=tools.clock,
                chance=chance,
                tell=tally.tell,
                stopping=lambda: bool(stopping()),
                note=note,
            )
    except BaseException as error:
        with suppress(LedgerError):  # it may be the ledger that failed, and what failed first is what is told
            tally.interrupt(tools.ledger.messages(run=run_id))
            leave()
            end(exit_code_of(error))
        raise
    if ending is not None and ending.exit_code == INTERRUPTED:
        ending = replace(ending, exit_code=stopping() or INTERRUPTED)
    ending = ending or outgoing.ending
    leave()
    exit_code = exit_code_of_run(tally, ending)
    end(exit_code)
    return Report(run=run_id, exit_code=exit_code, totals=dict(tally.states), ending=ending)


def _count_doubts(session: Session, keys: Keys, tools: Tools, generation: int) -> int:
    """Count the messages of this run that may have been accepted, as far as the ledger knows.

    What another runner is sending is not in doubt: that runner will say what became of it.
    """
    jobs: dict[str, set[str]] = {}
    for keyed in session.tasks():
        jobs.setdefault(keyed.run_key, set()).add(keyed.task.job.name)
    return sum(
        record.slot.job in names and record.slot.generation == generation and not record.is_held
        for text, names in jobs.items()
        if (key := keys.find(text)) is not None
        for record in tools.ledger.doubts(key.number)
    )


def _next_generation(session: Session, keys: Keys, tools: Tools) -> int:
    """One more than any generation of these jobs under their keys so far."""
    known = (
        tools.ledger.last_generation(key.number, keyed.task.job.name)
        for keyed in session.tasks()
        if (key := keys.find(keyed.run_key)) is not None
    )
    return 1 + max((generation for generation in known if generation is not None), default=0)


def _run_record(session: Session, tools: Tools, run_id: str, started_at: datetime, generation: int) -> Run:
    workspace = session.workspace
    inputs = workspace.inputs
    options: dict[str, Any] = {
        "here": str(inputs.here),
        "variables": dict(inputs.variables),
        "vars_file": str(inputs.vars_file) if inputs.vars_file else None,
        "jobs": list(inputs.jobs),
        "schedules": list(inputs.schedules),
        "keys": dict(session.keys_by_file),
        "generation": generation,
        "by": who(tools.env),
    }
    return Run(
        id=run_id,
        started_at=started_at,
        project=session.surroundings.project_name,
        environment=workspace.project.environment,
        target=tools.service.target,
        paths=tuple(path if path == STDIN else str((inputs.here / path).resolve()) for path in inputs.paths),
        options=options,
        expected=session.totals.messages,
        keys=tuple(dict.fromkeys(session.keys_by_file.values())),
    )
