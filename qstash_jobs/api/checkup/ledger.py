"""Where the ledger is -> checks: can it be read and written, is it whole, who holds it, what disk is it on."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from qstash_jobs.api.world import Place, find_ledger, holds_ledger, is_ledger_passing, open_ledger
from qstash_jobs.errors import LedgerError, UsageError
from qstash_jobs.ledger.disk import find_holders, look_at_disk
from qstash_jobs.ledger.postgres.address import Address
from qstash_jobs.project import Project
from qstash_jobs.report.checkup import Check
from qstash_jobs.report.wording import count

LEAST_FREE_BYTES = 100 * 1024 * 1024
"""A run of a million messages writes about as much."""


def check_ledger(url: str | None, env: Mapping[str, str], project: Project) -> Iterator[Check]:
    """Look at the ledger, and at where it is."""
    try:
        path = find_ledger(url, env, project)
    except UsageError as error:
        yield Check(name="ledger", verdict="wrong", found=str(error), exit_code=2)
        return
    yield _check_content(path)
    if is_ledger_passing(url, env, project):
        yield Check(
            name="ledger's place",
            verdict="warning",
            found="CI is set and no ledger is named: it goes with this machine",
            advice="name a ledger that lasts with --ledger or QSTASH_JOBS_LEDGER",
        )
    if isinstance(path, Path):
        yield from _check_disk(path)
        yield _check_holders(find_holders(path))
    else:
        yield from _check_server(path)


def _check_content(path: Place) -> Check:
    try:
        if not holds_ledger(path):
            return Check(name="ledger", verdict="good", found=f"none at {path} yet; the first run makes it")
        with closing(open_ledger(path, read_only=True)) as ledger:
            faults = ledger.check()
            last = next(ledger.runs(limit=1), None)
    except LedgerError as error:
        return Check(name="ledger", verdict="wrong", found=str(error), exit_code=6)
    if faults:
        return Check(
            name="ledger",
            verdict="wrong",
            found=f"{path} is not whole: {'; '.join(faults[:3])}",
            advice="put a copy of it back, or move it away and start with an empty one",
            exit_code=6,
        )
    known = f"the last run is {last.id[:8]}" if last is not None else "no run yet"
    return Check(name="ledger", verdict="good", found=f"{path} is whole; {known}")


def _check_disk(path: Path) -> Iterator[Check]:
    try:
        disk = look_at_disk(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        yield Check(name="disk", verdict="wrong", found=f"{path.parent}: {reason}", exit_code=6)
        return
    room = f"{disk.free_bytes // 1024**2:,} MiB free"
    kind = f"{disk.kind or 'a file system of unknown kind'}, {room}"
    if not disk.is_writable:
        yield Check(
            name="disk",
            verdict="wrong",
            found=f"{path.parent} is not to be written by this user",
            advice="name another ledger with --ledger, or change whose folder it is",
            exit_code=6,
        )
    elif disk.is_elsewhere:
        yield Check(
            name="disk",
            verdict="wrong",
            found=f"{kind}: it is another machine's, and SQLite needs memory shared by all who use the ledger",
            advice="name a ledger on a local disk with --ledger",
            exit_code=6,
        )
    elif disk.free_bytes < LEAST_FREE_BYTES:
        yield Check(name="disk", verdict="warning", found=kind, advice="make room: a full disk stops a run")
    elif disk.is_passing:
        yield Check(
            name="disk",
            verdict="warning",
            found=f"{kind}: it is in memory, and gone with the next start of this machine",
            advice="name a ledger on a disk with --ledger",
        )
    else:
        yield Check(name="disk", verdict="good", found=kind)


def _check_holders(holders: Sequence[str] | None) -> Check:
    if holders is None:
        return Check(name="locks", verdict="unknown", found="this system does not tell who holds them")
    if not holders:
        return Check(name="locks", verdict="good", found="no run is seen under way")
    runs = "a run is" if len(holders) == 1 else f"{count(len(holders), 'run')} are"
    return Check(name="locks", verdict="good", found=f"{runs} under way: {', '.join(holders)}")


def _check_server(address: Address) -> Iterator[Check]:
    from qstash_jobs.ledger.postgres.server import look_at_server

    try:
        if not holds_ledger(address):
            return
        server = look_at_server(address)
    except LedgerError:
        return  # it is told by now
    secured = "with TLS" if server.is_encrypted else "without TLS"
    shown = f"PostgreSQL {server.version}, {secured}"
    if not server.is_writable:
        yield Check(
            name="server",
            verdict="wrong",
            found=f"{shown}: this user may not write to the ledger",
            advice="grant it the tables of the schema qstash_jobs, and name the primary server",
            exit_code=6,
        )
    elif not server.is_durable:
        yield Check(
            name="server",
            verdict="warning",
            found=f"{shown}: fsync is off, so a loss of power there can lose what was sent",
            advice="set fsync = on in its configuration",
        )
    else:
        yield Check(name="server", verdict="good", found=shown)
    yield _check_holders(server.holders)
