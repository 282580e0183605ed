"""What the steps need of the world, as protocols of a few methods."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from qstash_jobs.record import (
    Evidence,
    Instant,
    Listed,
    OpenKey,
    Pruned,
    Record,
    Result,
    Run,
    RunKey,
    Slot,
    Window,
)
from qstash_jobs.wire.http import Answer, Request, Unreachable, Untrusted


class Clock(Protocol):
    def now(self) -> datetime:
        """Return the wall clock's time, aware, UTC."""

    def instant(self) -> Instant:
        """Return this moment on the wall clock and on the one that counts from the machine's start."""

    def monotonic_s(self) -> float:
        """Return seconds on a clock that never goes back; only differences mean anything."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Line(Protocol):
    """One connection to QStash. It is connected first, and then sends; one thread at a time does either."""

    def connect(self) -> Unreachable | Untrusted | None:
        """Connect, TLS included, if that has not been done; None when the line is ready."""

    @property
    def is_good(self) -> bool:
        """Say whether it is connected, and nothing came that the next request would take for its answer."""

    def send(self, request: Request, *, may_send: Callable[[], bool]) -> Answer:
        """Send one request and read its answer, within a hard deadline; connects where that has to be done.

        `may_send` is asked right before the first byte; a no is `Held`, and nothing was sent.
        """

    def offer(self, request: Request, *, may_send: Callable[[], bool]) -> Answer | None:
        """Do as `send` does on a line that is connected, as far as nothing has to be waited for.

        None where that is not to the end: then `proceed` goes on.
        """

    def proceed(self) -> Answer | None:
        """Go on with what was offered, as far as nothing has to be waited for; None where that is not to the end.

        When time is up the answer is `Lost`.
        """

    @property
    def left_s(self) -> float:
        """How many seconds the exchange under way has left."""

    @property
    def is_writing(self) -> bool:
        """Say whether the exchange under way goes on when the connection takes more, not when something comes."""

    def fileno(self) -> int:
        """Return the connection's number for the system, -1 where there is none."""

    def close(self) -> None:
        """Close the connection; a later `connect` opens a new one."""


class Watch(Protocol):
    """Waits for many lines at once."""

    def keep(self, line: Line) -> None:
        """Watch a line that is connected, for what its exchange waits for; again where that has changed."""

    def drop(self, line: Line) -> None:
        """Watch a line no longer, whether it is still connected or not."""

    def wait(self, timeout_s: float) -> Sequence[Line]:
        """Wait until some lines can go on, until another thread wakes it, or for so long."""

    def wake(self) -> None:
        """End the wait that another thread is in."""


