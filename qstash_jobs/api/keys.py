"""The run keys of a run -> what their first run was, and their numbers in the ledger."""

from collections.abc import Sequence
from datetime import datetime

from qstash_jobs.api.variables import RunFacts
from qstash_jobs.boundary import Ledger, Scope
from qstash_jobs.record import Listed, OpenKey, RunKey


def lock_scope(project: str, environment: str, file: str, *, run_key: str | None = None) -> Scope:
    """Name what runs of one job file lock, whatever their run keys; `file` is what its jobs' names begin with.

    Those that have `run_key` may share it, where the ledger can be shared.
    """
    return Scope(text=f"{project}\n{environment}\n{file}", run_key=run_key)


class Keys:
    """Looks run keys up, once each. A new one is made when the run itself is recorded, and not before.

    A run that is never confirmed, or whose files are out of order, leaves no key behind: `run.date` of a key is that
    of the first run that published under it. Without a ledger every key is new.
    """

    def __init__(
        self,
        ledger: Ledger | None,
        *,
        run_id: str,
        started_at: datetime,
        project: str,
        environment: str,
        target: str,
    ) -> None:
        self._ledger = ledger
        self._run_id = run_id
        self.started_at = started_at
        self.project = project
        self._environment = environment
        self._target = target
        self._known: dict[str, OpenKey] = {}
        self._taken_as_new: set[str] = set()

    def name(self, text: str) -> RunKey:
        """Make the whole of a key: the same words mean another key elsewhere."""
        return RunKey(project=self.project, environment=self._environment, target=self._target, text=text)

    def facts(self, text: str) -> RunFacts:
        """Return what `run.` finds under a key: the facts of its first run, which may be this one."""
        known = self.find(text)
        if known is None:
            self._taken_as_new.add(text)
            return RunFacts(id=self._run_id, key=text, started=self.started_at)
        return RunFacts(id=known.first_run, key=text, started=known.started_at)

    def are_outdated(self) -> bool:
        """Say whether another run has made a key since its facts were given: then what was rendered with them is void.

        The facts that are given from now on are those of that run.
        """
        found = {text: self.find(text) for text in self._taken_as_new if text != self._run_id}
        self._taken_as_new -= {text for text, known in found.items() if known is not None}
        return any(known is not None and known.first_run != self._run_id for known in found.values())

    def find(self, text: str) -> OpenKey | None:
        """Return a key as the ledger holds it; None where no run has had it yet."""
        if text not in self._known:
            found = self._ledger.find_key(self.name(text)) if self._ledger is not None else None
            if found is None:
                return None
            self._known[text] = found
        return self._known[text]

    def recover(self, text: str, listed: Sequence[Listed]) -> None:
        """Make a key with what QStash's log lists of it."""
        assert self._ledger is not None  # noqa: S101 - who publishes has a ledger
        self._known[text] = self._ledger.recover_key(
            self.name(text), run=self._run_id, at=self.started_at, listed=listed
        )

    def open(self, text: str) -> OpenKey:
        """Return a key as the ledger holds it, made by now if it was new."""
        known = self.find(text)
        if known is None:
            assert self._ledger is not None  # noqa: S101 - who publishes has a ledger
            known = self._ledger.open_key(self.name(text), run=self._run_id, at=self.started_at)
            self._known[text] = known
        return known
