"""A session that was checked and allowed -> its messages published, its run begun and ended in the ledger."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from qstash_jobs.api.inputs import STDIN
from qstash_jobs.api.keys import Keys
from qstash_jobs.api.masking import MaskedLine
from qstash_jobs.api.orphans import find_orphans
from qstash_jobs.api.outgoing import Outgoing
from qstash_jobs.api.recovery import recover
from qstash_jobs.api.session import Session
from qstash_jobs.api.tally import Tally, exit_code_of, exit_code_of_run
from qstash_jobs.api.wish import Report, Tools, Wish
from qstash_jobs.api.world import chance
from qstash_jobs.boundary import Line
from qstash_jobs.errors import INTERRUPTED, LedgerError
from qstash_jobs.mask import Mask
from qstash_jobs.publish import Settlement, publish
from qstash_jobs.record import Run
from qstash_jobs.settings import who
from qstash_jobs.transport import open_watch


def publish_session(
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
    """Publish what a session gives; recover first what a named key has published elsewhere. Raises StopError."""
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
    orphans = find_orphans(session, keys, tools.ledger, generation)

    def tell_of(run: str, settlement: Settlement) -> None:
        orphans.see(settlement)
        tell(run, settlement)

    tally = Tally(run_id, tell_of)
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
    left = orphans.left if ending is None else ()
    exit_code = exit_code_of_run(tally, ending, has_orphans=bool(left))
    end(exit_code)
    return Report(run=run_id, exit_code=exit_code, totals=dict(tally.states), ending=ending, orphans=left)


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
