"""An Address -> the ledger in one PostgreSQL database: what is known of runs and messages goes in, and is found again.

Every write is one transaction, durable when its call returns. A ledger belongs to the thread that opened it; any
number of runners may have the same one open.
"""

import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from qstash_jobs.boundary import Outrun, Scope
from qstash_jobs.errors import LedgerError
from qstash_jobs.ledger.postgres import upkeep
from qstash_jobs.ledger.postgres.address import Address
from qstash_jobs.ledger.postgres.channel import PATIENCE_S, Channel
from qstash_jobs.ledger.postgres.holds import Holds
from qstash_jobs.ledger.postgres.messages import FIRST, Messages, Place, names_of
from qstash_jobs.ledger.postgres.migrations import exists as exists
from qstash_jobs.ledger.postgres.names import Names
from qstash_jobs.ledger.postgres.runs import Runs
from qstash_jobs.ledger.postgres.search import Search
from qstash_jobs.ledger.postgres.testimony import Testimony
from qstash_jobs.ledger.postgres.windows import Windows
from qstash_jobs.record import (
    Evidence,
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

_PAGE = 500
"""Rows read at a time, so that a slow reader does not hold them all."""

LEASE_S = 60.0
"""How long a claim keeps other runners from a message, by the server's clock: the first byte goes out in the first
third of it or not at all, and the answer has come long before its end."""


def open_postgres(
    address: Address, *, read_only: bool = False, lease_s: float = LEASE_S, patience_s: float = PATIENCE_S
) -> "PostgresLedger":
    """Open the ledger in a database, making its tables where there are none, unless it is only to be read.

    `patience_s` is how long a server that went away is waited for. Raises LedgerError, with a sentence that says what
    to do, for what cannot be a ledger or cannot be used as one.
    """
    channel = Channel(address, read_only=read_only, patience_s=patience_s)
    try:
        return PostgresLedger(channel, lease_s=lease_s)
    except BaseException:
        channel.close()
        raise


class PostgresLedger:
    """A `boundary.Ledger`."""

    def __init__(self, channel: Channel, *, lease_s: float) -> None:
        self._channel = channel
        self._lease_s = lease_s
        self._names = Names(channel)
        self._runs = Runs(channel, self._names)
        self._messages = Messages(channel, self._names, holder=secrets.randbits(62), lease_s=lease_s)
        self._windows = Windows(channel, self._names)
        self._testimony = Testimony(channel, self._names)
        self._holds = Holds(channel)
        channel.on_reconnect(self._holds.restore)
        channel.on_undo(self._names.forget)
        row = channel.run(lambda: channel.execute("SELECT id, fingerprint_key FROM meta").fetchone())
        if row is None:
            raise LedgerError(f"the ledger {channel.address} has lost its own id; put a copy of it back")
        self._id, self._fingerprint_key = str(row[0]), bytes(row[1])

    @property
    def id(self) -> str:
        return self._id

    @property
    def fingerprint_key(self) -> bytes:
        return self._fingerprint_key

    @property
    def claim_s(self) -> float:
        return self._lease_s / 3

    def now(self) -> datetime:
        def ask() -> datetime:
            ((now,),) = self._channel.execute("SELECT clock_timestamp()").fetchall()
            moment: datetime = now
            return moment.astimezone(UTC)

        return self._channel.run(ask)

    def close(self) -> None:
        """Close the ledger; once more does nothing."""
        self._channel.close()

    def lock(self, scopes: Sequence[Scope], *, wait_s: float = 0) -> AbstractContextManager[None]:
        return self._holds.hold(scopes, wait_s=wait_s)

    def hold_queue(self, key: int, queue: str) -> bool:
        return self._holds.hold_queue(key, queue)

    # runs and their keys

    def open_key(self, key: RunKey, *, run: str, at: datetime) -> OpenKey:
        self._channel.run(lambda: self._names.number(run))
        return self._channel.write(lambda: self._runs.open_key(key, run=run, at=at))

    def find_key(self, key: RunKey) -> OpenKey | None:
        return self._channel.run(lambda: self._runs.find_key(key))

    def recover_key(self, key: RunKey, *, run: str, at: datetime, listed: Sequence[Listed]) -> OpenKey:
        def recover() -> OpenKey:
            opened = self._runs.open_key(key, run=run, at=at)
            self._testimony.put_listed(opened.number, listed)
            return opened

        return self._channel.write(recover)

    def find_listed(self, key: int, labels: Sequence[str]) -> dict[str, Listed]:
        return self._channel.run(lambda: self._testimony.find_listed(key, labels))

    def run_keys(self) -> Iterator[OpenKey]:
        return iter(self._channel.run(self._runs.keys))

    def start_run(self, run: Run) -> None:
        """Record a run before its first message; its keys are opened with it."""
        self._channel.run(lambda: self._names.number(run.id))
        self._channel.write(lambda: self._runs.start(run))

    def end_run(self, run: str, *, at: datetime, exit_code: int, totals: dict[str, int]) -> None:
        if not self._channel.run(lambda: self._runs.end(run, at=at, exit_code=exit_code, totals=totals)):
            raise LedgerError(f"the ledger {self._channel.address} knows no run {run}")

    def runs(self, *, limit: int | None = None) -> Iterator[Run]:
        before: str | None = None
        while limit is None or limit > 0:
            page = self._page_of_runs(before, _PAGE if limit is None else min(_PAGE, limit))
            if not page:
                return
            yield from page
            before = page[-1].id
            limit = None if limit is None else limit - len(page)

    def _page_of_runs(self, before: str | None, size: int) -> list[Run]:
        return self._channel.run(lambda: self._runs.page(before=before, size=size))

    def find_runs(self, beginning: str) -> list[Run]:
        return self._channel.run(lambda: self._runs.find(beginning))

    # messages

    def find(self, slots: Sequence[Slot]) -> list[Record | None]:
        return self._channel.run(lambda: self._messages.find(slots))

    def last_generation(self, key: int, job: str) -> int | None:
        return self._channel.run(lambda: self._messages.last_generation(key, job))

    def doubts(self, key: int) -> Iterator[Record]:
        return self._walk(lambda after: self._messages.page_of_doubts(key, after=after, size=_PAGE))

    def find_evidence(self, slots: Sequence[Slot]) -> list[tuple[Evidence, ...]]:
        return self._channel.run(lambda: [self._testimony.find(slot) for slot in slots])

    def newest_at(self) -> datetime | None:
        return self._channel.run(lambda: upkeep.newest_at(self._channel))

    def find_windows(self, dedup_ids: Sequence[str]) -> dict[str, Window]:
        return self._channel.run(lambda: self._windows.find(dedup_ids))

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
        def write() -> Outrun:
            if windows or released:
                self._windows.queue_up()
            if evidence:
                self._testimony.add(evidence)
            lost_results = self._messages.settle(results) if results else frozenset()
            if released:
                self._windows.release(released, but_of=lost_results)
            if not all(self._holds.has_queue(key, queue) for key, queue in queues):
                return Outrun(results=lost_results, claims=frozenset(one.slot.identity for one in intents))
            taken = self._windows.put(windows) if windows else frozenset()
            held = {one.slot.identity for one in windows if one.dedup_id in taken}
            claims = [one for one in intents if one.slot.identity not in held]
            lost_claims = self._messages.put(claims) if claims else frozenset()
            return Outrun(results=lost_results, claims=lost_claims | held)

        # by itself: names given inside would make runners wait for each other until the end of the transaction
        names = [*names_of(intents), *(one.slot.job for one in results), *(one.slot.job for one in evidence)]
        names += [name for one in windows for name in (one.job, one.slot.job)]
        self._channel.run(lambda: self._names.number_all(names))
        return self._channel.write(write)

    def messages(self, *, run: str | None = None) -> Iterator[Record]:
        number, keys = self._channel.run(partial(self._keys_of, run))
        for key in keys:
            yield from self._messages_of(key, number)

    def windows(self) -> Iterator[Window]:
        after = b""
        while True:
            page, after = self._channel.run(partial(self._windows.page, after=after, size=_PAGE))
            yield from page
            if len(page) < _PAGE:
                return

    def find_messages(self, text: str, *, run: str | None = None) -> list[Record]:
        def find() -> list[Record]:
            number = self._names.find(run) if run is not None else None
            if run is not None and number is None:
                return []
            return Search(self._messages, self._names, number).find(text)

        return self._channel.run(find)

    # upkeep

    def check(self) -> list[str]:
        return self._channel.run(lambda: list(upkeep.check(self._channel)))

    def prune(self, *, before: datetime, now: datetime) -> Pruned:
        pruned = self._channel.write(lambda: upkeep.forget(self._channel, before=before, now=now))
        self._names.forget()
        return replace(pruned, freed_bytes=self._channel.run(lambda: upkeep.give_back(self._channel)))

    # inside

    def _keys_of(self, run: str | None) -> tuple[int | None, list[int]]:
        number = self._names.find(run) if run is not None else None
        return number, self._runs.key_numbers(number) if run is None or number is not None else []

    def _messages_of(self, key: int, run: int | None) -> Iterator[Record]:
        return self._walk(lambda after: self._messages.page(key, run=run, after=after, size=_PAGE))

    def _walk(self, read: Callable[[Place], tuple[list[Record], Place]]) -> Iterator[Record]:
        after = FIRST
        while True:
            page, after = self._channel.run(partial(read, after))
            yield from page
            if len(page) < _PAGE:
                return
