"""Run keys that are new to the ledger -> what QStash's log has of them, written down before anything is sent.

A fresh machine, or one that has lost its ledger, would publish again what another has published under the same key.
"""

from collections.abc import Callable

from qstash_jobs.api.keys import Keys
from qstash_jobs.boundary import Clock, Line
from qstash_jobs.errors import LedgerError, ServiceError
from qstash_jobs.identity import run_label
from qstash_jobs.inquiry import Inquiry, OverlongError
from qstash_jobs.report.wording import count

MOST_ENTRIES = 10_000
"""Entries of the log that are read of one key; a message has several."""


def recover(
    names: list[str],
    keys: Keys,
    *,
    open_line: Callable[[], Line],
    clock: Clock,
    has_to: bool,
    note: Callable[[str], None],
) -> None:
    """Ask the log about the named run keys that no run of this ledger has had; for others nothing is asked.

    `has_to` says that the ledger goes with this machine: then a log that cannot be read is a LedgerError, where
    otherwise `note` is told. Raises LedgerError too where the log has more than is read, and AuthenticationError.
    """
    new = [name for name in names if keys.find(name) is None]
    if not new:
        return
    inquiry = Inquiry(open_line, clock)
    try:
        for name in new:
            _recover(name, keys, inquiry, note)
    except ServiceError as error:
        if has_to:
            raise LedgerError(
                f"{error}; so nobody knows what was published under the run key {new[0]}, because this ledger goes "
                "with its machine: name one that lasts with --ledger, or say --ephemeral"
            ) from error
        note(f"warning: {error}; the run key {new[0]} is taken to be new")
    finally:
        inquiry.close()


def _recover(name: str, keys: Keys, inquiry: Inquiry, note: Callable[[str], None]) -> None:
    key = keys.name(name)
    label = run_label(key.project, key.environment, key.text)
    try:
        listed = inquiry.list_messages(label, most=MOST_ENTRIES)
    except OverlongError as error:
        raise LedgerError(
            f"QStash's log has more than {MOST_ENTRIES:,} entries of the run key {name}, of which this ledger knows "
            "nothing; use the ledger that it was published with, or another run key"
        ) from error
    if listed:
        keys.recover(name, listed)
        note(f"QStash's log lists {count(len(listed), 'message')} published under the run key {name} before")
