"""The beginning of a run -> the same, with its job files held against other runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from qstash_jobs.api.keys import Keys, lock_scope
from qstash_jobs.api.session import Session
from qstash_jobs.boundary import Clock, Ledger, Scope

AT_ONCE_S = 1.0
"""Who got the lock within so long has not waited for another run."""


@contextmanager
def held_session(
    begin: Callable[[], tuple[Keys, Session]], ledger: Ledger, clock: Clock, *, wait_s: float, is_alone: bool
) -> Iterator[tuple[Keys, Session]]:
    """Hold the job files of a session inside the block; LockedError where another run keeps them.

    A run that had to wait for the lock begins anew: `run.date` is not of the time before, and the run that it waited
    for may have been the first with its key. `is_alone` says that not even runners of the same key may share them.
    """
    keys, session = begin()
    while True:
        scopes = _scopes(session, is_alone=is_alone)
        asked_s = clock.monotonic_s()
        with ledger.lock(scopes, wait_s=wait_s):
            if keys.are_outdated() or clock.monotonic_s() - asked_s > AT_ONCE_S:
                keys, session = begin()
            # a key may be another day's by now
            if _scopes(session, is_alone=is_alone) == scopes:
                yield keys, session
                return


def _scopes(session: Session, *, is_alone: bool) -> list[Scope]:
    """Two runs of one job file wait for each other, but runners of one named key, who share its messages."""
    surroundings, workspace = session.surroundings, session.workspace

    def shared_key(file: str) -> str | None:
        key = session.keys_by_file.get(file)
        return None if is_alone or key == surroundings.run_id else key

    return [
        lock_scope(
            surroundings.project_name,
            workspace.project.environment,
            file.name,
            run_key=shared_key(file.name),
        )
        for file in workspace.files
    ]
