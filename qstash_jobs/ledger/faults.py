"""sqlite3.Error -> LedgerError, in words that name the ledger and say what to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qstash_jobs.errors import LedgerError

NOT_A_LEDGER = "{path} is not a ledger; name another file with --ledger, or move this one away"


@contextmanager
def as_ledger_errors(path: Path) -> Iterator[None]:
    """Turn what the database refuses inside the block into LedgerErrors."""
    try:
        yield
    except sqlite3.Error as error:
        raise LedgerError(describe(error, path)) from error
    except (UnicodeError, OverflowError) as error:
        raise LedgerError(f"the ledger {path} cannot hold this value: {error}") from error


def describe(error: sqlite3.Error, path: Path) -> str:
    """Say what happened to the ledger and what to do about it."""
    # sqlite.org/rescode.html: an extended code begins with the name of its primary code
    code = getattr(error, "sqlite_errorname", "")
    for beginning, sentence in _SENTENCES.items():
        if code.startswith(beginning):
            return sentence.format(path=path, error=error)
    return f"the ledger {path} could not be used: {error}"


_SENTENCES = {
    "SQLITE_FULL": "no room is left for the ledger {path}; make some on its disk and try again",
    "SQLITE_IOERR": "the ledger {path} could not be read or written ({error}); check the disk that it is on",
    "SQLITE_BUSY": "another program keeps the ledger {path} busy; try again when that has ended",
    "SQLITE_LOCKED": "another program keeps the ledger {path} busy; try again when that has ended",
    "SQLITE_READONLY": "the ledger {path} cannot be written; check its permissions and those of its folder",
    "SQLITE_CANTOPEN": "the ledger {path} cannot be opened; check its permissions and those of its folder",
    "SQLITE_PERM": "the ledger {path} cannot be opened; check its permissions and those of its folder",
    "SQLITE_CORRUPT": (
        "the ledger {path} is damaged ({error}); put a copy of it back, or move it away and start with an empty one"
    ),
    "SQLITE_NOTADB": NOT_A_LEDGER,
}
