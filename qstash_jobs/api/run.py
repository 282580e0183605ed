"""Inputs -> messages published and recorded: the whole way of `run`, from the lock to the last result."""

import secrets as random_bytes
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from qstash_jobs.api.keys import Keys
from qstash_jobs.api.lookup import look_up
from qstash_jobs.api.masking import MaskedLine
from qstash_jobs.api.session import Session, Surroundings
from qstash_jobs.api.workspace import Inputs, Workspace
from qstash_jobs.api.world import Service, chance
from qstash_jobs.boundary import Clock, Ledger
from qstash_jobs.envelope import Addresser, Envelope
from qstash_jobs.errors import UsageError
from qstash_jobs.mask import Mask
from qstash_jobs.problem import Problem, Severity
from qstash_jobs.publish import Ending, Options, Settlement, publish
from qstash_jobs.record import Run, State
from qstash_jobs.render import MissingSecret
from qstash_jobs.resources import Resources
from qstash_jobs.settings import check_run_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a run was asked to do, besides what to read."""

    run_key: str | None = None
    again: bool = False
    skip: tuple[str, ...] = ()
    options: Options = Options()
    missing_secret: MissingSecret = "error"  # noqa: S105 - what to do, not a secret
    lock_wait_s: float = 0
    looks_up: bool = True
    """Ask the account whether it has the URL groups and queues that the jobs name."""
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
    environment: str
    files: tuple[str, ...]
    """What the names of its jobs begin with."""
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
    return random_bytes.token_hex(6)


def run(
    workspace: Workspace,
    wish: Wish,
    tools: Tools,
    *,
    show_problems: Callable[[list[Problem]], None],
    confirm: Callable[[Intention], bool],
    tell: Callable[[str, Settlement], None],
    stopping: Callable[[], bool],
) -> Report:
    """Publish the jobs of a workspace; every message at most once for its run key.

    `show_problems` is given what validation found, also when nothing keeps the run from going on. `confirm` is
    asked before the first byte. `tell` is called with the run's id and each settled message. Raises StopError.
    """
    _check_wish(wish, workspace.inputs)
    run_id = new_run_id()
    project_name = workspace.project_name or tools.ledger.id
    keys = Keys(
        tools.ledger,
        run_id=run_id,
        started_at=tools.clock.now(),
        project=project_name,
        environment=workspace.project.environment,
        target=tools.service.target,
    )
    with tools.ledger.lock(_scopes(workspace, project_name), wait_s=wish.lock_wait_s):
        session = Session(workspace, _surroundings(wish, tools, keys, run_id, project_name))
        problems = session.check()
        if wish.looks_up and not session.has_errors:
            problems += look_up(session.named, session.resources, tools.service, tools.clock)
        show_problems(problems)
        if any(problem.severity is Severity.ERROR for problem in problems):
            return Report(run=None, exit_code=2, totals={}, problems=tuple(problems))
        if not confirm(_intention(session, run_id, tools)):
            return Report(run=None, exit_code=0, totals={}, problems=tuple(problems))
        return _publish(session, keys, wish, tools, run_id, tell=tell, stopping=stopping)


def _check_wish(wish: Wish, inputs: Inputs) -> None:
    check_run_key(wish.run_key)
    if wish.again and not inputs.jobs:
        raise UsageError("--again publishes once more what was published; say which jobs with --job GLOB")


def _scopes(workspace: Workspace, project_name: str) -> list[str]:
    """Two runs of one job file wait for each other, whatever their run keys."""
    return [f"{project_name}\n{workspace.project.environment}\n{file.name}" for file in workspace.files]


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
        environment=session.workspace.project.environment,
        files=tuple(session.keys_by_file),
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
    stopping: Callable[[], bool],
) -> Report:
    generation = wish.recorded_generation
    if wish.again:
        generation = _next_generation(session, keys, tools)
    tools.ledger.start_run(_run_record(session, tools, run_id, keys.started_at, generation))
    count = _Count(run_id, tell)
    mask = Mask({**tools.secrets, "QSTASH_TOKEN": tools.service.token})
    ending: Ending | None = None
    exit_code = 6
    try:
        ending = publish(
            _envelopes(session, keys, tools, generation),
            run=run_id,
            options=replace(wish.options, skip=frozenset(wish.skip)),
            open_line=lambda: MaskedLine(tools.service.open_line(), mask),
            ledger=tools.ledger,
            clock=tools.clock,
            chance=chance,
            tell=count.tell,
            stopping=stopping,
        )
        count.leave(session.totals.messages)
        exit_code = _exit_code(count, ending)
    finally:
        tools.ledger.end_run(run_id, at=tools.clock.now(), exit_code=exit_code, totals=dict(count.states))
    return Report(run=run_id, exit_code=exit_code, totals=dict(count.states), ending=ending)


def _envelopes(session: Session, keys: Keys, tools: Tools, generation: int) -> Iterator[Envelope]:
    for keyed in session.tasks():
        opened = keys.open(keyed.run_key)
        addresser = Addresser(
            key=opened.key,
            key_number=opened.number,
            generation=generation,
            fingerprint_key=tools.ledger.fingerprint_key,
        )
        for message in keyed.task.messages():
            yield addresser.address(message)


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
        "keys": dict(session.keys_by_file),
        "generation": generation,
    }
    return Run(
        id=run_id,
        started_at=started_at,
        project=session.surroundings.project_name,
        environment=workspace.project.environment,
        target=tools.service.target,
        paths=tuple(str((inputs.here / path).resolve()) for path in inputs.paths),
        options=options,
        expected=session.totals.messages,
        keys=tuple(dict.fromkeys(session.keys_by_file.values())),
    )


class _Count:
    """Counts what is told, so that what never was can be told as a number."""

    def __init__(self, run_id: str, tell: Callable[[str, Settlement], None]) -> None:
        self._run_id = run_id
        self._tell = tell
        self.states: Counter[str] = Counter()
        self.foreign = 0

    def tell(self, settlement: Settlement) -> None:
        self.states[str(settlement.state)] += 1
        self.foreign += settlement.foreign
        self._tell(self._run_id, settlement)

    def leave(self, expected: int) -> None:
        """Count the messages that the run ended before."""
        unreached = expected - self.states.total()
        if unreached > 0:
            self.states[State.PLANNED] += unreached


def _exit_code(count: _Count, ending: Ending | None) -> int:
    """The highest concern wins: interrupted, authentication or settings, doubt, stopped early, rejected."""
    states = count.states
    if ending is not None and ending.exit_code in (130, 143, 4, 2):
        return ending.exit_code
    if states[State.IN_DOUBT]:
        return 3
    if ending is not None:
        return ending.exit_code
    if states[State.PLANNED] and not states[State.REJECTED]:
        return 5
    refused = states[State.REJECTED] + states[State.PARTIAL] + count.foreign
    return 1 if refused or states[State.PLANNED] else 0


def continue_run(record: Run, wish: Wish) -> tuple[Inputs, Wish]:
    """Turn an earlier run's record into what finishes it, with the files as they are now."""
    options = record.options
    inputs = Inputs(
        paths=record.paths,
        here=Path(str(options["here"])),
        environment=record.environment,
        variables=dict(_mapping(options.get("variables"))),
        vars_file=Path(str(options["vars_file"])) if options.get("vars_file") else None,
        jobs=tuple(str(one) for one in _list(options.get("jobs"))),
    )
    keys = {str(file): str(key) for file, key in _mapping(options.get("keys")).items()}
    return inputs, replace(
        wish, recorded_keys=keys, recorded_generation=int(str(options.get("generation", 0)))
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
