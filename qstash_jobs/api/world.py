"""The environment and the project -> the tools that a command works with: server, token, ledger, clock."""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from types import ModuleType

from qstash_jobs.api.workspace import find_project
from qstash_jobs.boundary import Clock, Ledger, Line
from qstash_jobs.clock import SharedClock, SystemClock
from qstash_jobs.errors import AuthenticationError, UsageError
from qstash_jobs.ledger.postgres.address import Address, holds_password, is_postgres
from qstash_jobs.project import Project
from qstash_jobs.settings import (
    DEFAULT_URL,
    account_of,
    environment,
    find_setting,
    is_ci,
    read_address,
    read_token,
    state_folder,
    working_folder,
)
from qstash_jobs.value import dataclass
from qstash_jobs.wire.server import Server

Place = Path | Address
"""Where a ledger is: a file, or a database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Where QStash is, and who asks."""

    server: Server
    token: str
    account: str | None
    env: Mapping[str, str]
    """For proxies and the trust store."""
    token_from: str = "QSTASH_TOKEN"  # noqa: S105 - the name of a variable

    @property
    def name(self) -> str:
        """Host, and port where it isn't https' own."""
        return self.server.host if self.server.port == 443 else self.server.place

    @property
    def target(self) -> str:
        """What messages are published to, for the ledger: host, port and account, never anything of the token."""
        return f"{self.server.place} {self.account or ''}".strip()

    def open_line(self) -> Line:
        from qstash_jobs.transport import open_line

        return open_line(self.server, self.token, environment=self.env)


def find_server(env: Mapping[str, str], project_url: str | None) -> tuple[Server, tuple[str, ...]]:
    """Find QStash's address: QSTASH_URL, else the project's, else the default; with what had to be mended in it."""
    named = find_setting(env, "QSTASH_URL")
    if named is not None:
        return read_address(named)
    return read_address(project_url or DEFAULT_URL, source="the project file's url")


def find_service(env: Mapping[str, str], project: Project) -> tuple[Service, tuple[str, ...]]:
    """Find address and token, and hold the token against the project's account.

    Raises UsageError, and AuthenticationError for a token that is missing, unusable or of another account.
    """
    server, warnings = find_server(env, project.url)
    token = read_token(env, project.token_from)
    account = account_of(token)
    if project.account is not None and account is None:
        warnings = (
            *warnings,
            f"{project.token_from} does not tell its account, so it may not be {project.account}",
        )
    elif project.account is not None and account != project.account:
        raise AuthenticationError(
            f"{project.token_from} is of the account {account}, and the project file says {project.account}"
        )
    return Service(
        server=server, token=token, account=account, env=env, token_from=project.token_from
    ), warnings


def check_environment(project: Project) -> None:
    """Refuse to publish without an environment where the project has some: each may be another account."""
    if project.environments and not project.environment:
        raise UsageError(
            f"say where to publish: --environment {' or --environment '.join(project.environments)}"
        )


def find_ledger(url: str | None, env: Mapping[str, str], project: Project) -> Place:
    """Find where the ledger is: `--ledger`, else the project's, else a file in the user's state folder."""
    chosen = url or project.ledger
    if chosen is None:
        return state_folder(env) / "ledger.db"
    if chosen.startswith(("postgresql:", "postgres:")):
        return _find_database(chosen)
    path = chosen.removeprefix("sqlite://")
    if path == chosen or not path.strip("/") or path.startswith(("/~", "/:memory:")) or path[0] != "/":
        raise UsageError(
            f"the ledger {chosen.partition('?')[0]} cannot be used; write sqlite:///PATH with an absolute path, "
            "or postgresql://USER@HOST/DATABASE"
        )
    return Path("/" + path.lstrip("/"))


def _find_database(url: str) -> Place:
    if holds_password(url):
        raise UsageError(
            "a ledger's address may hold no password: every process list would show it; set PGPASSWORD, or PGPASSFILE"
        )
    if not is_postgres(url):
        raise UsageError("the ledger's address cannot be used; write postgresql://USER@HOST/DATABASE")
    return Address(url=url)


def is_ledger_passing(url: str | None, env: Mapping[str, str], project: Project) -> bool:
    """Say whether the ledger goes with this machine: a pipeline's, where nobody has said where it is to be."""
    return is_ci(env) and not (url or project.ledger or env.get("STATE_DIRECTORY"))


def holds_ledger(place: Place) -> bool:
    """Say whether there is anything where the ledger should be; LedgerError where that cannot be found out."""
    if isinstance(place, Path):
        return os.path.lexists(place)
    return bool(_postgres().exists(place))


def open_ledger(place: Place, *, read_only: bool = False) -> Ledger:
    """Open the ledger; LedgerError says what is wrong with it."""
    if isinstance(place, Path):
        from qstash_jobs.ledger.sqlite import open_sqlite

        return open_sqlite(place, read_only=read_only)
    opened: Ledger = _postgres().open_postgres(place, read_only=read_only)
    return opened


def _postgres() -> ModuleType:
    """Load what needs psycopg, where a ledger is in PostgreSQL."""
    try:
        from qstash_jobs.ledger.postgres import ledger
    except ImportError as error:
        raise UsageError(
            f"a ledger in PostgreSQL needs psycopg ({error}): pip install 'qstash-jobs[postgres]'"
        ) from error
    return ledger


@contextmanager
def reading_ledger(url: str | None, project: Project) -> Iterator[Ledger]:
    """Open the ledger that a command which only looks is meant to read; UsageError where there is none yet."""
    with closing(open_ledger(_find_made(url, project), read_only=True)) as ledger:
        yield ledger


@contextmanager
def changing_ledger(url: str | None, project: Project) -> Iterator[Ledger]:
    """Open the ledger that a command which publishes nothing is meant to change; UsageError where there is none yet."""
    with closing(open_ledger(_find_made(url, project))) as ledger:
        yield ledger


def _find_made(url: str | None, project: Project) -> Place:
    path = find_ledger(url, environment(), project)
    if not holds_ledger(path):
        raise UsageError(f"there is no ledger at {path} yet; the first run makes it")
    return path


def project_here(environment_name: str | None) -> Project:
    """Read the project around the working directory, in an environment, for a command that reads no job files."""
    return find_project(working_folder(), environment_name or "")


def system_clock() -> Clock:
    return SystemClock()


def clock_of(ledger: Ledger) -> Clock:
    """Make the clock that runs on this ledger go by: where machines share one, their own may not agree."""
    now = ledger.now()
    return SystemClock() if now is None else SharedClock(now)


def chance() -> float:
    """Return a random number from 0 to 1, for waits: nothing secret hangs on it."""
    from random import random

    return random()  # noqa: S311