Identity = tuple[int, str, str | int, int]
"""What is equal for the same message: `Slot.identity`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a run holds against others: a job file of a project and an environment."""

    text: str
    run_key: str | None = None
    """Runners of this run key may hold it together, where the ledger can be shared; None: nobody else may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outrun:
    """What was not written, because another runner has the message by now: identities of slots."""

    claims: frozenset[Identity] = frozenset()
    results: frozenset[Identity] = frozenset()


class Ledger(Protocol):
    """What is remembered between runs. Every write is durable when its call returns.

    Several runners may share one, if it can be shared. A claim (an intent in the state `sending`) is good for some
    time by a clock that they share; until it is over, or settled by its result, nobody else can claim the message.
    Every method raises LedgerError where the ledger cannot be read or written.
    """

    @property
    def id(self) -> str:
        """A random name, made with the ledger; it names the project where nothing else does."""

    @property
    def fingerprint_key(self) -> bytes:
        """The key of the fingerprints' HMAC, random for each ledger."""

    @property
    def claim_s(self) -> float:
        """How long after its writing began a claim may be acted on: others may take it some time later.

        Infinite where nobody else can.
        """

    def now(self) -> datetime | None:
        """Return the time by the clock that runners share, UTC; None where that is the machine's own."""

    def lock(self, scopes: Sequence[Scope], *, wait_s: float = 0) -> AbstractContextManager[None]:
        """Hold these scopes against other runs on this ledger; LockedError when one stays taken."""

    def hold_queue(self, key: int, queue: str) -> bool:
        """Hold a queue of a run key against other runners until the lock is let go; False while one has it."""

    def open_key(self, key: RunKey, *, run: str, at: datetime) -> OpenKey:
        """Find a run key, or make it with this run as its first."""

    def find_key(self, key: RunKey) -> OpenKey | None:
        """Find a run key, or None where no run has had it."""

    def recover_key(self, key: RunKey, *, run: str, at: datetime, listed: Sequence[Listed]) -> OpenKey:
        """Make a run key with what QStash's log lists of it, in one durable transaction; or find it and add that."""

    def find_listed(self, key: int, labels: Sequence[str]) -> dict[str, Listed]:
        """Look up which of these labels the log listed when the key was recovered; cheap where it never was."""

    def run_keys(self) -> Iterator[OpenKey]:
        """List run keys in the order of their first runs."""

    def last_generation(self, key: int, job: str) -> int | None:
        """Return the highest generation of a job's messages under a key, or None where it has none."""

    def start_run(self, run: Run) -> None:
        """Record a run before its first message."""

    def end_run(self, run: str, *, at: datetime, exit_code: int, totals: dict[str, int]) -> None:
        """Record how a run ended."""

    def find(self, slots: Sequence[Slot]) -> list[Record | None]:
        """Look messages up, all of one run key; the answer is in the order of the question.

        A slot with a row key is found by it, whatever its row number was then. The record of the highest
        generation at or below the slot's is returned. `is_held` says of one whether another runner has it now.
        """

    def doubts(self, key: int) -> Iterator[Record]:
        """List the messages of a run key that may have been accepted: those in doubt, and those being sent."""

    def find_evidence(self, slots: Sequence[Slot]) -> list[tuple[Evidence, ...]]:
        """Look up what was found out about messages otherwise, oldest first; in the order of the question."""

    def newest_at(self) -> datetime | None:
        """Return the latest moment that anything here was written with; None in an empty ledger.

        A wall clock that is behind it was set back.
        """

    def find_windows(self, dedup_ids: Sequence[str]) -> dict[str, Window]:
        """Look up which of these ids the ledger holds, expired ones included."""

    def write(
        self,
        *,
        results: Sequence[Result] = (),
        intents: Sequence[Record] = (),
        windows: Sequence[Window] = (),
        released: Sequence[str] = (),
        evidence: Sequence[Evidence] = (),
        queues: Collection[tuple[int, str]] = (),
    ) -> Outrun:
        """Write in one durable transaction: first results (compare-and-set on the attempt), then intents and windows.

        An intent replaces what is known of its slot. A window replaces the one of its id. `released` are ids whose
        windows are forgotten with these results, because their messages were rejected; that comes before `windows`.
        What other runners have is left as it is, and returned: a message that one has claimed or settled meanwhile
        (its window is not forgotten either), a window of another message, and everything where one of the `queues`,
        each of a key, is not held any more.
        """

    def runs(self, *, limit: int | None = None) -> Iterator[Run]:
        """List runs, newest first."""

    def find_runs(self, beginning: str) -> list[Run]:
        """Find the runs whose id begins so, newest first."""

    def messages(self, *, run: str | None = None) -> Iterator[Record]:
        """List messages in the order of keys, jobs and rows; of a run: those of its keys that it wrote last."""

    def find_messages(self, text: str, *, run: str | None = None) -> list[Record]:
        """Find messages by a QStash id, by our `qj-…` id or its beginning, or by name; at most 20.

        Those written last come first. The name of a job with rows means any of its messages. Where nothing has the
        text as its full name, the bare id of a job will do. With a run, only the messages of its keys count,
        whichever run wrote them.
        """

    def windows(self) -> Iterator[Window]:
        """List every window, expired ones included, in the order of their ids."""

    def check(self) -> list[str]:
        """Read everything and say what is not in order, a sentence each; nothing where all is well."""

    def prune(self, *, before: datetime, now: datetime) -> Pruned:
        """Forget the run keys that were last used before a moment, with their messages, windows and runs.

        A key is kept whole while one of its messages may have been accepted, or holds a deduplication id at `now`.
        """

    def close(self) -> None:
        """Close the ledger."""
