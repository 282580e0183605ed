"""The command line, with its seams watched, in processes that can be killed: orders on stdin, their ends on stdout.

Each order is a line of JSON, and gets a process of its own that is forked from this one, so that it begins at once.
The product knows nothing of this: the seams are its own boundaries (the ledger, the connection, the results), wrapped
from outside. At each of them a process can be told to kill itself, or a statement of SQLite to fail.
"""

import json
import os
import signal
import sqlite3
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import qstash_jobs.api.publication
import qstash_jobs.cli.run  # what each of them would load
import qstash_jobs.inquiry
import qstash_jobs.ledger.sqlite
import qstash_jobs.transport
from qstash_jobs.api.world import Service
from qstash_jobs.cli.main import main as run_command
from qstash_jobs.cli.results import Results
from qstash_jobs.ledger.sqlite import SqliteLedger
from qstash_jobs.transport import open_line
from qstash_jobs.transport.line import HttpLine

sys.path.insert(0, str(Path(__file__).parent.parent))

from faults.shared_time import SharedTime, follow

LEDGER_CALLS = ("open_key", "recover_key", "start_run", "write", "end_run")


class Seams:
    """Counts how often each is crossed, and kills this process where the order says so."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.crossings: Counter[str] = Counter()
        self._victim = tuple(order.get("kill") or ())
        self._journal: int | None = None
        if order.get("journal"):
            self._journal = os.open(order["journal"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def cross(self, seam: str) -> None:
        self.crossings[seam] += 1
        if self._victim == (seam, self.crossings[seam]):
            os.kill(os.getpid(), signal.SIGKILL)

    def note(self, sent: bytes) -> None:
        """Write down, between the writes of files, what is about to go out."""
        if self._journal is not None:
            # the form of records is `record_writes.c`'s
            os.write(self._journal, b"S" + len(sent).to_bytes(4, "little") + sent)

    def wrap(self, owner: type, name: str, seam: str) -> None:
        inner = getattr(owner, name)

        def crossed(*given: Any, **named: Any) -> Any:
            self.cross(f"before {seam}")
            answer = inner(*given, **named)
            self.cross(f"after {seam}")
            return answer

        setattr(owner, name, crossed)


def arrange(order: dict[str, Any]) -> Seams:
    """Wrap the seams of this process."""
    seams = Seams(order)
    if order.get("time"):
        follow(SharedTime(Path(order["time"])))
    for name in LEDGER_CALLS:
        seams.wrap(SqliteLedger, name, f"ledger.{name}")
    for name in ("connect", "offer", "proceed"):
        seams.wrap(HttpLine, name, f"line.{name}")
    seams.wrap(Results, "tell", "results.tell")
    _watch_first_byte(seams)
    _watch_statements(seams, order)
    deadline_s = order.get("deadline_s", 30)
    Service.open_line = lambda self: open_line(  # type: ignore[method-assign]
        self.server, self.token, environment=self.env, connect_timeout_s=3, deadline_s=deadline_s
    )
    if not order.get("waits"):
        # no wait before another try; where the name has moved, that is to fail and not to be slow
        assert callable(qstash_jobs.api.publication.chance)
        qstash_jobs.api.publication.chance = lambda: 0.0
    return seams


def _watch_first_byte(seams: Seams) -> None:
    offer = HttpLine.offer

    def watched(line: HttpLine, request: Any, *, may_send: Callable[[], bool]) -> Any:
        def asked() -> bool:
            if not may_send():
                return False
            seams.note(request.target.encode() + b"\n" + request.body)
            seams.cross("before the first byte")
            return True

        return offer(line, request, may_send=asked)

    HttpLine.offer = watched  # type: ignore[method-assign]


def _watch_statements(seams: Seams, order: dict[str, Any]) -> None:
    connect = sqlite3.connect
    first, times, when = order.get("fail") or (0, 0, "")
    pages = order.get("checkpoint_pages")

    class Watched(sqlite3.Connection):
        """Counts statements; some fail as a broken disk lets them, before they have done anything or after."""

        def execute(self, *given: Any) -> sqlite3.Cursor:
            return self._do(super().execute, *given)

        def executemany(self, *given: Any) -> sqlite3.Cursor:
            return self._do(super().executemany, *given)

        def _do(self, act: Callable[..., sqlite3.Cursor], *given: Any) -> sqlite3.Cursor:
            seams.cross("before a statement")
            fails = first <= seams.crossings["before a statement"] < first + times
            if fails and when == "before":
                raise _broken_disk()
            cursor = act(*given)
            if fails:
                raise _broken_disk()
            seams.cross("after a statement")
            return cursor

    def watched(*given: Any, **named: Any) -> sqlite3.Connection:
        connection = connect(*given, **named, factory=Watched)
        if pages:
            sqlite3.Connection.execute(connection, f"PRAGMA wal_autocheckpoint = {pages}")
        return connection

    sqlite3.connect = watched  # type: ignore[assignment]


def _broken_disk() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_IOERR, "SQLITE_IOERR"
    return error


def live(order: dict[str, Any]) -> None:
    """Be the process of an order, to its end."""
    code = 1
    try:
        os.chdir(order["folder"])
        os.environ.clear()
        os.environ.update(order["environment"])
        for number, name in ((1, "stdout"), (2, "stderr")):
            file = os.open(order[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(file, number)
            os.close(file)
        sys.argv = ["qstash-jobs", *order["words"]]
        if order.get("file_bytes"):
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_bytes"],) * 2)
        seams = arrange(order)
        try:
            run_command()
        except SystemExit as ending:
            code = ending.code if isinstance(ending.code, int) else 1
        if order.get("crossings"):
            Path(order["crossings"]).write_text(json.dumps(seams.crossings))
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def obey() -> None:
    """Read orders until there are no more."""
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            live(order)
        _say({"pid": pid})
        _, status, usage = os.wait4(pid, 0)
        _say({"code": os.waitstatus_to_exitcode(status), "peak_kib": usage.ru_maxrss})


def _say(fact: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    obey()
